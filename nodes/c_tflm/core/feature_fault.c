#include <stdbool.h>

#include "feature_set.h"

enum { WHY_NONE = 0, WHY_STUCK = 4, WHY_SATURATED = 5 };

static bool is_stuck(const int16_t *sample, uint32_t n, uint32_t channels) {
    const int16_t first = *sample;
    for (; n != 0; n--, sample += channels) {
        if (*sample != first) {
            return false;
        }
    }
    return true;
}

static bool is_saturated(const int16_t *sample, uint32_t n, uint32_t channels) {
    uint32_t at_limit = 0;
    for (uint32_t i = n; i != 0; i--, sample += channels) {
        at_limit += (uint16_t)(*sample - INT16_MAX) <= 1; /* the highest, and behind it, round the corner, the lowest */
    }
    return 32 * at_limit >= n;
}

uint8_t features_sensor_fault(uint8_t set, const int16_t *samples, uint16_t n, uint8_t channels) {
    uint8_t fault = WHY_NONE;
    for (uint32_t c = 0; c < channels; c++) {
        if (set != FEATURE_SET_SLOW && is_stuck(samples + c, n, channels)) {
            return WHY_STUCK;
        }
        if (is_saturated(samples + c, n, channels)) {
            fault = WHY_SATURATED;
        }
    }
    return fault;
}
