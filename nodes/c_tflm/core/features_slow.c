/* Feature set 3: level, slope and spread of what changes slowly. */
#include "features_sets.h"
#include "fixed.h"

struct line {
    const int16_t *samples; /* of one channel */
    uint32_t n;
    uint32_t channels; /* from one sample to the next */
};

static int32_t value(const struct line *l, uint32_t i) {
    return l->samples[i * l->channels];
}

static int32_t floor_divide(int32_t a, int32_t b) {
    return a / b - (a % b < 0);
}

/* The mean of the last quarter. */
static int32_t level(const struct line *l) {
    const int32_t n = (int32_t)(l->n / 4);
    int32_t sum = 0;
    for (uint32_t i = l->n - (uint32_t)n; i < l->n; i++) {
        sum += value(l, i);
    }
    return floor_divide(16 * sum + n / 2, n);
}

/* How far the straight line of least squares rises in n samples: 6 sum((2i - n + 1) x) / (n^2 - 1). */
static int32_t slope(const struct line *l) {
    int64_t moment = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        moment += ((int32_t)(2 * i) - (int32_t)l->n + 1) * value(l, i);
    }
    const int32_t rise = (int32_t)fixed_divide(96 * (uint64_t)(moment < 0 ? -moment : moment), l->n * l->n - 1);
    return moment < 0 ? -rise : rise;
}

/* The sample of that rank, 0 being the lowest, by halving [low, high] where it lies. */
static int32_t ranked(const struct line *l, uint32_t rank, int32_t low, int32_t high) {
    while (low < high) {
        const int32_t middle = low + (high - low) / 2;
        uint32_t reached = 0;
        for (uint32_t i = 0; i < l->n; i++) {
            reached += value(l, i) <= middle;
        }
        if (reached > rank) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* Between the quartiles: what a single odd reading does not move. */
static int32_t spread(const struct line *l) {
    int32_t low = INT16_MAX;
    int32_t high = INT16_MIN;
    for (uint32_t i = 0; i < l->n; i++) {
        const int32_t x = value(l, i);
        low = x < low ? x : low;
        high = x > high ? x : high;
    }
    const int32_t lower = ranked(l, l->n / 4, low, high);
    return 16 * (ranked(l, l->n - 1 - l->n / 4, lower, high) - lower);
}

void features_slow(const int16_t *samples, uint16_t n, uint8_t channels, int32_t *out) {
    for (uint32_t c = 0; c < channels; c++, out += FEATURES_PER_CHANNEL) {
        const struct line line = {samples + c, n, channels};
        out[0] = level(&line);
        out[1] = slope(&line);
        out[2] = spread(&line);
    }
}
