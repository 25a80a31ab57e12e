/* A model image from a stranger: opened, and scored if it opens. */
#include <stdint.h>
#include <stdlib.h>

#include "model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct model m;
    enum model_status status = model_open(&m, data, size, NULL, 0);
    if (status != MODEL_NO_MEMORY) {
        return 0;
    }
    void *memory = malloc(m.memory_size);
    if (memory != NULL) {
        status = model_open(&m, data, size, memory, m.memory_size);
        if (status == MODEL_OK) {
            const int32_t features[MODEL_FEATURES_MAX] = {INT32_MIN, INT32_MAX, 1, -1};
            struct model_score score;
            model_score(&m, features, &score);
        }
    }
    free(memory);
    return 0;
}
