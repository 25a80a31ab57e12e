/* A learner's image from a stranger: loaded and merged into one that watches, then judged with, saved, read again. The
 * first bytes are windows to learn from. */
#include <stdlib.h>
#include <string.h>

#include "learner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHANNELS = 1, FEATURES = 3, SEED = 24 };

static void expect(bool holds) {
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct learner l;
    static uint8_t image[LEARNER_IMAGE_MAX];
    static uint8_t again[LEARNER_IMAGE_MAX];
    const struct learner_setup setup = {.feature_set = FEATURE_SET_STATISTICS, .channels = CHANNELS, .windows = 24};
    int32_t features[FEATURES] = {0};
    struct learner_verdict verdict;
    if (size < SEED) {
        return 0;
    }
    expect(learner_init(&l, &setup) == LEARNER_OK);
    for (uint32_t i = 0; i < 200 && learner_learn(&l, features) != LEARNER_NOT_NOW; i++) {
        memcpy(features, data + i % (SEED - sizeof features), sizeof features);
        features[1] = i < 100 ? features[1] % 1000 : 500;
        features[2] = i < 100 ? features[2] % 1000 : 500;
        features[0] = i < 100 ? features[0] >> 16 : 0;
    }
    data += SEED;
    size -= SEED;
    if (learner_merge(&l, data, size) == LEARNER_OK) {
        expect(learner_rollback(&l) == LEARNER_OK);
    }
    const enum learner_reply reply = learner_load(&l, data, size);
    (void)learner_merge(&l, data, size);
    for (uint32_t i = 0; i < 20 && learner_detect(&l, features, &verdict) == LEARNER_OK; i++) {
        expect(verdict.similarity <= 100 && verdict.anomalous == (verdict.similarity < 50));
        features[1] += 50;
    }
    (void)learner_rate_ppb(&l, 50);
    const size_t n = learner_save(&l, image, sizeof image);
    if (reply == LEARNER_OK) {
        expect(n > 0 && learner_load(&l, image, n) == LEARNER_OK);
        expect(learner_save(&l, again, sizeof again) == n && memcmp(image, again, n) == 0);
    }
    return 0;
}
