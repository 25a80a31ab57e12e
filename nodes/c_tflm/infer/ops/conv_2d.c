/* CONV_2D: the pixels under the window are laid side by side and unpacked once for each position; each channel of the
 * output is then one dot product. */
#include <string.h>

#include "dot.h"
#include "op_filter.h"

enum { PRODUCTS_MAX = 65535 }; /* of at most 255 * 128 fit in an int32 */

static const struct op_filter_fields fields = {.activation = 3, .dilation = 4};

static uint32_t window_size(const struct op_filter *p) {
    return (uint32_t)p->axis[0].taps * p->axis[1].taps * p->in_channels;
}

/* dot_rows writes so many behind the last channel, if there are few. */
static uint32_t sums_n(uint32_t channels) {
    return channels + DOT_ROWS - 1;
}

static enum network_status check(struct op_read *r) {
    const enum network_status status = op_filter_check(r, 0, &fields);
    if (status != NETWORK_OK) {
        return status;
    }
    const struct op_tensor *weights = r->in[1];
    if (weights->shape[3] != r->in[0]->shape[3]) {
        return NETWORK_SHAPE; /* convolution by groups among it */
    }
    const uint32_t n = weights->shape[1] * weights->shape[2] * weights->shape[3];
    r->need.scratch = 4 * sums_n(weights->shape[0]) + dot_size(n) + n;
    return n <= PRODUCTS_MAX ? NETWORK_OK : NETWORK_TOO_LARGE;
}

static void prepare(struct op_read *r, void *parameters) {
    op_filter_prepare(r, parameters, &fields);
}

/* The pixels under the window, side by side. What lies outside the image is what the zero point stands for. */
static void gather(const struct op_filter *p, const int8_t *image, uint32_t out_y, uint32_t out_x, int8_t *to) {
    const struct op_span y = op_axis_span(&p->axis[0], out_y);
    const struct op_span x = op_axis_span(&p->axis[1], out_x);
    const struct op_axis *width = &p->axis[1];
    const uint32_t n = p->in_channels;
    const uint32_t together = width->dilation == 1 ? x.end - x.first : 1; /* pixels that are neighbours */
    memset(to, p->input_zero_point, window_size(p));
    for (uint32_t i = y.first; i < y.end; i++) {
        const uint32_t row = y.at + (i - y.first) * p->axis[0].dilation;
        for (uint32_t j = x.first; j < x.end; j += together) {
            const uint32_t column = x.at + (j - x.first) * width->dilation;
            memcpy(to + (i * width->taps + j) * n, image + (row * width->in + column) * n, together * n);
        }
    }
}

/* All channels of one position. The last rows of weights may be multiplied twice, or a row DOT_ROWS times. */
static void multiply(const struct op_filter *p, const int16_t *window, int32_t *sums) {
    const uint32_t n = window_size(p);
    const uint32_t last = p->out_channels < DOT_ROWS ? p->out_channels - 1 : p->out_channels - DOT_ROWS;
    const uint32_t rows = p->out_channels < DOT_ROWS ? 1 : DOT_ROWS;
    for (uint32_t channel = 0;; channel = channel + rows < last ? channel + rows : last) {
        dot_rows(p->weights + channel * n, rows == 1 ? 0 : n, window, n, sums + channel);
        if (channel == last) {
            return;
        }
    }
}

static void run(const void *parameters, const struct op_buffers *b) {
    const struct op_filter *p = parameters;
    const uint32_t n = window_size(p);
    const int8_t *image = b->in[0];
    int8_t *out = b->out;
    int32_t *sums = b->scratch;
    int16_t *window = (int16_t *)(sums + sums_n(p->out_channels));
    int8_t *gathered = (int8_t *)window + dot_size(n);
    for (uint32_t batch = 0; batch < p->batches; batch++) {
        for (uint32_t y = 0; y < p->axis[0].out; y++) {
            for (uint32_t x = 0; x < p->axis[1].out; x++, out += p->out_channels) {
                gather(p, image, y, x, gathered);
                dot_unpack(window, gathered, n, p->input_zero_point);
                multiply(p, window, sums);
                op_filter_finish(p, sums, out);
            }
        }
        image += (uint32_t)p->axis[0].in * p->axis[1].in * p->in_channels;
    }
}

const struct op_kind op_conv_2d = {.builtin = 3, .options_type = 1, .check = check, .prepare = prepare, .run = run};
