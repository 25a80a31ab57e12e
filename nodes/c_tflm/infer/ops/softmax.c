/* SOFTMAX over the last axis: exp of each value's distance from the largest, divided by the sum of them all. Values so
 * far below the largest that they would not show are left out. */
#include "fixed_exp.h"
#include "op_math.h"
#include "op_unary.h"

enum { OPTIONS_BETA = 0 };
enum { DISTANCE_BITS = 5, SUM_BITS = 12 }; /* before the point: distances are Q5, sums Q12 */
enum { VALUES_MAX = (1 << SUM_BITS) - 1 };

struct softmax {
    int32_t multiplier; /* a distance << shift times this is Q5 */
    int32_t shift;
    int32_t least; /* distance that still counts */
    uint32_t rows;
    uint32_t values;
};

/* beta * scale in units of Q5; false if it is less than one of them. */
static bool read_multiplier(const struct op_read *r, struct softmax *p) {
    const uint32_t beta = flatbuffer_field_u32(r->f, r->options, OPTIONS_BETA, 0);
    const uint32_t unit = scale_times_power(SCALE_ONE, DISTANCE_BITS - 31);
    struct quantized_multiplier m;
    if (!scale_is_usable(beta)) {
        return false;
    }
    if (!multiplier_of_scales(r->in[0]->scale, beta, unit, &m)) {
        m.multiplier = INT32_MAX; /* so steep that the largest value alone counts */
        m.shift = 31;
    }
    p->multiplier = m.multiplier;
    p->shift = m.shift;
    p->least = m.shift < 1 ? 0 : -(int32_t)(((UINT32_C(1) << DISTANCE_BITS) - 1) << (31 - DISTANCE_BITS) >> m.shift);
    return m.shift >= 1;
}

static enum network_status check(struct op_read *r) {
    const struct op_tensor *in = r->in[0];
    const struct op_tensor *out = r->out;
    struct softmax unused;
    const enum network_status status = op_unary_check(r, OP_INT8, OP_INT8);
    if (status != NETWORK_OK) {
        return status;
    }
    if (in->sizes.count == 0 || in->sizes.count != out->sizes.count ||
        in->shape[in->sizes.count - 1] != out->shape[in->sizes.count - 1]) {
        return NETWORK_SHAPE;
    }
    if (!op_unary_gives_fractions(r)) {
        return NETWORK_QUANTIZATION;
    }
    r->need.parameters = sizeof(struct softmax);
    r->need.in_place = true;
    if (in->shape[in->sizes.count - 1] > VALUES_MAX) {
        return NETWORK_TOO_LARGE;
    }
    return read_multiplier(r, &unused) ? NETWORK_OK : NETWORK_OPTIONS;
}

static void prepare(struct op_read *r, void *parameters) {
    struct softmax *p = parameters;
    (void)read_multiplier(r, p);
    p->values = r->in[0]->shape[r->in[0]->sizes.count - 1];
    p->rows = r->in[0]->elements / p->values;
}

/* As Q0. */
static int32_t exp_of(const struct softmax *p, int32_t distance) {
    return fixed_exp(fixed_product((int32_t)((uint32_t)distance << p->shift), p->multiplier), DISTANCE_BITS);
}

static void run_row(const struct softmax *p, const int8_t *in, int8_t *out) {
    int32_t most = INT8_MIN;
    for (uint32_t i = 0; i < p->values; i++) {
        most = in[i] > most ? in[i] : most;
    }
    int32_t sum = 0;
    for (uint32_t i = 0; i < p->values; i++) {
        const int32_t distance = in[i] - most;
        sum += distance < p->least ? 0 : fixed_divide_by_power(exp_of(p, distance), SUM_BITS);
    }
    /* The sum is at least 1.0, for the largest value is in it: 1.x * 2^bits. */
    uint32_t bits = 0;
    while (sum >> (31 - SUM_BITS + bits + 1) != 0) {
        bits++;
    }
    const int32_t one_over =
        fixed_one_over_one_plus((int32_t)(((uint32_t)sum << (SUM_BITS - bits)) - (UINT32_C(1) << 31)));
    for (uint32_t i = 0; i < p->values; i++) {
        const int32_t distance = in[i] - most;
        int32_t x = 0;
        if (distance >= p->least) {
            x = fixed_divide_by_power(fixed_product(one_over, exp_of(p, distance)), bits + 23);
        }
        out[i] = clamp(x + INT8_MIN, INT8_MIN, INT8_MAX);
    }
}

static void run(const void *parameters, const struct op_buffers *b) {
    const struct softmax *p = parameters;
    const int8_t *in = b->in[0];
    int8_t *out = b->out;
    for (uint32_t i = 0; i < p->rows; i++, in += p->values, out += p->values) {
        run_row(p, in, out);
    }
}

const struct op_kind op_softmax = {.builtin = 25, .options_type = 9, .check = check, .prepare = prepare, .run = run};
