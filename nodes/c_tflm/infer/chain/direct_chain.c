/* Activations of a chain: each at the other end of the arena than the one before it, scratch between them. */
#include "direct_plan.h"

void plan_begin(struct plan *p, const struct graph *g) {
    struct plan_tensor *t = p->live;
    p->units = 0;
    t->tensor = g->input;
    t->place = PLACE_INPUT;
    t->from = t->to = 0;
}

enum network_status plan_operator(struct plan *p, struct graph *g, const struct graph_operator *o,
                                  const struct op_read *r, const struct op_need *need, uint32_t at,
                                  uint16_t place[PLAN_PLACES]) {
    struct plan_tensor *t = p->live;
    for (uint32_t i = 0; i < r->inputs_n; i++) {
        const bool activation = r->has_in[i] && r->in[i].data.count == 0;
        if (activation != (i == 0) || (i == 0 && graph_element(g, o->inputs, i) != t->tensor)) {
            return NETWORK_GRAPH;
        }
    }
    t->tensor = graph_element(g, o->outputs, 0);
    const uint32_t in = (uint32_t)t->to;
    const uint32_t scratch = plan_units(need->scratch);
    uint32_t out = 0;
    place[PLAN_IN] = (uint16_t)t->place;
    t->place = PLACE_OUTPUT;
    if (at + 1 < g->operators.count) {
        out = plan_units(plan_bytes(r->out));
        t->place = at % 2 == 0 ? p->arena : out;
    }
    t->to = (int32_t)out;
    place[PLAN_OUT] = (uint16_t)t->place;
    place[PLAN_SCRATCH] = (uint16_t)(p->arena - (at % 2 == 0 ? out : in));
    if (in + out + scratch > p->units) {
        p->units = in + out + scratch;
    }
    return p->units > PLAN_UNITS_MAX ? NETWORK_TOO_LARGE : NETWORK_OK;
}

bool plan_ends(const struct plan *p, const struct graph *g) {
    return p->live[0].tensor == g->output;
}
