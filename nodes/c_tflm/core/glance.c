#include "glance.h"

#include "fixed.h"

enum {
    SHARE = 16,                   /* of what is new, one in so many parts goes into the mean */
    SPREAD_LEAST = FIXED_ONE / 32 /* a machine that never varies would never be plain */
};

static int32_t size_of(int32_t x) {
    return x < 0 ? -x : x;
}

static void measure(const int16_t *samples, uint16_t n, uint8_t channels, int32_t out[GLANCE_ENERGIES]) {
    uint64_t slow = 0;
    uint64_t fast = 0;
    for (uint32_t c = 0; c < channels; c++) {
        const int16_t *sample = samples + c;
        const int32_t first = *sample; /* sums stay small about it */
        int32_t before = first;
        int64_t sum = 0;
        uint64_t squares = 0;
        for (uint32_t i = 0; i < n; i++, sample += channels) {
            const int32_t x = *sample - first;
            const int32_t step = *sample - before;
            before = *sample;
            sum += x;
            squares += (uint64_t)((int64_t)x * x);
            fast += (uint64_t)((int64_t)step * step);
        }
        slow += squares - fixed_divide((uint64_t)(sum * sum), n);
    }
    out[0] = fixed_log2(slow + 1);
    out[1] = fixed_log2(fast + 1);
}

bool glance_is_plain(const struct glance *glance, const int16_t *samples, uint16_t n, uint8_t channels) {
    int32_t now[GLANCE_ENERGIES];
    bool plain = glance->seen >= GLANCE_LEARNED;
    measure(samples, n, channels, now);
    for (unsigned i = 0; i < GLANCE_ENERGIES; i++) {
        const int32_t spread = glance->spread[i] > SPREAD_LEAST ? glance->spread[i] : SPREAD_LEAST;
        plain &= size_of(now[i] - glance->usual[i]) <= spread + spread / 4; /* a standard deviation, if it is normal */
    }
    return plain;
}

void glance_learn(struct glance *glance, const int16_t *samples, uint16_t n, uint8_t channels) {
    int32_t now[GLANCE_ENERGIES];
    measure(samples, n, channels, now);
    glance->seen = glance->seen < UINT16_MAX ? (uint16_t)(glance->seen + 1) : UINT16_MAX;
    const int32_t share = glance->seen < SHARE ? glance->seen : SHARE; /* at first the plain mean */
    for (unsigned i = 0; i < GLANCE_ENERGIES; i++) {
        const int32_t off = now[i] - glance->usual[i];
        glance->usual[i] += off / share;
        glance->spread[i] += (size_of(off) - glance->spread[i]) / share;
    }
}
