#include <stdbool.h>

#include "features_sets.h"

/* It is this one, which this firmware computes. */
static bool is(uint8_t set, uint32_t which) {
    return set == which && ((uint32_t)FEATURE_SETS >> which & 1) != 0;
}

uint8_t feature_set_size(uint8_t set, uint8_t channels) {
    if (is(set, FEATURE_SET_STATISTICS) || is(set, FEATURE_SET_SLOW)) {
        return (uint8_t)(FEATURES_PER_CHANNEL * channels);
    }
    if (is(set, FEATURE_SET_INVARIANT)) {
        const uint32_t groups = (channels + GROUP_AXES - 1U) / GROUP_AXES;
        return (uint8_t)(channels + INVARIANT_SHAPE * groups);
    }
    if (is(set, FEATURE_SET_PRINCIPAL)) {
        return (uint8_t)(2 * channels);
    }
    return 0;
}

enum feature_kind feature_kind(uint8_t set, uint8_t channels, uint8_t i) {
    (void)channels;
    if (is(set, FEATURE_SET_INVARIANT) || is(set, FEATURE_SET_PRINCIPAL)) {
        return FEATURE_LOG;
    }
    if (i % FEATURES_PER_CHANNEL == 0) {
        return FEATURE_LEVEL;
    }
    return is(set, FEATURE_SET_SLOW) && i % FEATURES_PER_CHANNEL == 1 ? FEATURE_LOG : FEATURE_SCALE;
}

void features_compute(uint8_t set, const int16_t *samples, uint16_t n, uint8_t channels,
                      struct feature_scratch *scratch, int32_t *out) {
    if (is(set, FEATURE_SET_STATISTICS)) {
        features_statistics(samples, n, channels, out);
    } else if (is(set, FEATURE_SET_INVARIANT)) {
        features_invariant(samples, n, channels, scratch, out);
    } else if (is(set, FEATURE_SET_SLOW)) {
        features_slow(samples, n, channels, out);
    } else if (is(set, FEATURE_SET_PRINCIPAL)) {
        features_principal(samples, n, channels, out);
    }
}
