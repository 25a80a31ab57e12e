#include "op_unary.h"

enum { SCALE_1_256 = 0x3B800000 };

enum network_status op_unary_check(const struct op_read *r, uint8_t in_type, uint8_t out_type) {
    const struct op_tensor *in = &r->in[0];
    const struct op_tensor *out = &r->out[0];
    if (r->inputs_n != 1 || in->data.count != 0) {
        return NETWORK_GRAPH;
    }
    if (in->type != in_type || out->type != out_type) {
        return NETWORK_TYPE;
    }
    return in->elements == out->elements ? NETWORK_OK : NETWORK_SHAPE;
}

bool op_unary_gives_fractions(const struct op_read *r) {
    return r->out[0].scale == SCALE_1_256 && r->out[0].zero_point == INT8_MIN;
}
