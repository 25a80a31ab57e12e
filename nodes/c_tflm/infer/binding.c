/* A network for callers in other languages: one opaque handle in memory of the caller's, whole batches, and no struct
 * that they would have to mirror. No part of a firmware. */
#include "binding.h"

#include "network.h"

static uint32_t bytes_of(const struct network_end *end) {
    return end->type == NETWORK_INT8 ? end->size : 4 * end->size;
}

uint32_t binding_size(void) {
    return sizeof(struct network);
}

int32_t binding_open(void *handle, const uint8_t *tflite, size_t size) {
    return (int32_t)network_open(handle, tflite, size);
}

int32_t binding_attach(void *handle, void *memory, size_t size) {
    return (int32_t)network_attach(handle, memory, size);
}

int64_t binding_number(const void *handle, uint32_t which) {
    const struct network *n = handle;
    const struct network_end *end = which < BINDING_OUTPUT ? &n->input : &n->output;
    switch (which < BINDING_MEMORY ? which % BINDING_OUTPUT : which) {
    case BINDING_SIZE:
        return end->size;
    case BINDING_SCALE:
        return end->scale;
    case BINDING_ZERO_POINT:
        return end->zero_point;
    case BINDING_TYPE:
        return end->type;
    case BINDING_MEMORY:
        return (int64_t)n->memory_size;
    case BINDING_REFUSED_OP:
        return n->refused_op;
    case BINDING_REFUSED_AT:
        return n->refused_at;
    default:
        return -1;
    }
}

void binding_run(const void *handle, const void *in, void *out, uint32_t batch) {
    const struct network *n = handle;
    const uint8_t *from = in;
    uint8_t *to = out;
    for (; batch != 0; batch--) {
        network_run(n, from, to);
        from += bytes_of(&n->input);
        to += bytes_of(&n->output);
    }
}
