/* THE seam between a node and what runs its network: a .tflite file goes in, and any engine that is linked behind these
 * functions gives the same bits. direct.c is one, tflm.cc another; a firmware links one of them.
 *
 * The model has one input tensor and one output tensor, int8, or float32 where a QUANTIZE or DEQUANTIZE stands at that
 * end. No heap: memory is the caller's, and it is known before use how much is needed. */
#ifndef STETHOS_NETWORK_H
#define STETHOS_NETWORK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum network_status {
    NETWORK_OK,
    NETWORK_NOT_TFLITE,   /* no TFL3 file of schema version 3 */
    NETWORK_TRUNCATED,    /* an offset points outside the file */
    NETWORK_OPERATOR,     /* an operator that this engine was built without */
    NETWORK_GRAPH,        /* not a graph from the one input to the one output, each tensor made before it is used */
    NETWORK_TYPE,         /* a tensor of a type that the operator does not take */
    NETWORK_SHAPE,        /* shapes do not fit each other or the operator */
    NETWORK_OPTIONS,      /* an option of the operator, or a storage format, that is not supported */
    NETWORK_QUANTIZATION, /* scales or zero points are missing, out of range or do not fit each other */
    NETWORK_TOO_LARGE,    /* more operators, values or memory than the engine counts */
    NETWORK_NO_MEMORY,    /* the memory given is too small, or not aligned as for a struct */
    NETWORK_ENGINE,       /* the engine failed for a reason of its own */
};

/* TensorType of the schema. */
enum network_type { NETWORK_FLOAT32 = 0, NETWORK_INT8 = 9 };

struct network_end {
    uint32_t size;  /* values */
    uint32_t scale; /* bits of the IEEE 754 single; int8 only */
    int8_t zero_point;
    uint8_t type; /* enum network_type */
};

struct network {
    struct network_end input;
    struct network_end output;
    size_t memory_size;  /* bytes that network_attach needs; after NETWORK_OK from network_open */
    int16_t refused_op;  /* the schema's BuiltinOperator at which a refusal arose; -1: at none */
    uint16_t refused_at; /* its place among the operators of the file, from 0 */

    /* The rest is the engine's own. */
    void *state;
    const uint8_t *tflite;
    uint32_t tflite_size;
    uint32_t units; /* of the arena */
};

/* Reads and checks a whole file, which must stay where it is for as long as `n` is used. Needs no memory yet. */
enum network_status network_open(struct network *n, const uint8_t *tflite, size_t size);

/* Gives it memory, aligned as for a struct, which stays its own for as long as `n` is used. */
enum network_status network_attach(struct network *n, void *memory, size_t size);

/* One inference, from n->input.size values to n->output.size values, which must not overlap. Values of float32 are
 * aligned as such. */
void network_run(const struct network *n, const void *in, void *out);

/* Words for people (network_text.c); a node that never speaks them does not link them. */
const char *network_status_text(enum network_status status);

/* The schema's name of a BuiltinOperator, such as "RESHAPE"; "UNKNOWN" for a number that it does not have. */
const char *network_op_name(int32_t op);

#ifdef __cplusplus
}
#endif

#endif
