#include "op_unary.h"

enum { SCALE_1_256 = 0x3B800000 };

enum network_status op_unary_check(const struct op_read *r, uint8_t in_type, uint8_t out_type) {
    const struct op_tensor *in = r->in[0];
    const struct op_tensor *out = r->out;
    if (r->inputs.count != 1 || in->values != NULL) {
        return NETWORK_GRAPH;
    }
    if (in->type != in_type || out->type != out_type) {
        return NETWORK_TYPE;
    }
    return in->elements == out->elements ? NETWORK_OK : NETWORK_SHAPE;
}

bool op_unary_gives_fractions(const struct op_read *r) {
    return r->out->scale == SCALE_1_256 && r->out->zero_point == INT8_MIN;
}
