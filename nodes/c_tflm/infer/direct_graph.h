/* Reads the graph of a .tflite file: what an operator is given has passed all checks that op.h promises. */
#ifndef STETHOS_DIRECT_GRAPH_H
#define STETHOS_DIRECT_GRAPH_H

#include "op.h"

struct graph {
    struct flatbuffer f;
    struct flatbuffer_vector codes, buffers; /* in the order of the schema, as are those of a subgraph */
    struct flatbuffer_vector tensors, inputs, outputs, operators;
    uint32_t input, output; /* the one tensor of each */
};

/* One operator of the graph, as its own table says it. */
struct graph_operator {
    uint32_t code;
    struct flatbuffer_vector inputs, outputs; /* tensors by number; UINT32_MAX is an optional one that is left out */
    uint32_t options_type;
    uint32_t options;
};

enum network_status graph_open(struct graph *g, const uint8_t *tflite, uint32_t size);

/* Element `i` of a vector of 32-bit numbers; UINT32_MAX behind its end. */
uint32_t graph_element(struct graph *g, struct flatbuffer_vector v, uint32_t i);

void graph_operator(struct graph *g, uint32_t at, struct graph_operator *o);

/* The schema's BuiltinOperator. */
int32_t graph_builtin(struct graph *g, const struct graph_operator *o);

/* All about an operator but what only its kind can judge. */
enum network_status graph_read(struct graph *g, const struct graph_operator *o, uint8_t options_type,
                               struct op_read *r);

/* Number of the last operator that reads a tensor; 0 if none does, UINT32_MAX for an output of the graph. */
uint32_t graph_last_use(struct graph *g, uint32_t tensor);

#endif
