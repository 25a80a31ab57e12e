#include "op_pad.h"

#include <string.h>

enum { INPUT = 0, PADDINGS = 1, VALUE = 2 };

/* Everything with four axes, of which a tensor of a lower rank has the last ones. */
struct pad {
    uint32_t in[OP_RANK_MAX];
    uint32_t out[OP_RANK_MAX];
    uint32_t before[OP_RANK_MAX];
    uint32_t elements;
    int8_t value;
};

/* Without a value it is the zero point, which stands for 0. */
static bool has_value(const struct op_read *r) {
    return r->in[VALUE] != NULL;
}

static enum network_status check_value(const struct op_read *r) {
    const struct op_tensor *value = r->in[VALUE];
    if (value->type != OP_INT8) {
        return NETWORK_TYPE;
    }
    if (value->values == NULL) {
        return NETWORK_GRAPH;
    }
    if (value->elements != 1) {
        return NETWORK_SHAPE;
    }
    const bool same = value->scale == r->out->scale && value->zero_point == r->out->zero_point;
    return same ? NETWORK_OK : NETWORK_QUANTIZATION;
}

static enum network_status check_paddings(const struct op_read *r) {
    const struct op_tensor *in = r->in[INPUT];
    const struct op_tensor *out = r->out;
    const struct op_tensor *paddings = r->in[PADDINGS];
    if (paddings->values == NULL) {
        return NETWORK_GRAPH;
    }
    if (in->sizes.count != out->sizes.count || paddings->elements != 2u * in->sizes.count) {
        return NETWORK_SHAPE;
    }
    for (uint32_t i = 0; i < in->sizes.count; i++) {
        const int32_t before = op_int32(paddings, 2 * i);
        const int32_t behind = op_int32(paddings, 2 * i + 1);
        if (before < 0 || behind < 0 || (uint64_t)in->shape[i] + (uint32_t)before + (uint32_t)behind != out->shape[i]) {
            return NETWORK_SHAPE;
        }
    }
    return NETWORK_OK;
}

enum network_status op_pad_check(struct op_read *r) {
    if (r->in[PADDINGS] == NULL || r->in[INPUT]->values != NULL) {
        return NETWORK_GRAPH;
    }
    if (r->in[INPUT]->type != OP_INT8 || r->out->type != OP_INT8 || r->in[PADDINGS]->type != OP_INT32) {
        return NETWORK_TYPE;
    }
    r->need.parameters = sizeof(struct pad);
    const enum network_status status = check_paddings(r);
    return status == NETWORK_OK && has_value(r) ? check_value(r) : status;
}

void op_pad_prepare(struct op_read *r, void *parameters) {
    struct pad *p = parameters;
    const uint32_t absent = OP_RANK_MAX - r->in[INPUT]->sizes.count;
    for (uint32_t i = 0; i < OP_RANK_MAX; i++) {
        p->in[i] = i < absent ? 1 : r->in[INPUT]->shape[i - absent];
        p->out[i] = i < absent ? 1 : r->out->shape[i - absent];
        p->before[i] = i < absent ? 0 : (uint32_t)op_int32(r->in[PADDINGS], 2 * (i - absent));
    }
    p->elements = r->out->elements;
    p->value = has_value(r) ? (int8_t)*r->in[VALUE]->values : (int8_t)r->out->zero_point;
}

void op_pad_run(const void *parameters, const struct op_buffers *b) {
    const struct pad *p = parameters;
    const uint32_t *before = p->before;
    const int8_t *in = b->in[0];
    int8_t *out = b->out;
    memset(out, p->value, p->elements);
    for (uint32_t i = 0; i < p->in[0]; i++) {
        for (uint32_t j = 0; j < p->in[1]; j++) {
            const uint32_t row = (i + before[0]) * p->out[1] + j + before[1];
            for (uint32_t k = 0; k < p->in[2]; k++, in += p->in[3]) {
                memcpy(out + (row * p->out[2] + k + before[2]) * p->out[3] + before[3], in, p->in[3]);
            }
        }
    }
}
