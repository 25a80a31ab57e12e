#include "features_sets.h"

uint8_t feature_set_size(uint8_t set, uint8_t channels) {
    const uint32_t groups = (channels + INVARIANT_AXES - 1U) / INVARIANT_AXES;
    switch (set) {
    case FEATURE_SET_STATISTICS:
    case FEATURE_SET_SLOW:
        return (uint8_t)(FEATURES_PER_CHANNEL * channels);
    case FEATURE_SET_INVARIANT:
        return (uint8_t)(channels + INVARIANT_SHAPE * groups);
    default:
        return 0;
    }
}

enum feature_kind feature_kind(uint8_t set, uint8_t channels, uint8_t i) {
    (void)channels;
    if (set == FEATURE_SET_INVARIANT) {
        return FEATURE_LOG;
    }
    if (i % FEATURES_PER_CHANNEL == 0) {
        return FEATURE_LEVEL;
    }
    return set == FEATURE_SET_SLOW && i % FEATURES_PER_CHANNEL == 1 ? FEATURE_LOG : FEATURE_SCALE;
}

void features_compute(uint8_t set, const int16_t *samples, uint16_t n, uint8_t channels,
                      struct feature_scratch *scratch, int32_t *out) {
    switch (set) {
    case FEATURE_SET_STATISTICS:
        features_statistics(samples, n, channels, out);
        break;
    case FEATURE_SET_INVARIANT:
        features_invariant(samples, n, channels, scratch, out);
        break;
    case FEATURE_SET_SLOW:
        features_slow(samples, n, channels, out);
        break;
    default:
        break;
    }
}
