/* Reads the graph of a .tflite file: what an operator is given has passed all checks that op.h promises. */
#ifndef STETHOS_DIRECT_GRAPH_H
#define STETHOS_DIRECT_GRAPH_H

#include "op.h"

struct graph {
    struct flatbuffer f;
    /* What the file says, in the order in which it is read. */
    uint32_t version;
    struct flatbuffer_vector codes, buffers, subgraphs;
    struct flatbuffer_vector tensors, inputs, outputs, operators;
};

/* `f` has its data and size. */
enum network_status graph_open(struct graph *g);

/* Reads the table of operator `at`; gives the schema's BuiltinOperator. */
int32_t graph_operator(struct graph *g, uint32_t at, struct op_read *r);

/* Then its tensors, into `t`, room for OP_INPUTS_MAX + 1: all is checked but what only its kind can judge. */
enum network_status graph_read(struct graph *g, struct op_read *r, struct op_tensor *t);

/* Reads and checks tensor t->number. */
enum network_status graph_tensor(struct graph *g, struct op_tensor *t);

/* Number of the last operator that reads a tensor; 0 if none does. */
uint32_t graph_last_use(struct graph *g, uint32_t tensor);

/* Numbers of the one input and the one output of an open graph. */
static inline uint32_t graph_input(const struct graph *g) {
    return flatbuffer_element(&g->f, g->inputs, 0);
}

static inline uint32_t graph_output(const struct graph *g) {
    return flatbuffer_element(&g->f, g->outputs, 0);
}

#endif
