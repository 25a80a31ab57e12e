/* `direct`: runs an int8 fully-connected .tflite in place, and computes to the last bit what TFLite Micro computes
 * (gemmlowp's double rounding). No heap, no floats; everything a hostile file could get wrong is refused at opening.
 *
 * It takes one chain of FULLY_CONNECTED layers of shape [1, n], int8 with one scale for the weights or one for each
 * row, int32 bias or none, fused activation NONE, RELU, RELU6 or RELU_N1_TO_1. */
#ifndef STETHOS_DIRECT_H
#define STETHOS_DIRECT_H

#include <stddef.h>
#include <stdint.h>

#include "flatbuffer.h"
#include "quantization.h"

enum direct_status {
    DIRECT_OK,
    DIRECT_NOT_TFLITE,   /* no TFL3 file of schema version 3 */
    DIRECT_TRUNCATED,    /* an offset points outside the file */
    DIRECT_OPERATOR,     /* an operator other than FULLY_CONNECTED: `refused_op` says which */
    DIRECT_GRAPH,        /* not one chain from the one input to the one output */
    DIRECT_TYPE,         /* activations or weights are not int8, or the bias is not int32 */
    DIRECT_SHAPE,        /* shapes do not fit each other, or an activation is not [1, n] */
    DIRECT_OPTIONS,      /* an activation function, or weights in a format, that it does not know */
    DIRECT_QUANTIZATION, /* scales or zero points are missing, out of range or do not fit each other */
    DIRECT_TOO_LARGE,    /* more than 255 layers, or 65535 values in a layer */
    DIRECT_NO_MEMORY,    /* the memory given is too small, or not aligned for int32_t and pointers */
};

struct direct_layer {
    const int8_t *weights;                          /* [outputs][inputs] */
    const uint8_t *bias;                            /* [outputs] int32, little-endian, unaligned; NULL: none */
    const struct quantized_multiplier *multipliers; /* one, or one for each output */
    uint16_t inputs;
    uint16_t outputs;
    int16_t input_zero_point;
    int16_t output_zero_point;
    int16_t low; /* of the fused activation */
    int16_t high;
    uint8_t per_row; /* 1: a multiplier for each output */
};

struct direct {
    /* What the file takes and gives. */
    uint16_t inputs;
    uint16_t outputs;
    uint32_t input_scale; /* bits of the IEEE 754 single */
    uint32_t output_scale;
    int8_t input_zero_point;
    int8_t output_zero_point;
    int32_t refused_op;    /* DIRECT_OPERATOR: the schema's BuiltinOperator; else -1 */
    uint8_t refused_layer; /* the operator at which a refusal arose, from 0 */

    /* The rest is its own. */
    uint8_t layers_n;
    uint16_t buffer_size[2]; /* layer i leaves its result in buffer i & 1, the last one in the caller's */
    uint32_t multipliers_n;
    struct flatbuffer file;
    struct flatbuffer_vector codes, buffers, tensors, operators;
    struct direct_layer *layers; /* in the caller's memory, as the buffers are */
    int8_t *buffer[2];
};

/* Reads and checks a whole file, which must stay where it is for as long as `d` is used. Needs no memory yet. */
enum direct_status direct_open(struct direct *d, const uint8_t *tflite, size_t size);

/* Bytes that direct_attach needs, exactly; after DIRECT_OK. */
size_t direct_memory_size(const struct direct *d);

/* Gives it memory, aligned as for a struct, which stays its own for as long as `d` is used. */
enum direct_status direct_attach(struct direct *d, void *memory, size_t size);

/* One inference: in[inputs] to out[outputs], which must not overlap. */
void direct_run(const struct direct *d, const int8_t *in, int8_t *out);

const char *direct_status_text(enum direct_status status);

/* The schema's name of a BuiltinOperator, such as "RESHAPE"; "UNKNOWN" for a number that it does not have. */
const char *direct_op_name(int32_t op);

#endif
