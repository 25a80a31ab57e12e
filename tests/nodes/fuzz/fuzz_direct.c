/* `direct` on hostile files: the input as a file, then the input as edits of a file that is whole. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "direct.h"
#include "direct_seed.h"

static void open_and_run(const uint8_t *file, size_t size) {
    struct direct d;
    if (direct_open(&d, file, size) != DIRECT_OK) {
        return;
    }
    const size_t need = direct_memory_size(&d);
    void *memory = malloc(need);
    int8_t *in = calloc(d.inputs, 1);
    int8_t *out = malloc(d.outputs);
    if (memory == NULL || in == NULL || out == NULL || direct_attach(&d, memory, need) != DIRECT_OK) {
        abort();
    }
    memset(in, size & 0xFF, d.inputs);
    direct_run(&d, in, out);
    free(memory);
    free(in);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    open_and_run(data, size);
    /* The first byte cuts the end off, every further three set one byte. On the heap, so that its ends are guarded. */
    const size_t length = sizeof seed - (size == 0 || data[0] < 128 ? 0 : (size_t)data[0] - 128);
    uint8_t *edited = malloc(length);
    if (edited == NULL) {
        abort();
    }
    memcpy(edited, seed, length);
    for (size_t i = 1; i + 2 < size; i += 3) {
        edited[(data[i] | (size_t)data[i + 1] << 8) % length] = data[i + 2];
    }
    open_and_run(edited, length);
    free(edited);
    return 0;
}
