/* A network behind an opaque handle: see binding.c. */
#ifndef STETHOS_BINDING_H
#define STETHOS_BINDING_H

#include <stddef.h>
#include <stdint.h>

/* What binding_number tells: four numbers on the input, the same on the output, then those of the whole. */
enum {
    BINDING_SIZE = 0,
    BINDING_SCALE = 1,
    BINDING_ZERO_POINT = 2,
    BINDING_TYPE = 3,
    BINDING_OUTPUT = 4, /* to be added */
    BINDING_MEMORY = 8,
    BINDING_REFUSED_OP = 9,
    BINDING_REFUSED_AT = 10,
};

/* Bytes of a handle, which is aligned as a struct is. */
uint32_t binding_size(void);

/* As network_open and network_attach do, and with their answers. */
int32_t binding_open(void *handle, const uint8_t *tflite, size_t size);
int32_t binding_attach(void *handle, void *memory, size_t size);

int64_t binding_number(const void *handle, uint32_t which);

/* One inference for each of `batch` inputs, which lie one behind the other, as their outputs then do. */
void binding_run(const void *handle, const void *in, void *out, uint32_t batch);

#endif
