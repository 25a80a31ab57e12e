/* `direct`: runs an int8 .tflite in place, and computes to the last bit what TFLite Micro computes (gemmlowp's double
 * rounding). No heap, no floats; everything that a hostile file could get wrong is refused at opening.
 *
 * Opening and attaching are the same walk over the operators: the first adds up what is needed, the second writes.
 * The memory is the arena of activations, then for each operator a step and its parameters. */
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "direct_plan.h"

struct step {
    uint8_t kind;   /* in ops[] */
    uint16_t words; /* of 4 bytes, step and parameters */
    uint16_t place[PLAN_PLACES];
};

/* Steps and parameters are aligned as what they hold is. */
enum { ALIGNMENT = alignof(void *), STEP_SIZE = (sizeof(struct step) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT };

struct walk {
    struct graph graph;
    uint8_t *steps;      /* NULL: only adds up */
    uint32_t steps_size; /* bytes */
    struct op_read read;
    struct plan plan;
    struct op_tensor tensors[OP_INPUTS_MAX + 1];
};

static __attribute__((noinline)) enum network_status walk_one(struct walk *w, struct network *n, uint32_t at) {
    struct op_read *r = &w->read;
    const int32_t builtin = graph_operator(&w->graph, at, r);
    n->refused_op = (int16_t)(builtin > INT16_MAX ? INT16_MAX : builtin);
    n->refused_at = (uint16_t)at;
    uint32_t kind_n = 0;
    while (ops[kind_n]->builtin != builtin) {
        if (++kind_n == ops_n) {
            return NETWORK_OPERATOR;
        }
    }
    const struct op_kind *kind = ops[kind_n];
    if (kind->options_type != 0 && r->options_type != kind->options_type) {
        return NETWORK_OPTIONS;
    }
    memset(&r->need, 0, sizeof r->need);
    enum network_status status = graph_read(&w->graph, r, w->tensors);
    if (status == NETWORK_OK) {
        status = kind->check(r);
    }
    if (status == NETWORK_OK) {
        status = plan_operator(&w->plan, &w->graph, r, at);
    }
    if (status != NETWORK_OK) {
        return status;
    }
    const uint32_t size = STEP_SIZE + ((r->need.parameters + ALIGNMENT - 1) & ~(uint32_t)(ALIGNMENT - 1));
    if (size / 4 > UINT16_MAX) {
        return NETWORK_TOO_LARGE;
    }
    if (w->steps != NULL) {
        struct step *s = (struct step *)(void *)(w->steps + w->steps_size);
        s->kind = (uint8_t)kind_n;
        s->words = (uint16_t)(size / 4);
        memcpy(s->place, w->plan.place, sizeof s->place);
        kind->prepare(r, (uint8_t *)s + STEP_SIZE);
    }
    w->steps_size += size;
    return w->graph.f.refused;
}

/* Up to the operator that makes the output: what comes behind it changes nothing, and does not run either. */
static enum network_status walk_all(struct walk *w, struct network *n) {
    struct graph *g = &w->graph;
    enum network_status status = graph_open(g);
    if (status == NETWORK_OK) {
        plan_begin(&w->plan, g);
    }
    for (uint32_t at = 0; status == NETWORK_OK; at++) {
        if (at == g->operators.count) {
            return NETWORK_GRAPH;
        }
        status = walk_one(w, n, at);
        if (w->plan.place[PLAN_OUT] == PLACE_OUTPUT) {
            break;
        }
    }
    return g->f.refused != NETWORK_OK ? g->f.refused : status;
}

static void set_end(struct walk *w, struct flatbuffer_vector tensors, struct network_end *end) {
    struct op_tensor *t = w->tensors;
    t->number = flatbuffer_element(&w->graph.f, tensors, 0);
    (void)graph_tensor(&w->graph, t);
    end->size = t->elements;
    end->scale = t->scale;
    end->zero_point = (int8_t)t->zero_point;
    end->type = (uint8_t)t->type;
}

static enum network_status walk(struct network *n, uint8_t *steps) {
    struct walk w;
    w.graph.f.data = n->tflite;
    w.graph.f.size = n->tflite_size;
    w.steps = steps;
    w.steps_size = 0;
    w.plan.arena = n->units;
    const enum network_status status = walk_all(&w, n);
    if (status == NETWORK_OK) {
        n->refused_op = -1;
        set_end(&w, w.graph.inputs, &n->input);
        set_end(&w, w.graph.outputs, &n->output);
        n->units = w.plan.units;
        n->memory_size = n->units * PLAN_UNIT + w.steps_size;
    }
    return status;
}

enum network_status network_open(struct network *n, const uint8_t *tflite, size_t size) {
    n->refused_op = -1;
    n->tflite = tflite;
    n->tflite_size = (uint32_t)size;
    n->units = PLAN_UNITS_MAX; /* not known yet; places are less */
    return size - FLATBUFFER_MIN > INT32_MAX ? NETWORK_NOT_TFLITE : walk(n, NULL);
}

enum network_status network_attach(struct network *n, void *memory, size_t size) {
    if (size < n->memory_size || (uintptr_t)memory % PLAN_UNIT != 0) {
        return NETWORK_NO_MEMORY;
    }
    n->state = (uint8_t *)memory + n->units * PLAN_UNIT;
    return walk(n, n->state);
}

void network_run(const struct network *n, const void *in, void *out) {
    const uint8_t *arena_end = n->state;
    const struct step *s = n->state;
    for (;;) {
        union {
            const void *at[PLAN_PLACES];
            struct op_buffers buffers;
        } b;
        for (uint32_t i = 0; i < PLAN_PLACES; i++) {
            const uint32_t place = s->place[i];
            b.at[i] = place == PLACE_INPUT ? in : place == PLACE_OUTPUT ? out : arena_end - place * PLAN_UNIT;
        }
        ops[s->kind]->run((const uint8_t *)s + STEP_SIZE, &b.buffers);
        if (s->place[PLAN_OUT] == PLACE_OUTPUT) {
            return;
        }
        s = (const struct step *)(const void *)((const uint8_t *)s + 4 * s->words);
    }
}
