#include "op_filter.h"

#include "op_math.h"

enum { INPUT = 0, WEIGHTS = 1, BIAS = 2 };

static bool has_bias(const struct op_read *r) {
    return r->in[BIAS] != NULL;
}

static enum network_status check_constants(const struct op_read *r, uint32_t dimension) {
    const struct op_tensor *weights = r->in[WEIGHTS];
    const struct op_tensor *bias = r->in[BIAS];
    const uint32_t channels = r->out->shape[3];
    if (weights->type != OP_INT8 || (has_bias(r) && bias->type != OP_INT32)) {
        return NETWORK_TYPE;
    }
    if (weights->values == NULL || (has_bias(r) && bias->values == NULL)) {
        return NETWORK_GRAPH;
    }
    if (weights->sizes.count != 4 || weights->shape[dimension] != channels ||
        (has_bias(r) && bias->elements != channels)) {
        return NETWORK_SHAPE;
    }
    if (weights->zero_point != 0 || (weights->scales.count > 1 && weights->dimension != dimension)) {
        return NETWORK_QUANTIZATION;
    }
    return NETWORK_OK;
}

/* One multiplier takes the place of many equal ones; more than its scales demand it never needs. */
static uint32_t multipliers_n(const struct op_read *r) {
    return r->in[WEIGHTS]->scales.count;
}

enum network_status op_filter_check(struct op_read *r, uint32_t dimension, const struct op_filter_fields *fields) {
    const struct op_tensor *weights = r->in[WEIGHTS];
    struct op_axis axis[2];
    int8_t low, high;
    if (r->in[WEIGHTS] == NULL || r->in[INPUT]->values != NULL) {
        return NETWORK_GRAPH;
    }
    enum network_status status = op_window_read(r, weights->shape[1], weights->shape[2], fields->dilation, axis);
    if (status == NETWORK_OK) {
        status = check_constants(r, dimension);
    }
    if (status == NETWORK_OK) {
        status = op_activation_range(r, flatbuffer_field_u8(r->f, r->options, fields->activation, 0), &low, &high);
    }
    if (status == NETWORK_OK && !op_row_multipliers(r, weights, NULL)) {
        status = NETWORK_QUANTIZATION;
    }
    r->need.parameters = (uint32_t)(sizeof(struct op_filter) + multipliers_n(r) * sizeof(struct quantized_multiplier));
    return status;
}

void op_filter_prepare(struct op_read *r, struct op_filter *p, const struct op_filter_fields *fields) {
    const struct op_tensor *weights = r->in[WEIGHTS];
    p->weights = (const int8_t *)weights->values;
    p->bias = has_bias(r) ? r->in[BIAS]->values : NULL;
    (void)op_window_read(r, weights->shape[1], weights->shape[2], fields->dilation, p->axis);
    p->batches = r->in[INPUT]->shape[0];
    p->in_channels = r->in[INPUT]->shape[3];
    p->out_channels = r->out->shape[3];
    p->input_zero_point = (int16_t)r->in[INPUT]->zero_point;
    p->output_zero_point = (int16_t)r->out->zero_point;
    (void)op_activation_range(r, flatbuffer_field_u8(r->f, r->options, fields->activation, 0), &p->low, &p->high);
    p->per_channel = multipliers_n(r) > 1;
    (void)op_row_multipliers(r, weights, p->multipliers);
}

void op_filter_finish(const struct op_filter *p, const int32_t *sums, int8_t *out) {
    const uint8_t *bias = p->bias;
    const struct quantized_multiplier *m = p->multipliers;
    const uint32_t step = p->per_channel, zero_point = (uint32_t)(int32_t)p->output_zero_point;
    const int32_t low = p->low, high = p->high;
    for (uint32_t n = p->out_channels; n != 0; n--, m += step) {
        uint32_t sum = (uint32_t)*sums++;
        if (bias != NULL) {
            sum += little_u32(bias); /* wraps, as the interpreter's does */
            bias += 4;
        }
        sum = (uint32_t)multiply_here((int32_t)sum, *m) + zero_point;
        *out++ = clamp((int32_t)sum, low, high);
    }
}
