#include "feature_set.h"

enum { WHY_NONE = 0, WHY_STUCK = 4, WHY_SATURATED = 5 };

/* floor(sqrt(x)), one result bit at a time from the top, as one does it by hand. */
static uint32_t square_root(uint64_t x) {
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 62; bit != 0; bit >>= 2) {
        if (x >= root + bit) {
            x -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return (uint32_t)root;
}

/* C division truncates towards zero; the contract floors. */
static int64_t floor_divide(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

uint8_t feature_set_size(uint8_t feature_set, uint8_t channels) {
    return feature_set == FEATURE_SET_STATISTICS ? (uint8_t)(FEATURES_PER_CHANNEL * channels) : 0;
}

void features_statistics(const int16_t *samples, uint16_t samples_n, uint8_t channels, int32_t *out) {
    const int64_t n = samples_n;
    for (uint32_t c = 0; c < channels; c++, out += FEATURES_PER_CHANNEL) {
        int64_t sum = 0;
        int64_t squares = 0;
        int32_t low = INT16_MAX;
        int32_t high = INT16_MIN;
        const int16_t *sample = samples + c;
        for (uint32_t i = 0; i < samples_n; i++, sample += channels) {
            const int32_t x = *sample;
            sum += x;
            squares += x * x;
            low = x < low ? x : low;
            high = x > high ? x : high;
        }
        const uint64_t variance_256 = 256 * (uint64_t)(n * squares - sum * sum) / (uint64_t)(n * n);
        out[0] = (int32_t)floor_divide(16 * sum + n / 2, n);
        out[1] = (int32_t)square_root(variance_256);
        out[2] = 16 * (high - low);
    }
}

uint8_t features_sensor_fault(const int16_t *samples, uint16_t n, uint8_t channels) {
    uint8_t fault = WHY_NONE;
    for (uint32_t c = 0; c < channels; c++) {
        const int16_t *sample = samples + c;
        const int16_t first = *sample;
        uint32_t same = 0;
        uint32_t at_limit = 0;
        for (uint32_t i = 0; i < n; i++, sample += channels) {
            same += *sample == first;
            at_limit += *sample == INT16_MAX || *sample == INT16_MIN;
        }
        if (same == n) {
            return WHY_STUCK;
        }
        if (32 * at_limit >= n) {
            fault = WHY_SATURATED;
        }
    }
    return fault;
}
