/* FULLY_CONNECTED: int8, one scale for the weights or one for each row, int32 bias or none. */
#include "dot.h"
#include "op.h"

static const uint8_t OPTIONS[] = {FLATBUFFER_U8 | 0 /* activation */, FLATBUFFER_U8 | 1 /* format of weights */};

enum { IN = 0, WEIGHTS = 1, BIAS = 2 };
enum { SCALE_TOLERANCE = 1 << 13 /* of 2^23 */ };

struct fully_connected {
    const int8_t *weights; /* [outputs][inputs] */
    const uint8_t *bias;   /* [outputs] int32, little-endian, unaligned; NULL: none */
    union {
        int32_t one;
        const struct quantized_multiplier *rows; /* behind this struct */
    } multiplier;
    uint16_t inputs;
    uint16_t outputs;
    int8_t shift; /* of the one multiplier */
    bool per_row;
    int8_t input_zero_point;
    int8_t output_zero_point;
    int8_t low; /* of the fused activation */
    int8_t high;
};

/* Their scale has to be that of the products, which the interpreter holds to a fiftieth of an output, and only where
 * there is one scale for all weights; here it is a thousandth of itself. */
static bool bias_fits(const struct op_read *r) {
    const uint32_t expected = single_product(r->in[IN].scale, r->in[WEIGHTS].scale);
    return r->in[WEIGHTS].scales.count > 1 || r->in[BIAS].scale - expected + SCALE_TOLERANCE <= 2 * SCALE_TOLERANCE;
}

/* Works out all parameters but those of each row. */
static enum network_status read_layer(struct op_read *r, struct fully_connected *p) {
    const struct op_tensor *in = &r->in[IN];
    const struct op_tensor *weights = &r->in[WEIGHTS];
    const struct op_tensor *out = &r->out[0];
    if (r->inputs_n > 3 || !r->has_in[WEIGHTS] || in->data.count != 0 || weights->data.count == 0) {
        return NETWORK_GRAPH;
    }
    if (in->type != OP_INT8 || weights->type != OP_INT8 || out->type != OP_INT8) {
        return NETWORK_TYPE;
    }
    p->inputs = (uint16_t)in->elements;
    p->outputs = (uint16_t)out->elements;
    if (in->elements != p->inputs || out->elements != p->outputs) {
        return NETWORK_TOO_LARGE;
    }
    if (weights->rank != 2 || weights->shape[1] != p->inputs || weights->shape[0] != p->outputs) {
        return NETWORK_SHAPE;
    }
    p->per_row = weights->scales.count > 1;
    struct quantized_multiplier one;
    if (weights->zero_point != 0 || (p->per_row && weights->dimension != 0) ||
        !multiplier_of_scales(in->scale, weights->scale, out->scale, false, &one)) {
        return NETWORK_QUANTIZATION;
    }
    p->multiplier.one = one.multiplier;
    p->shift = (int8_t)one.shift;
    p->input_zero_point = (int8_t)in->zero_point;
    p->output_zero_point = (int8_t)out->zero_point;
    p->weights = (const int8_t *)op_data(r, weights);
    p->bias = NULL;
    if (r->has_in[BIAS]) {
        const struct op_tensor *bias = &r->in[BIAS];
        p->bias = op_data(r, bias);
        if (bias->type != OP_INT32) {
            return NETWORK_TYPE;
        }
        if (bias->elements != p->outputs || bias->data.count == 0) {
            return NETWORK_SHAPE;
        }
        if (!bias_fits(r)) {
            return NETWORK_QUANTIZATION;
        }
    }
    struct {
        uint32_t activation, weights_format;
    } options;
    flatbuffer_read(r->f, r->options, OPTIONS, sizeof OPTIONS, &options);
    if (options.weights_format != 0) {
        return NETWORK_OPTIONS;
    }
    int16_t low, high;
    const enum network_status status = op_activation_range(r, (uint8_t)options.activation, &low, &high);
    if (status == NETWORK_OK) {
        p->low = (int8_t)low;
        p->high = (int8_t)high;
    }
    return status;
}

static enum network_status check(struct op_read *r, struct op_need *need) {
    struct fully_connected layer;
    const enum network_status status = read_layer(r, &layer);
    if (status != NETWORK_OK) {
        return status;
    }
    need->scratch = dot_size(layer.inputs);
    need->parameters = (uint32_t)sizeof layer;
    if (!layer.per_row) {
        return NETWORK_OK;
    }
    need->parameters += layer.outputs * (uint32_t)sizeof(struct quantized_multiplier);
    return op_row_multipliers(r, &r->in[WEIGHTS], NULL) ? NETWORK_OK : NETWORK_QUANTIZATION;
}

static void prepare(struct op_read *r, void *parameters) {
    struct fully_connected *p = parameters;
    (void)read_layer(r, p);
    if (p->per_row) {
        struct quantized_multiplier *rows = (struct quantized_multiplier *)(p + 1);
        (void)op_row_multipliers(r, &r->in[WEIGHTS], rows);
        p->multiplier.rows = rows;
    }
}

static inline int8_t clamped(const struct fully_connected *p, int32_t scaled) {
    const int32_t y = (int32_t)((uint32_t)scaled + (uint32_t)(int32_t)p->output_zero_point);
    const int32_t least = y < p->low ? p->low : y;
    return (int8_t)(least > p->high ? p->high : least);
}

/* From sums of products to outputs: `n` rows from `row` on. Sums wrap, as the interpreter's do. */
static __attribute__((noinline)) void finish(const struct fully_connected *p, const int32_t *sums, uint32_t row,
                                             int8_t *restrict out, uint32_t n) {
    const struct quantized_multiplier *m = p->per_row ? p->multiplier.rows + row : NULL;
    const uint8_t *bias = p->bias != NULL ? p->bias + 4 * row : NULL;
    int32_t multiplier = p->multiplier.one, shift = p->shift;
    const int8_t *end = out + n;
    if (p->bias != NULL && !p->per_row && shift < 0) { /* nearly always: a loop without questions */
        const int32_t right = ~shift;
        do {
            const int32_t high = multiply_high((int32_t)((uint32_t)*sums++ + little_u32(bias)), multiplier);
            bias += 4;
            *out++ = clamped(p, shift_right(high, right));
        } while (out != end);
        return;
    }
    do {
        uint32_t sum = (uint32_t)*sums++;
        if (p->bias != NULL) {
            sum += little_u32(bias);
            bias += 4;
        }
        if (p->per_row) {
            multiplier = m->multiplier;
            shift = m++->shift;
        }
        *out++ = clamped(p, multiply_twice_rounded((int32_t)sum, (struct quantized_multiplier){multiplier, shift}));
    } while (out != end);
}

static void run(const void *parameters, const struct op_buffers *b) {
    const struct fully_connected *p = parameters;
    const uint32_t inputs = p->inputs;
    int8_t *out = b->out;
    dot_unpack(b->scratch, b->in[0], inputs, p->input_zero_point);
    for (uint32_t row = 0; row < p->outputs;) {
        int32_t sums[DOT_ROWS];
        uint32_t first = row; /* of the rows multiplied */
        uint32_t stride = inputs;
        uint32_t next = row + DOT_ROWS;
        if (p->outputs < DOT_ROWS) {
            stride = 0;
            next = row + 1;
        } else if (next > p->outputs) {
            next = p->outputs;
            first = next - DOT_ROWS;
        }
        dot_rows(p->weights + first * inputs, stride, b->scratch, inputs, sums);
        finish(p, &sums[row - first], row, out + row, next - row);
        row = next;
    }
}

const struct op_kind op_fully_connected = {9, 8, check, prepare, run};
