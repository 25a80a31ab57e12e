/* Activations of any graph. Those that live lie at either end of the arena, one behind the other, so that a chain takes
 * the largest sum of two neighbours, and what lives longer (the other branch of an ADD) keeps out of the way. */
#include <stddef.h>

#include "direct_plan.h"

/* Adds a tensor behind those at the end of the arena where it lies closer to that end; NULL if that is too much. */
static struct plan_tensor *add(struct plan *p, uint32_t number, uint32_t bytes, uint32_t last) {
    const int32_t units = (int32_t)plan_units(bytes);
    int32_t lowest = 0, highest = 0;
    for (uint32_t i = 0; i < p->live_n; i++) {
        lowest = p->live[i].from < lowest ? p->live[i].from : lowest;
        highest = p->live[i].to > highest ? p->live[i].to : highest;
    }
    if (p->live_n == PLAN_LIVE_MAX || highest - lowest + units > PLAN_UNITS_MAX) {
        return NULL;
    }
    if ((uint32_t)(highest - lowest + units) > p->units) {
        p->units = (uint32_t)(highest - lowest + units);
    }
    struct plan_tensor *t = &p->live[p->live_n++];
    t->number = number;
    t->last = last;
    t->from = highest <= -lowest ? highest : lowest - units;
    t->to = t->from + units;
    t->place = t->from < 0 ? (uint32_t)-t->from : p->arena - (uint32_t)t->from;
    return t;
}

static struct plan_tensor *find(struct plan *p, uint32_t number) {
    for (uint32_t i = 0; i < p->live_n; i++) {
        if (p->live[i].number == number) {
            return &p->live[i];
        }
    }
    return NULL;
}

/* Forgets what no operator from `at` on reads. */
static void expire(struct plan *p, uint32_t at) {
    for (uint32_t i = p->live_n; i-- > 0;) {
        if (p->live[i].last < at) {
            p->live[i] = p->live[--p->live_n];
        }
    }
}

void plan_begin(struct plan *p, struct graph *g) {
    p->units = 0;
    p->live_n = 0;
    p->place[PLAN_OUT] = PLACE_NOTHING;
    add(p, graph_input(g), 0, UINT32_MAX)->place = PLACE_INPUT;
}

static struct plan_tensor *place_output(struct plan *p, struct graph *g, const struct op_read *r,
                                        struct plan_tensor *in, uint32_t at) {
    const uint32_t bytes = plan_bytes(r->out);
    const uint32_t number = r->out->number;
    uint32_t last = graph_last_use(g, number);
    last = last < at ? at : last;
    if (number == graph_output(g)) {
        struct plan_tensor *t = add(p, number, 0, UINT32_MAX);
        if (t != NULL) {
            t->place = PLACE_OUTPUT;
        }
        return t;
    }
    /* In the place of the input, where the operator may work there and nobody needs it any more. */
    if (in != NULL && in->last == at && (uint32_t)(in->to - in->from) >= plan_units(bytes)) {
        in->number = number;
        in->last = last;
        return in;
    }
    return add(p, number, bytes, last);
}

enum network_status plan_operator(struct plan *p, struct graph *g, const struct op_read *r, uint32_t at) {
    expire(p, at);
    struct plan_tensor *first = NULL;
    p->place[PLAN_IN] = p->place[PLAN_IN + 1] = PLACE_NOTHING;
    for (uint32_t i = 0; i < OP_INPUTS_MAX; i++) {
        if (r->in[i] != NULL && r->in[i]->values == NULL) {
            struct plan_tensor *t = find(p, r->in[i]->number);
            if (t == NULL || i >= PLAN_OUT) {
                return NETWORK_GRAPH; /* not computed before, or no constant where there should be one */
            }
            p->place[PLAN_IN + i] = (uint16_t)t->place;
            first = i == 0 ? t : first;
        }
    }
    if (find(p, r->out->number) != NULL) {
        return NETWORK_GRAPH; /* made twice, or the input */
    }
    const struct plan_tensor *out = place_output(p, g, r, r->need.in_place ? first : NULL, at);
    const struct plan_tensor *scratch = r->need.scratch == 0 ? out : add(p, UINT32_MAX, r->need.scratch, at);
    if (out == NULL || scratch == NULL) {
        return NETWORK_TOO_LARGE;
    }
    p->place[PLAN_OUT] = (uint16_t)out->place;
    p->place[PLAN_SCRATCH] = (uint16_t)scratch->place;
    return NETWORK_OK;
}
