/* FULLY_CONNECTED: int8, one scale for the weights or one for each row, int32 bias or none. */
#include <stddef.h>

#include "dot.h"
#include "op.h"

static const uint8_t OPTIONS[] = {FLATBUFFER_U8 + 0 /* activation */,
                                  FLATBUFFER_UNUSED + FLATBUFFER_U8 + 1 /* format of weights */, FLATBUFFER_END};

enum { IN = 0, WEIGHTS = 1, BIAS = 2 };
enum { SCALE_TOLERANCE = 1 << 13 /* of 2^23 */ };

struct row {
    uint32_t twice; /* of the multiplier */
    int16_t right;  /* one less than it is shifted to the right; below 0: ~(that to the left) */
    uint16_t step;  /* rows from this to that of the next output: 0 if there is one for all */
};

struct fully_connected {
    const int8_t *weights; /* [outputs][inputs] */
    const uint8_t *bias;   /* [outputs] int32, little-endian, unaligned; NULL: none */
    uint16_t inputs;
    uint16_t outputs;
    int8_t input_zero_point;
    int8_t output_zero_point;
    int8_t low; /* of the fused activation */
    int8_t high;
    struct row rows[1]; /* or as many as outputs */
};

/* Is the scale of a bias that of the products? The interpreter asks, where there is one scale for all weights, that
 * they differ by no more than a fiftieth of the output's: so they do if both are a 64th of it or less, or differ by
 * less than a thousandth of themselves, which is where larger ones are refused here. */
static bool bias_fits(uint32_t scale, uint32_t product, uint32_t output) {
    const uint32_t higher = scale > product ? scale : product; /* as bits, positive numbers have the same order */
    return higher <= output - (6 << 23) || scale - product + SCALE_TOLERANCE <= 2 * SCALE_TOLERANCE;
}

/* The multipliers; false if the weights' quantisation does not fit. `product` is the scale of products with one scale
 * for all weights. */
static bool read_rows(const struct op_read *r, struct row *row, uint32_t product, bool all) {
    const struct op_tensor *weights = r->in[WEIGHTS];
    const uint32_t rows_n = weights->scales.count;
    const bool several = rows_n > 1;
    if (weights->zero_point != 0 || (several && weights->dimension != 0)) {
        return false;
    }
    uint32_t i = 0;
    do {
        struct quantized_multiplier m;
        uint32_t a = product;
        uint32_t b = SCALE_ONE;
        if (several) {
            a = r->in[IN]->scale;
            b = flatbuffer_element(r->f, weights->scales, i);
        }
        if (!multiplier_of_scales(a, b, r->out->scale, &m)) {
            return false;
        }
        row->twice = (uint32_t)m.multiplier * 2;
        row->right = (int16_t)~m.shift;
        row->step = several;
        row += all;
    } while (++i != rows_n);
    return true;
}

/* Works out all parameters, those of each row where `all`. */
static enum network_status read_layer(struct op_read *r, struct fully_connected *p, bool all) {
    const struct op_tensor *in = r->in[IN];
    const struct op_tensor *weights = r->in[WEIGHTS];
    const struct op_tensor *out = r->out;
    if (r->in[WEIGHTS] == NULL || in->values != NULL || weights->values == NULL) {
        return NETWORK_GRAPH;
    }
    if ((in->type & weights->type & out->type) != OP_INT8) { /* whose bits no other type has */
        return NETWORK_TYPE;
    }
    p->inputs = (uint16_t)in->elements;
    p->outputs = (uint16_t)out->elements;
    if ((in->elements | out->elements) > UINT16_MAX) {
        return NETWORK_TOO_LARGE;
    }
    if (weights->sizes.count != 2 || weights->shape[1] != in->elements || weights->shape[0] != out->elements) {
        return NETWORK_SHAPE;
    }
    p->input_zero_point = (int8_t)in->zero_point;
    p->output_zero_point = (int8_t)out->zero_point;
    p->weights = (const int8_t *)weights->values;
    p->bias = NULL;
    const uint32_t product = single_product(in->scale, weights->scale);
    const struct op_tensor *bias = r->in[BIAS];
    const uint32_t rows_n = weights->scales.count;
    if (bias != NULL) {
        if (bias->type != OP_INT32) {
            return NETWORK_TYPE;
        }
        if (bias->elements != out->elements || bias->values == NULL) {
            return NETWORK_SHAPE;
        }
        if (rows_n == 1 && !bias_fits(bias->scale, product, out->scale)) {
            return NETWORK_QUANTIZATION;
        }
        p->bias = bias->values;
    }
    r->need.scratch = dot_size(in->elements);
    r->need.parameters = (uint32_t)(sizeof *p + (rows_n - 1) * sizeof(struct row));
    if (!read_rows(r, p->rows, product, all)) {
        return NETWORK_QUANTIZATION;
    }
    uint32_t activation;
    flatbuffer_read(r->f, r->options, OPTIONS, &activation);
    return op_activation_range(r, activation, &p->low, &p->high);
}

static enum network_status check(struct op_read *r) {
    struct fully_connected layer;
    return read_layer(r, &layer, false);
}

static void prepare(struct op_read *r, void *parameters) {
    (void)read_layer(r, parameters, true);
}

/* From sums of products to outputs: `n` rows from `at` on. Sums wrap, as the interpreter's do. */
static __attribute__((noinline)) void finish(const struct fully_connected *p, uint32_t at, const int32_t *sums,
                                             int8_t *restrict out, uint32_t n) {
    const uint32_t step = p->rows[0].step;
    const struct row *row = p->rows + at * step;
    const uint8_t *bias = p->bias == NULL ? NULL : p->bias + 4 * at;
    const int32_t zero_point = p->output_zero_point;
    const bool narrow = p->high - p->low != INT8_MAX - INT8_MIN;
    const int8_t *end = out + n;
    do {
        int32_t x = *sums++;
        int32_t y;
        if (bias != NULL) {
            x = (int32_t)((uint32_t)x + little_u32(bias));
            bias += 4;
        }
        if (row->right >= 0) {
            /* As shift_right does, and the zero point added in its last step. */
            x = multiply_high(x, row->twice);
            x = (x - (x < 0)) >> row->right;
            y = 2 * zero_point + 1;
        } else {
            x = multiply_high((int32_t)((uint32_t)x << ~row->right), row->twice);
            x = (int32_t)((uint32_t)x + (uint32_t)zero_point);
            y = x;
        }
        y = half_sum_int8(x, y);
        row += step;
        if (narrow) {
            y = y < p->low ? p->low : y > p->high ? p->high : y;
        }
        *out++ = (int8_t)y;
    } while (out != end);
}

/* The last rows may be multiplied twice, and where there are few of them, one DOT_ROWS times. */
static void run(const void *parameters, const struct op_buffers *b) {
    const struct fully_connected *p = parameters;
    const uint32_t inputs = p->inputs;
    const uint32_t together = p->outputs < DOT_ROWS ? 1 : DOT_ROWS;
    const uint32_t last = p->outputs - together;
    int8_t *out = b->out;
    dot_unpack(b->scratch, b->in[0], inputs, p->input_zero_point);
    for (uint32_t at = 0;; at = at + together < last ? at + together : last) {
        int32_t sums[DOT_ROWS];
        dot_rows(p->weights + at * inputs, together == 1 ? 0 : inputs, b->scratch, inputs, sums);
        finish(p, at, sums, out + at, together);
        if (at == last) {
            return;
        }
    }
}

const struct op_kind op_fully_connected = {9, 8, check, prepare, run};
