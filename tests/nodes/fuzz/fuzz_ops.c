/* The operators of `direct` on hostile files: edits of a whole file for each of them, the first byte says which. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "network.h"
#include "ops_seeds.h"

enum { SEEDS = sizeof seeds / sizeof seeds[0] };

static size_t bytes_of(const struct network_end *end) {
    return (end->type == NETWORK_INT8 ? 1 : 4) * (size_t)end->size;
}

static void open_and_run(const uint8_t *file, size_t size) {
    struct network n;
    if (network_open(&n, file, size) != NETWORK_OK) {
        return;
    }
    void *memory = malloc(n.memory_size);
    void *in = malloc(bytes_of(&n.input));
    void *out = malloc(bytes_of(&n.output));
    if (memory == NULL || in == NULL || out == NULL || network_attach(&n, memory, n.memory_size) != NETWORK_OK) {
        abort();
    }
    memset(in, file[size - 1], bytes_of(&n.input));
    network_run(&n, in, out);
    free(memory);
    free(in);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    /* The second byte cuts the end off, every further three set one byte. On the heap, so that its ends are guarded. */
    const size_t seed = data[0] % SEEDS;
    const size_t length = seeds[seed].size - (data[1] < 128 ? 0 : (size_t)data[1] - 128);
    uint8_t *edited = malloc(length);
    if (edited == NULL) {
        abort();
    }
    memcpy(edited, seeds[seed].data, length);
    for (size_t i = 2; i + 2 < size; i += 3) {
        edited[(data[i] | (size_t)data[i + 1] << 8) % length] = data[i + 2];
    }
    open_and_run(edited, length);
    free(edited);
    return 0;
}
