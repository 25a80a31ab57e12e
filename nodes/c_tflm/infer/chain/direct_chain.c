/* Activations of a chain: each at the other end of the arena than the one before it, scratch between them. */
#include "direct_plan.h"

void plan_begin(struct plan *p, struct graph *g) {
    p->units = 0;
    p->place[PLAN_IN + 1] = PLACE_NOTHING;
    p->place[PLAN_OUT] = PLACE_INPUT;
    p->live[0].number = graph_input(g);
    p->live[0].to = 0;
}

enum network_status plan_operator(struct plan *p, struct graph *g, const struct op_read *r, uint32_t at) {
    struct plan_tensor *t = p->live;
    for (uint32_t i = 1; i < OP_INPUTS_MAX; i++) {
        if (r->in[i] != NULL && r->in[i]->values == NULL) {
            return NETWORK_GRAPH;
        }
    }
    if (r->in[0]->number != t->number) {
        return NETWORK_GRAPH;
    }
    const bool even = at % 2 == 0;
    const uint32_t in = (uint32_t)t->to;
    uint32_t out = 0, place = PLACE_OUTPUT;
    t->number = r->out->number;
    if (t->number != graph_output(g)) {
        out = plan_units(plan_bytes(r->out));
        place = even ? p->arena : out;
    }
    t->to = (int32_t)out;
    p->place[PLAN_IN] = p->place[PLAN_OUT];
    p->place[PLAN_OUT] = (uint16_t)place;
    p->place[PLAN_SCRATCH] = (uint16_t)(p->arena - (even ? out : in));
    const uint32_t units = in + out + plan_units(r->need.scratch);
    if (units > p->units) {
        p->units = units;
    }
    return units > PLAN_UNITS_MAX ? NETWORK_TOO_LARGE : NETWORK_OK;
}
