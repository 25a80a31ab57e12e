/* Between direct.c and direct_layer.c: what one operator of the file says. */
#ifndef STETHOS_DIRECT_LAYER_H
#define STETHOS_DIRECT_LAYER_H

#include "direct.h"

/* What one operator says, before its multipliers are worked out. */
struct layer_plan {
    struct direct_layer layer;
    uint32_t input; /* tensors */
    uint32_t output;
    uint32_t input_scale;
    uint32_t output_scale;
    struct flatbuffer_vector weight_scales;
};

/* Element `i` of a vector of 32-bit numbers; UINT32_MAX behind its end. */
uint32_t direct_element(struct flatbuffer *f, struct flatbuffer_vector v, uint32_t i);

/* DIRECT_OK if operator `index` is FULLY_CONNECTED, else d->refused_op says what it is. */
enum direct_status direct_check_operator(struct direct *d, uint32_t index);

/* Reads and checks operator `index`. All that `plan` then points to lies inside the file. */
enum direct_status direct_read_layer(struct direct *d, uint32_t index, struct layer_plan *plan);

#endif
