/* Where each activation lies in the arena, decided operator by operator. Linked as direct_plan.c, which takes any
 * graph, or as direct_chain.c, which is smaller and takes chains only: each operator reads what the one before it has
 * made. */
#ifndef STETHOS_DIRECT_PLAN_H
#define STETHOS_DIRECT_PLAN_H

#include "direct_graph.h"

enum { PLAN_UNIT = 8, PLAN_UNITS_MAX = 0xFFF0, PLAN_LIVE_MAX = 10 };

/* A place is a number of units before the end of the arena, or one of these. */
enum { PLACE_NOTHING = 0, PLACE_OUTPUT = 0xFFFE, PLACE_INPUT = 0xFFFF };

/* Places of an operator, in the order of struct op_buffers. */
enum { PLAN_IN = 0, PLAN_OUT = 2, PLAN_SCRATCH = 3, PLAN_PLACES = 4 };

struct plan_tensor {
    uint32_t number;
    uint32_t last; /* operator that reads it last */
    uint32_t place;
    int32_t from; /* units from the start of the arena, or below 0 from its end */
    int32_t to;
};

struct plan {
    uint16_t place[PLAN_PLACES]; /* for the operator planned last */
    uint32_t arena;              /* units that it has; PLAN_UNITS_MAX until that is known */
    uint32_t units;              /* that it has to have, so far */
    uint32_t live_n;
    struct plan_tensor live[PLAN_LIVE_MAX]; /* a chain has one */
};

void plan_begin(struct plan *p, struct graph *g);

/* Places for the next operator, number `at`. */
enum network_status plan_operator(struct plan *p, struct graph *g, const struct op_read *r, uint32_t at);

static inline uint32_t plan_units(uint32_t bytes) {
    return (bytes + PLAN_UNIT - 1) / PLAN_UNIT;
}

static inline uint32_t plan_bytes(const struct op_tensor *t) {
    return t->type == OP_INT8 ? t->elements : 4 * t->elements;
}

#endif
