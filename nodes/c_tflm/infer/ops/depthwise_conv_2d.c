/* DEPTHWISE_CONV_2D: each channel of the image gives `multiplier` channels of the output, and no other takes part. */
#include <string.h>

#include "op_filter.h"

enum { PRODUCTS_MAX = 65535 }; /* of at most 255 * 128 fit in an int32 */
enum { OPTIONS_MULTIPLIER = 3 };

static const struct op_filter_fields fields = {.activation = 4, .dilation = 5};

static enum network_status check(struct op_read *r) {
    const enum network_status status = op_filter_check(r, 3, &fields);
    if (status != NETWORK_OK) {
        return status;
    }
    const struct op_tensor *weights = r->in[1];
    const uint32_t multiplier = weights->shape[3] / r->in[0]->shape[3];
    if (weights->shape[0] != 1 || weights->shape[3] % r->in[0]->shape[3] != 0 ||
        multiplier != flatbuffer_field_u32(r->f, r->options, OPTIONS_MULTIPLIER, 0)) {
        return NETWORK_SHAPE;
    }
    r->need.scratch = r->out->shape[3] * (uint32_t)sizeof(int32_t);
    return weights->shape[1] * weights->shape[2] <= PRODUCTS_MAX ? NETWORK_OK : NETWORK_TOO_LARGE;
}

static void prepare(struct op_read *r, void *parameters) {
    op_filter_prepare(r, parameters, &fields);
}

/* One tap where each channel of the image has one of the output. The hot loop: four steps at once, of few variables. */
static void add_products(int32_t *sums, const int8_t *pixel, const int8_t *weights, uint32_t n, int32_t zero_point) {
    for (; n >= 4; n -= 4, sums += 4, pixel += 4, weights += 4) {
        sums[0] += weights[0] * (pixel[0] - zero_point);
        sums[1] += weights[1] * (pixel[1] - zero_point);
        sums[2] += weights[2] * (pixel[2] - zero_point);
        sums[3] += weights[3] * (pixel[3] - zero_point);
    }
    for (; n != 0; n--) {
        *sums++ += *weights++ * (*pixel++ - zero_point);
    }
}

/* One tap where it has several: one value times `n` weights. */
static void add_multiples(int32_t *sums, int32_t value, const int8_t *weights, uint32_t n) {
    for (; n != 0; n--) {
        *sums++ += *weights++ * value;
    }
}

static void add_tap(const struct op_filter *p, int32_t *sums, const int8_t *pixel, const int8_t *weights) {
    const uint32_t n = p->in_channels;
    if (p->out_channels == n) {
        add_products(sums, pixel, weights, n, p->input_zero_point);
        return;
    }
    const uint32_t multiplier = p->out_channels / n;
    for (uint32_t i = 0; i < n; i++, sums += multiplier, weights += multiplier) {
        add_multiples(sums, pixel[i] - p->input_zero_point, weights, multiplier);
    }
}

static void run_position(const struct op_filter *p, const int8_t *image, uint32_t out_y, uint32_t out_x,
                         int32_t *sums) {
    const struct op_span y = op_axis_span(&p->axis[0], out_y);
    const struct op_span x = op_axis_span(&p->axis[1], out_x);
    const struct op_axis *width = &p->axis[1];
    for (uint32_t i = y.first; i < y.end; i++) {
        const uint32_t row = y.at + (i - y.first) * p->axis[0].dilation;
        for (uint32_t j = x.first; j < x.end; j++) {
            const uint32_t column = x.at + (j - x.first) * width->dilation;
            add_tap(p, sums, image + (row * width->in + column) * p->in_channels,
                    p->weights + (i * width->taps + j) * p->out_channels);
        }
    }
}

static void run(const void *parameters, const struct op_buffers *b) {
    const struct op_filter *p = parameters;
    const int8_t *image = b->in[0];
    int8_t *out = b->out;
    for (uint32_t batch = 0; batch < p->batches; batch++) {
        for (uint32_t y = 0; y < p->axis[0].out; y++) {
            for (uint32_t x = 0; x < p->axis[1].out; x++, out += p->out_channels) {
                memset(b->scratch, 0, p->out_channels * sizeof(int32_t));
                run_position(p, image, y, x, b->scratch);
                op_filter_finish(p, b->scratch, out);
            }
        }
        image += (uint32_t)p->axis[0].in * p->axis[1].in * p->in_channels;
    }
}

const struct op_kind op_depthwise_conv_2d = {
    .builtin = 4, .options_type = 2, .check = check, .prepare = prepare, .run = run};
