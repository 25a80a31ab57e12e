/* ADD: both inputs are brought to twice the larger of their scales with 20 bits to spare, added, and brought to the
 * scale of the output. An axis of size 1 stands for all sizes (broadcasting); a constant may be one of the inputs. */
#include "op.h"
#include "op_math.h"

enum { OPTIONS_ACTIVATION = 0, SPARE_BITS = 20 };

struct side {
    const int8_t *constant; /* NULL: an activation */
    struct quantized_multiplier multiplier;
    int32_t zero_point;
    uint32_t step[OP_RANK_MAX]; /* from one value to the next along each axis; 0 where it is repeated */
};

struct add {
    struct side side[2];
    struct quantized_multiplier multiplier;
    int32_t zero_point;
    uint32_t shape[OP_RANK_MAX];
    int8_t low; /* of the fused activation */
    int8_t high;
};

/* The axis `i` of four, of which a tensor of a lower rank has the last ones. */
static uint32_t size_along(const struct op_tensor *t, uint32_t i) {
    return i + t->sizes.count < OP_RANK_MAX ? 1 : t->shape[i + t->sizes.count - OP_RANK_MAX];
}

static enum network_status check_shapes(const struct op_read *r) {
    for (uint32_t i = 0; i < OP_RANK_MAX; i++) {
        const uint32_t a = size_along(r->in[0], i);
        const uint32_t b = size_along(r->in[1], i);
        if ((a != b && a != 1 && b != 1) || size_along(r->out, i) != (a > b ? a : b)) {
            return NETWORK_SHAPE;
        }
    }
    return NETWORK_OK;
}

static bool multipliers(const struct op_read *r, struct quantized_multiplier out[3]) {
    const uint32_t a = r->in[0]->scale;
    const uint32_t b = r->in[1]->scale;
    const uint32_t twice = scale_times_power(a > b ? a : b, 1); /* as bits, positive numbers have the same order */
    return multiplier_of_ratio(a, twice, &out[0]) && multiplier_of_ratio(b, twice, &out[1]) &&
           multiplier_of_ratio(twice, scale_times_power(r->out->scale, SPARE_BITS), &out[2]) && out[2].shift <= 0;
}

static enum network_status check(struct op_read *r) {
    const struct op_tensor *const *in = r->in;
    int8_t low, high;
    struct quantized_multiplier unused[3];
    if (r->inputs.count != 2 || r->in[1] == NULL || (in[0]->values != NULL && in[1]->values != NULL)) {
        return NETWORK_GRAPH;
    }
    if (in[0]->type != OP_INT8 || in[1]->type != OP_INT8 || r->out->type != OP_INT8) {
        return NETWORK_TYPE;
    }
    enum network_status status = check_shapes(r);
    if (status == NETWORK_OK) {
        status = op_activation_range(r, flatbuffer_field_u8(r->f, r->options, OPTIONS_ACTIVATION, 0), &low, &high);
    }
    if (status == NETWORK_OK && (in[0]->scales.count != 1 || in[1]->scales.count != 1 || !multipliers(r, unused))) {
        status = NETWORK_QUANTIZATION;
    }
    r->need.parameters = sizeof(struct add);
    r->need.in_place = in[0]->values == NULL && in[0]->elements == r->out->elements;
    return status;
}

static void prepare(struct op_read *r, void *parameters) {
    struct add *p = parameters;
    struct quantized_multiplier m[3];
    (void)multipliers(r, m);
    for (uint32_t i = 0; i < 2; i++) {
        const struct op_tensor *t = r->in[i];
        struct side *side = &p->side[i];
        side->constant = t->values == NULL ? NULL : (const int8_t *)t->values;
        side->multiplier = m[i];
        side->zero_point = t->zero_point;
        uint32_t step = 1;
        for (uint32_t axis = OP_RANK_MAX; axis-- > 0;) {
            side->step[axis] = size_along(t, axis) == 1 ? 0 : step;
            step *= size_along(t, axis);
        }
    }
    for (uint32_t axis = 0; axis < OP_RANK_MAX; axis++) {
        p->shape[axis] = size_along(r->out, axis);
    }
    p->multiplier = m[2];
    p->zero_point = r->out->zero_point;
    (void)op_activation_range(r, flatbuffer_field_u8(r->f, r->options, OPTIONS_ACTIVATION, 0), &p->low, &p->high);
}

static int32_t scaled(const struct side *side, int8_t value) {
    return multiply_twice_rounded((value - side->zero_point) * (1 << SPARE_BITS), side->multiplier);
}

static void run(const void *parameters, const struct op_buffers *b) {
    const struct add *p = parameters;
    const uint32_t *shape = p->shape;
    const struct side *side = p->side;
    const int8_t *in0 = side[0].constant != NULL ? side[0].constant : b->in[0];
    const int8_t *in1 = side[1].constant != NULL ? side[1].constant : b->in[1];
    int8_t *out = b->out;
    const uint32_t n = shape[0] * shape[1] * shape[2] * shape[3];
    uint32_t at[OP_RANK_MAX] = {0};
    uint32_t at0 = 0, at1 = 0;
    for (uint32_t i = 0; i < n; i++) {
        const int32_t sum = scaled(&side[0], in0[at0]) + scaled(&side[1], in1[at1]);
        out[i] = clamp(rescale(sum, p->multiplier, p->zero_point), p->low, p->high);
        /* On along the last axis; where one ends, back to its begin and on along the one before. */
        for (uint32_t axis = OP_RANK_MAX; axis-- > 0;) {
            at0 += side[0].step[axis];
            at1 += side[1].step[axis];
            if (++at[axis] < shape[axis]) {
                break;
            }
            at[axis] = 0;
            at0 -= side[0].step[axis] * shape[axis];
            at1 -= side[1].step[axis] * shape[axis];
        }
    }
}

const struct op_kind op_add = {.builtin = 0, .options_type = 11, .check = check, .prepare = prepare, .run = run};
