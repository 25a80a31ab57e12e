/* RESHAPE: the same values in another shape. Where the planner has laid the output on the input, nothing is to do. */
#include <string.h>

#include "op.h"

enum { INPUT = 0, NEW_SHAPE = 1 };

static enum network_status check(struct op_read *r) {
    if (r->inputs.count > 2 || r->in[INPUT]->values != NULL) {
        return NETWORK_GRAPH;
    }
    if (r->in[NEW_SHAPE] != NULL && r->in[NEW_SHAPE]->values == NULL) {
        return NETWORK_GRAPH; /* a shape that is only known when it runs */
    }
    if (r->in[INPUT]->type != OP_INT8 || r->out->type != OP_INT8) {
        return NETWORK_TYPE;
    }
    r->need.parameters = sizeof(uint32_t);
    r->need.in_place = true;
    return r->in[INPUT]->elements == r->out->elements ? NETWORK_OK : NETWORK_SHAPE;
}

static void prepare(struct op_read *r, void *parameters) {
    uint32_t *n = parameters;
    *n = r->out->elements;
}

static void run(const void *parameters, const struct op_buffers *b) {
    const uint32_t *n = parameters;
    if (b->out != b->in[0]) {
        memcpy(b->out, b->in[0], *n);
    }
}

const struct op_kind op_reshape = {.builtin = 22, .options_type = 0, .check = check, .prepare = prepare, .run = run};
