/* QUANTIZE: float32 to int8, or int8 to int8 of another scale. Floats are taken apart as integers: the node has no
 * floating point. */
#include <string.h>

#include "op_math.h"
#include "op_unary.h"

struct quantize {
    struct quantized_multiplier multiplier; /* from int8 */
    uint32_t scale;                         /* from float32 */
    uint32_t elements;
    int16_t input_zero_point;
    int16_t output_zero_point;
    bool from_float;
};

static enum network_status check(struct op_read *r) {
    const struct op_tensor *in = r->in[0];
    const struct op_tensor *out = r->out;
    struct quantized_multiplier unused;
    const enum network_status status = op_unary_check(r, in->type == OP_FLOAT32 ? OP_FLOAT32 : OP_INT8, OP_INT8);
    if (status != NETWORK_OK) {
        return status;
    }
    r->need.parameters = sizeof(struct quantize);
    r->need.in_place = true; /* no value is written before it is read, though it shrinks */
    const bool fits = in->type == OP_FLOAT32 || multiplier_of_ratio(in->scale, out->scale, &unused);
    return fits ? NETWORK_OK : NETWORK_QUANTIZATION;
}

static void prepare(struct op_read *r, void *parameters) {
    struct quantize *p = parameters;
    p->from_float = r->in[0]->type == OP_FLOAT32;
    if (!p->from_float) {
        (void)multiplier_of_ratio(r->in[0]->scale, r->out->scale, &p->multiplier);
    }
    p->scale = r->out->scale;
    p->elements = r->out->elements;
    p->input_zero_point = (int16_t)r->in[0]->zero_point;
    p->output_zero_point = (int16_t)r->out->zero_point;
}

/* a / b in single precision, then rounded to a whole number half away from zero; for floats without sign, b a usable
 * scale. Saturates at 512, which is more than an int8 can be away from its zero point. */
static int32_t whole_quotient(uint32_t a, uint32_t b) {
    enum { MANTISSA = 0x7FFFFF, HIDDEN = 0x800000, MANY = 512 };
    int32_t exponent = (int32_t)(a >> 23) - (int32_t)(b >> 23);
    uint32_t rest = (a & MANTISSA) | HIDDEN;
    const uint32_t divisor = (b & MANTISSA) | HIDDEN;
    if (rest < divisor) {
        rest *= 2;
        exponent--;
    }
    if (exponent < -2) {
        return 0; /* numbers below the normal ones are among these */
    }
    if (exponent >= 9) {
        return MANY;
    }
    uint32_t quotient = 0; /* 25 bits: those of a single, and one to round by */
    for (uint32_t i = 0; i < 25; i++) {
        const bool fits = rest >= divisor;
        quotient = 2 * quotient + fits;
        rest = 2 * (fits ? rest - divisor : rest);
    }
    quotient = (quotient + 1) >> 1; /* never a tie: it would make `a` a number of more than 24 bits */
    const uint32_t shift = (uint32_t)(23 - exponent);
    return (int32_t)((quotient + (UINT32_C(1) << (shift - 1))) >> shift);
}

/* What is no number counts as 0. */
static int32_t quantized(uint32_t value, uint32_t scale) {
    const uint32_t magnitude = value & 0x7FFFFFFF;
    if (magnitude > 0x7F800000) {
        return 0;
    }
    const int32_t whole = whole_quotient(magnitude, scale);
    return (value >> 31) != 0 ? -whole : whole;
}

static void run(const void *parameters, const struct op_buffers *b) {
    const struct quantize *p = parameters;
    const uint8_t *in = b->in[0];
    int8_t *out = b->out;
    for (uint32_t i = 0; i < p->elements; i++) {
        int32_t x;
        if (p->from_float) {
            uint32_t value;
            memcpy(&value, in + 4 * (size_t)i, sizeof value);
            x = quantized(value, p->scale) + p->output_zero_point;
        } else {
            x = rescale((int8_t)in[i] - p->input_zero_point, p->multiplier, p->output_zero_point);
        }
        out[i] = clamp(x, INT8_MIN, INT8_MAX);
    }
}

const struct op_kind op_quantize = {.builtin = 114, .options_type = 0, .check = check, .prepare = prepare, .run = run};
