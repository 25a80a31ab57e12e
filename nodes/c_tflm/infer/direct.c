/* `direct`: runs an int8 .tflite in place, and computes to the last bit what TFLite Micro computes (gemmlowp's double
 * rounding). No heap, no floats; everything that a hostile file could get wrong is refused at opening.
 *
 * Opening and attaching are the same walk over the operators: the first adds up what is needed, the second writes.
 * The memory is the arena of activations, then for each operator a step and its parameters. */
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>

#include "direct_plan.h"

struct step {
    uint8_t kind; /* in ops[] */
    bool last;
    uint16_t words; /* of 4 bytes, step and parameters */
    uint16_t place[PLAN_PLACES];
};

/* Steps and parameters are aligned as what they hold is. */
enum { ALIGNMENT = alignof(void *), STEP_SIZE = (sizeof(struct step) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT };

struct walk {
    uint8_t *steps;      /* NULL: only adds up */
    uint32_t steps_size; /* bytes */
    struct graph graph;
    struct graph_operator operator;
    struct plan plan;
    struct op_read read;
};

static __attribute__((noinline)) void set_end(struct network_end *end, const struct op_tensor *t) {
    end->size = t->elements;
    end->scale = t->scale;
    end->zero_point = (int8_t)t->zero_point;
    end->type = t->type;
}

static enum network_status walk_one(struct walk *w, struct network *n, uint32_t at) {
    struct step s = {0, at + 1 == w->graph.operators.count, 0, {PLACE_NOTHING, PLACE_NOTHING, PLACE_NOTHING}};
    struct op_need need = {0, 0, false};
    graph_operator(&w->graph, at, &w->operator);
    const int32_t builtin = graph_builtin(&w->graph, &w->operator);
    n->refused_op = (int16_t)(builtin > INT16_MAX ? INT16_MAX : builtin);
    n->refused_at = (uint16_t)at;
    while (ops[s.kind]->builtin != builtin) {
        if (++s.kind == ops_n) {
            return NETWORK_OPERATOR;
        }
    }
    const struct op_kind *kind = ops[s.kind];
    enum network_status status = graph_read(&w->graph, &w->operator, kind->options_type, &w->read);
    if (status == NETWORK_OK) {
        status = kind->check(&w->read, &need);
    }
    if (status == NETWORK_OK) {
        status = plan_operator(&w->plan, &w->graph, &w->operator, & w->read, &need, at, s.place);
    }
    if (status != NETWORK_OK) {
        return status;
    }
    for (uint32_t i = 0; i < PLAN_OUT; i++) {
        if (s.place[i] == PLACE_INPUT) {
            set_end(&n->input, &w->read.in[i]);
        }
    }
    if (s.place[PLAN_OUT] == PLACE_OUTPUT) {
        set_end(&n->output, w->read.out);
    }
    const uint32_t size = STEP_SIZE + ((need.parameters + ALIGNMENT - 1) & ~(uint32_t)(ALIGNMENT - 1));
    if (size / 4 > UINT16_MAX) {
        return NETWORK_TOO_LARGE;
    }
    if (w->steps != NULL) {
        uint8_t *step = w->steps + w->steps_size;
        s.words = (uint16_t)(size / 4);
        *(struct step *)(void *)step = s;
        kind->prepare(&w->read, step + STEP_SIZE);
    }
    w->steps_size += size;
    return NETWORK_OK;
}

static enum network_status walk_all(struct walk *w, struct network *n) {
    struct graph *g = &w->graph;
    enum network_status status = graph_open(g, n->tflite, n->tflite_size);
    w->steps_size = 0;
    plan_begin(&w->plan, g);
    for (uint32_t at = 0; status == NETWORK_OK && at < g->operators.count; at++) {
        status = walk_one(w, n, at);
        if (g->f.bad) {
            status = NETWORK_TRUNCATED;
        }
    }
    if (status == NETWORK_OK) {
        n->refused_op = -1;
        /* Somebody reads the input, and somebody has made the output. */
        status = n->input.size != 0 && plan_ends(&w->plan, g) ? NETWORK_OK : NETWORK_GRAPH;
    }
    return status;
}

enum network_status network_open(struct network *n, const uint8_t *tflite, size_t size) {
    struct walk w;
    w.steps = NULL;
    n->input.size = 0;
    n->refused_op = -1;
    n->tflite = tflite;
    n->tflite_size = size > INT32_MAX ? 0 : (uint32_t)size;
    const enum network_status status = walk_all(&w, n);
    n->units = w.plan.units;
    n->memory_size = n->units * PLAN_UNIT + w.steps_size;
    return status;
}

enum network_status network_attach(struct network *n, void *memory, size_t size) {
    struct walk w;
    if (size < n->memory_size || (uintptr_t)memory % PLAN_UNIT != 0) {
        return NETWORK_NO_MEMORY;
    }
    w.plan.arena = n->units;
    w.steps = (uint8_t *)memory + n->units * PLAN_UNIT;
    n->state = w.steps;
    return walk_all(&w, n);
}

void network_run(const struct network *n, const void *in, void *out) {
    const uint8_t *steps = n->state;
    const struct step *s = n->state;
    for (;;) {
        union {
            const void *at[PLAN_PLACES];
            struct op_buffers buffers;
        } b;
        for (uint32_t i = 0; i < PLAN_PLACES; i++) {
            const uint32_t place = s->place[i];
            b.at[i] = steps - place * PLAN_UNIT;
            if (place >= PLACE_OUTPUT) {
                b.at[i] = place == PLACE_OUTPUT ? out : place == PLACE_INPUT ? in : NULL;
            }
        }
        ops[s->kind]->run((const uint8_t *)s + STEP_SIZE, &b.buffers);
        if (s->last) {
            return;
        }
        s = (const struct step *)(const void *)((const uint8_t *)s + 4 * s->words);
    }
}
