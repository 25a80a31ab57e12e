/* MEAN over height and width of an image, its axes kept or dropped. Other axes are refused. */
#include "op.h"
#include "op_math.h"

enum { OPTIONS_KEEP = 0, VALUES_MAX = 1 << 23 /* so many values less a zero point add up in an int32 */ };

struct mean {
    struct quantized_multiplier multiplier; /* from a sum to the output: 1 / pixels is part of it */
    uint32_t batches;
    uint32_t pixels;
    uint32_t channels;
    int16_t input_zero_point;
    int16_t output_zero_point;
};

static bool axes_are_height_and_width(const struct op_read *r) {
    const struct op_tensor *axes = r->in[1];
    uint32_t seen = 0;
    for (uint32_t i = 0; i < axes->elements && i < 2; i++) {
        const int32_t axis = op_int32(axes, i);
        seen |= axis == 1 || axis == -3 ? 1u : axis == 2 || axis == -2 ? 2u : 4u;
    }
    return axes->elements == 2 && seen == 3;
}

static bool shapes_fit(const struct op_read *r) {
    const struct op_tensor *in = r->in[0];
    const struct op_tensor *out = r->out;
    const bool keep = flatbuffer_field_u8(r->f, r->options, OPTIONS_KEEP, 0) != 0;
    return in->sizes.count == 4 && out->sizes.count == (keep ? 4 : 2) && out->shape[0] == in->shape[0] &&
           out->shape[keep ? 3 : 1] == in->shape[3] && out->elements == in->shape[0] * in->shape[3];
}

static uint32_t quotient_of(uint32_t x, uint32_t shift, uint32_t divisor) {
    uint32_t rest = 0;
    uint32_t quotient = 0;
    for (uint32_t i = 32 + shift; i-- > 0;) {
        rest = 2 * rest + (i >= shift ? x >> (i - shift) & 1 : 0);
        quotient = 2 * quotient + (rest >= divisor);
        rest = rest >= divisor ? rest - divisor : rest;
    }
    return quotient;
}

/* The interpreter divides the multiplier by the number of pixels, with as many bits to spare as that number has. */
static bool multiplier_of_mean(const struct op_read *r, struct quantized_multiplier *m) {
    const uint32_t pixels = r->in[0]->shape[1] * r->in[0]->shape[2];
    if (!multiplier_of_ratio(r->in[0]->scale, r->out->scale, m)) {
        return false;
    }
    uint32_t bits = 0;
    while (pixels >> (bits + 1) != 0) {
        bits++;
    }
    const uint32_t most = m->shift < -31 ? 0 : (uint32_t)(31 + m->shift);
    bits = bits < most ? bits : most;
    m->multiplier = (int32_t)quotient_of((uint32_t)m->multiplier, bits, pixels);
    m->shift -= (int32_t)bits;
    return true;
}

static enum network_status check(struct op_read *r) {
    struct quantized_multiplier unused;
    const struct op_tensor *in = r->in[0];
    if (r->inputs.count != 2 || r->in[1] == NULL || in->values != NULL || r->in[1]->values == NULL) {
        return NETWORK_GRAPH;
    }
    if (in->type != OP_INT8 || r->out->type != OP_INT8 || r->in[1]->type != OP_INT32) {
        return NETWORK_TYPE;
    }
    if (!shapes_fit(r)) {
        return NETWORK_SHAPE;
    }
    if (!axes_are_height_and_width(r)) {
        return NETWORK_OPTIONS;
    }
    r->need.parameters = sizeof(struct mean);
    if (in->elements > VALUES_MAX) {
        return NETWORK_TOO_LARGE;
    }
    return multiplier_of_mean(r, &unused) ? NETWORK_OK : NETWORK_QUANTIZATION;
}

static void prepare(struct op_read *r, void *parameters) {
    struct mean *p = parameters;
    const struct op_tensor *in = r->in[0];
    (void)multiplier_of_mean(r, &p->multiplier);
    p->batches = in->shape[0];
    p->pixels = in->shape[1] * in->shape[2];
    p->channels = in->shape[3];
    p->input_zero_point = (int16_t)in->zero_point;
    p->output_zero_point = (int16_t)r->out->zero_point;
}

static void run(const void *parameters, const struct op_buffers *b) {
    const struct mean *p = parameters;
    const int8_t *image = b->in[0];
    int8_t *out = b->out;
    for (uint32_t batch = 0; batch < p->batches; batch++, image += p->pixels * p->channels) {
        for (uint32_t channel = 0; channel < p->channels; channel++) {
            int32_t sum = 0;
            for (uint32_t i = 0; i < p->pixels; i++) {
                sum += image[i * p->channels + channel];
            }
            sum -= (int32_t)p->pixels * p->input_zero_point;
            *out++ = clamp(rescale(sum, p->multiplier, p->output_zero_point), INT8_MIN, INT8_MAX);
        }
    }
}

const struct op_kind op_mean = {.builtin = 40, .options_type = 27, .check = check, .prepare = prepare, .run = run};
