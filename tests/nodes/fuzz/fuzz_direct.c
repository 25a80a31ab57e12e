/* `direct` on hostile files: the input as a file, then the input as edits of a file that is whole. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "direct_seed.h"
#include "network.h"

static void open_and_run(const uint8_t *file, size_t size) {
    struct network n;
    if (network_open(&n, file, size) != NETWORK_OK) {
        return;
    }
    void *memory = malloc(n.memory_size);
    const size_t in_size = n.input.type == NETWORK_INT8 ? n.input.size : 4 * (size_t)n.input.size;
    const size_t out_size = n.output.type == NETWORK_INT8 ? n.output.size : 4 * (size_t)n.output.size;
    void *in = malloc(in_size);
    void *out = malloc(out_size);
    if (memory == NULL || in == NULL || out == NULL || network_attach(&n, memory, n.memory_size) != NETWORK_OK) {
        abort();
    }
    memset(in, size & 0xFF, in_size);
    network_run(&n, in, out);
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
