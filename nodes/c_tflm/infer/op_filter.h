/* What CONV_2D and DEPTHWISE_CONV_2D have in common: an image, weights and biases, a multiplier for each channel. */
#ifndef STETHOS_OP_FILTER_H
#define STETHOS_OP_FILTER_H

#include "op_window.h"

/* The parameters of both. */
struct op_filter {
    const int8_t *weights;
    const uint8_t *bias; /* int32, little-endian, unaligned; NULL: none */
    struct op_axis axis[2];
    uint32_t batches;
    uint32_t in_channels;
    uint32_t out_channels;
    int16_t input_zero_point;
    int16_t output_zero_point;
    int8_t low; /* of the fused activation */
    int8_t high;
    uint32_t per_channel;                      /* 1: a multiplier for each channel of the output; 0: one */
    struct quantized_multiplier multipliers[]; /* one or out_channels */
};

/* Fields of the options, which differ. */
struct op_filter_fields {
    uint16_t activation;
    uint16_t dilation; /* of the width; that of the height follows */
};

/* Checks all but how the weights' channels belong to the image's. `dimension` is that of the weights which holds the
 * channels of the output. `r->need.parameters` is set. */
enum network_status op_filter_check(struct op_read *r, uint32_t dimension, const struct op_filter_fields *fields);

void op_filter_prepare(struct op_read *r, struct op_filter *p, const struct op_filter_fields *fields);

/* From the sums of products of one position to its values of the output, channel by channel. */
void op_filter_finish(const struct op_filter *p, const int32_t *sums, int8_t *out);

#endif
