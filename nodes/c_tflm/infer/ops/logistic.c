/* LOGISTIC: 1 / (1 + exp(-x)). */
#include "fixed_exp.h"
#include "op_math.h"
#include "op_unary.h"

enum { INPUT_BITS = 4 }; /* before the point: inputs are Q4 */

struct logistic {
    struct quantized_multiplier multiplier; /* to Q4 */
    int32_t radius;                         /* from here on it is 0 or 1 */
    int32_t zero_point;
    uint32_t elements;
};

/* False for a scale so small that the interpreter has no multiplier for it. */
static bool read_multiplier(const struct op_read *r, struct logistic *p) {
    const uint32_t unit = scale_times_power(SCALE_ONE, INPUT_BITS - 31);
    if (!multiplier_of_ratio(r->in[0]->scale, unit, &p->multiplier)) {
        p->radius = 0; /* one step is eight or more */
        return true;
    }
    if (p->multiplier.shift == SHIFT_MIN) {
        p->multiplier = (struct quantized_multiplier){0, 0};
    }
    const int32_t shift = p->multiplier.shift;
    p->radius = shift < 0 ? 0 : (int32_t)(((UINT32_C(1) << INPUT_BITS) - 1) << (31 - INPUT_BITS) >> shift);
    return shift >= 0;
}

static enum network_status check(struct op_read *r) {
    struct logistic unused;
    const enum network_status status = op_unary_check(r, OP_INT8, OP_INT8);
    r->need.parameters = sizeof(struct logistic);
    r->need.in_place = true;
    if (status != NETWORK_OK) {
        return status;
    }
    return op_unary_gives_fractions(r) && read_multiplier(r, &unused) ? NETWORK_OK : NETWORK_QUANTIZATION;
}

static void prepare(struct op_read *r, void *parameters) {
    struct logistic *p = parameters;
    (void)read_multiplier(r, p);
    p->zero_point = r->in[0]->zero_point;
    p->elements = r->in[0]->elements;
}

/* Of x as Q4, as Q0. */
static int32_t logistic_of(int32_t x) {
    if (x == 0) {
        return 1 << 30;
    }
    const int32_t positive = fixed_one_over_one_plus(fixed_exp(x > 0 ? -x : x, INPUT_BITS));
    return x > 0 ? positive : INT32_MAX - positive;
}

static void run(const void *parameters, const struct op_buffers *b) {
    const struct logistic *p = parameters;
    const int8_t *in = b->in[0];
    int8_t *out = b->out;
    for (uint32_t i = 0; i < p->elements; i++) {
        const int32_t x = in[i] - p->zero_point;
        if (x <= -p->radius) {
            out[i] = INT8_MIN;
        } else if (x >= p->radius) {
            out[i] = INT8_MAX;
        } else {
            const int32_t y = fixed_divide_by_power(logistic_of(multiply_twice_rounded(x, p->multiplier)), 23);
            out[i] = clamp(y + INT8_MIN, INT8_MIN, INT8_MAX);
        }
    }
}

const struct op_kind op_logistic = {.builtin = 14, .options_type = 0, .check = check, .prepare = prepare, .run = run};
