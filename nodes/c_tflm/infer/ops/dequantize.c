/* DEQUANTIZE: int8 to float32, put together as integers: the node has no floating point. */
#include <string.h>

#include "op_unary.h"

struct dequantize {
    uint32_t scale;
    int32_t zero_point;
    uint32_t elements;
};

static enum network_status check(struct op_read *r) {
    r->need.parameters = sizeof(struct dequantize);
    return op_unary_check(r, OP_INT8, OP_FLOAT32);
}

static void prepare(struct op_read *r, void *parameters) {
    struct dequantize *p = parameters;
    p->scale = r->in[0]->scale;
    p->zero_point = r->in[0]->zero_point;
    p->elements = r->in[0]->elements;
}

/* scale * steps in single precision, to even at a tie. */
static uint32_t product(uint32_t scale, int32_t steps) {
    if (steps == 0) {
        return 0;
    }
    const uint32_t sign = steps < 0 ? UINT32_C(1) << 31 : 0;
    uint32_t exponent = scale >> 23;
    uint32_t mantissa = ((scale & 0x7FFFFF) | 0x800000) * (uint32_t)(steps < 0 ? -steps : steps); /* 24 + 8 bits */
    uint32_t drop = 0;
    while (mantissa >> drop > 0xFFFFFF) {
        drop++;
    }
    if (drop != 0) {
        const uint32_t half = UINT32_C(1) << (drop - 1);
        const uint32_t rest = mantissa & (2 * half - 1);
        mantissa >>= drop;
        mantissa += rest > half || (rest == half && (mantissa & 1) != 0);
    }
    /* The leading bit counts in the exponent; a carry of the rounding goes there by itself. */
    exponent += drop;
    return sign + (exponent << 23) + (mantissa - 0x800000);
}

static void run(const void *parameters, const struct op_buffers *b) {
    const struct dequantize *p = parameters;
    const int8_t *in = b->in[0];
    uint8_t *out = b->out;
    for (uint32_t i = 0; i < p->elements; i++) {
        const uint32_t value = product(p->scale, in[i] - p->zero_point);
        memcpy(out + 4 * (size_t)i, &value, sizeof value);
    }
}

const struct op_kind op_dequantize = {.builtin = 6, .options_type = 0, .check = check, .prepare = prepare, .run = run};
