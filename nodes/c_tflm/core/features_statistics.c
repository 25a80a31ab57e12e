#include "feature_set.h"
#include "fixed.h"

/* C division truncates towards zero; the contract floors. */
static int32_t floor_divide(int32_t a, int32_t b) {
    return a / b - (a % b < 0);
}

/* With n up to 4096 the sum takes 28 bits, sixteen times it 32, and N times the sum of squares 54. */
void features_statistics(const int16_t *samples, uint16_t n, uint8_t channels, int32_t *out) {
    for (uint32_t c = 0; c < channels; c++, out += FEATURES_PER_CHANNEL) {
        const int16_t *sample = samples + c;
        int32_t sum = 0;
        int32_t low = INT16_MAX;
        int32_t high = INT16_MIN;
        int64_t squares = 0;
        uint32_t left = n;
        do {
            const int32_t x = *sample;
            sum += x;
            squares += (int64_t)x * x;
            low = x < low ? x : low;
            high = x > high ? x : high;
            sample += channels;
            left--;
        } while (left != 0);
        const uint64_t variance = (uint64_t)(n * squares - (int64_t)sum * sum);
        out[0] = floor_divide(16 * sum + n / 2, n);
        out[1] = (int32_t)fixed_root(fixed_divide(256 * variance, (uint32_t)n * n));
        out[2] = 16 * (high - low);
    }
}
