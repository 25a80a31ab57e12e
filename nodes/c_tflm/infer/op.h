/* Between direct.c and infer/ops/: one file there is one operator, and everything it needs is here.
 *
 * The graph is read and checked by direct_graph.c before an operator sees it: each tensor that it is given has a rank
 * of at most 4, dimensions of at least 1, a type of `enum op_type`, and if it is a constant as many bytes as its shape
 * says. An int8 tensor has one usable scale and a zero point within int8, or, as a constant, one scale for each slice
 * of `dimension` with zero points of 0. An operator checks what is left: types, shapes, options. */
#ifndef STETHOS_OP_H
#define STETHOS_OP_H

#include <stdbool.h>
#include <stdint.h>

#include "flatbuffer.h"
#include "network.h"
#include "quantization.h"

enum { OP_INPUTS_MAX = 4, OP_RANK_MAX = 4 };

/* TensorType of the schema, as far as an operator may meet it. */
enum op_type { OP_FLOAT32 = 0, OP_INT32 = 2, OP_INT64 = 4, OP_INT8 = 9 };

/* ActivationFunctionType of the schema. */
enum op_activation { OP_ACTIVATION_NONE = 0, OP_RELU = 1, OP_RELU_N1_TO_1 = 2, OP_RELU6 = 3 };

struct op_tensor {
    uint32_t shape[OP_RANK_MAX]; /* 1 beyond the rank */
    uint32_t elements;
    uint32_t scale; /* the first one, bits of the IEEE 754 single; 0 if there is none */
    int32_t zero_point;
    uint32_t dimension; /* to which several scales belong */
    struct flatbuffer_vector scales;
    struct flatbuffer_vector data; /* bytes; count 0: an activation */
    uint8_t rank;
    uint8_t type;
};

/* One operator of the file. */
struct op_read {
    struct flatbuffer *f;
    uint32_t options; /* position of its options table; 0 where the kind's options_type is 0 */
    uint8_t inputs_n;
    uint8_t outputs_n;          /* 1 */
    bool has_in[OP_INPUTS_MAX]; /* an optional input that is left out has false */
    struct op_tensor in[OP_INPUTS_MAX];
    struct op_tensor out[1]; /* an activation */
};

/* Bytes that it needs. Parameters are aligned as for a struct, activations and scratch to 8 bytes. */
struct op_need {
    uint32_t parameters; /* kept from prepare to the last run */
    uint32_t scratch;    /* while it runs; other operators use the same bytes */
    bool in_place;       /* its output may lie where in[0] does, if nobody needs in[0] any more */
};

struct op_buffers {
    const void *in[2]; /* activations only; NULL for a constant */
    void *out;
    void *scratch;
};

struct op_kind {
    uint8_t builtin;      /* BuiltinOperator of the schema */
    uint8_t options_type; /* BuiltinOptions of the schema, without which it is refused; 0: it reads none */
    /* NETWORK_OK, or why not; `need` comes zeroed. */
    enum network_status (*check)(struct op_read *r, struct op_need *need);
    /* After a check that passed: writes its parameters. */
    void (*prepare)(struct op_read *r, void *parameters);
    void (*run)(const void *parameters, const struct op_buffers *b);
};

/* gen/ops.c, written by make from OPS. */
extern const struct op_kind *const ops[];
extern const uint8_t ops_n;

/* Bounds of a fused activation in units of r->out[0]; NETWORK_OPTIONS for one that is not supported. */
enum network_status op_activation_range(struct op_read *r, uint8_t fused, int16_t *low, int16_t *high);

/* One multiplier for each of weights->scales, in[0].scale * scale / out[0].scale, the product taken in double. False if
 * one is too large. `out` may be NULL: checks only. */
bool op_row_multipliers(struct op_read *r, const struct op_tensor *weights, struct quantized_multiplier *out);

/* Where a constant's bytes lie: not aligned, little-endian. */
static inline const uint8_t *op_data(const struct op_read *r, const struct op_tensor *t) {
    return r->f->data + t->data.first;
}

/* Element `i` of a constant of type int32. */
static inline int32_t op_int32(const struct op_read *r, const struct op_tensor *t, uint32_t i) {
    return (int32_t)flatbuffer_u32(r->f, t->data.first + 4 * i);
}

#endif
