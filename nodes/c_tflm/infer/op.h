/* Between direct.c and infer/ops/: one file there is one operator, and everything it needs is here.
 *
 * The graph is read and checked by direct_graph.c before an operator sees it: each tensor that it is given has a rank
 * of at most 4, dimensions of at least 1, a type of `enum op_type`, and if it is a constant as many bytes as its shape
 * says. An int8 tensor has one usable scale and a zero point within int8, or, as a constant, one of each for every
 * slice of `dimension`. An operator checks what is left: types, shapes, options, and that several zero points are 0. */
#ifndef STETHOS_OP_H
#define STETHOS_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flatbuffer.h"
#include "quantization.h"

enum { OP_INPUTS_MAX = 3, OP_RANK_MAX = 4 };

/* TensorType of the schema, as far as an operator may meet it. */
enum op_type { OP_FLOAT32 = 0, OP_INT32 = 2, OP_INT64 = 4, OP_INT8 = 9 };

/* ActivationFunctionType of the schema. */
enum op_activation { OP_ACTIVATION_NONE = 0, OP_RELU = 1, OP_RELU_N1_TO_1 = 2, OP_RELU6 = 3 };

struct op_tensor {
    uint32_t number; /* among the tensors of the file */
    /* What its table in the file says, in the order in which direct_graph.c reads it. */
    struct flatbuffer_vector sizes;
    uint32_t type;
    uint32_t buffer;
    uint32_t quantization; /* position of that table */
    struct flatbuffer_vector scales;
    struct flatbuffer_vector zero_points;
    uint32_t dimension;            /* to which several scales belong */
    struct flatbuffer_vector data; /* bytes; count 0: an activation */
    /* What follows from it. */
    const uint8_t *values;       /* of a constant: not aligned, little-endian; NULL: an activation */
    uint32_t shape[OP_RANK_MAX]; /* 1 beyond the rank */
    uint32_t elements;
    uint32_t scale;     /* the first one, bits of the IEEE 754 single; 0 if there is none */
    int32_t zero_point; /* int8 only; of several, 0 if all are */
};

/* Bytes that it needs. Parameters are aligned as for a struct, activations and scratch to 8 bytes. */
struct op_need {
    uint32_t parameters; /* kept from prepare to the last run */
    uint32_t scratch;    /* while it runs; other operators use the same bytes */
    bool in_place;       /* its output may lie where in[0] does, if nobody needs in[0] any more */
};

/* One operator of the file. */
struct op_read {
    struct flatbuffer *f;
    struct op_need need;
    /* What its table in the file says, in the order in which direct_graph.c reads it. */
    uint32_t code;
    struct flatbuffer_vector inputs, outputs; /* numbers of tensors; of outputs there is 1 */
    uint32_t options_type;
    uint32_t options;                          /* position of that table */
    const struct op_tensor *in[OP_INPUTS_MAX]; /* NULL: an optional one that is left out, or there are fewer */
    const struct op_tensor *out;               /* an activation */
};

struct op_buffers {
    const void *in[2]; /* activations only */
    void *out;
    void *scratch;
};

struct op_kind {
    uint8_t builtin;      /* BuiltinOperator of the schema */
    uint8_t options_type; /* BuiltinOptions of the schema, without which it is refused; 0: it reads none */
    /* NETWORK_OK, or why not; sets r->need, which comes zeroed. */
    enum network_status (*check)(struct op_read *r);
    /* After a check that passed: writes its parameters. */
    void (*prepare)(struct op_read *r, void *parameters);
    void (*run)(const void *parameters, const struct op_buffers *b);
};

/* gen/ops.c, written by make from OPS. */
extern const struct op_kind *const ops[];
extern const uint8_t ops_n;

/* Bounds of a fused activation in units of r->out; NETWORK_OPTIONS for one that is not supported. */
enum network_status op_activation_range(struct op_read *r, uint32_t fused, int8_t *low, int8_t *high);

/* One multiplier for each of weights->scales, in[0]->scale * scale / out->scale, the product taken in double. False if
 * one is too large. `out` may be NULL: checks only. */
bool op_row_multipliers(struct op_read *r, const struct op_tensor *weights, struct quantized_multiplier *out);

/* Element `i` of a constant of type int32. */
static inline int32_t op_int32(const struct op_tensor *t, uint32_t i) {
    return (int32_t)little_u32(t->values + 4 * (size_t)i);
}

#endif
