/* Feature set 2: what a rotation of the sensor leaves as it is. Axes in groups of three; of each group the energies in
 * the principal directions, the shape of the vibration in time, and its spectrum summed over the axes. */
#include <stdbool.h>

#include "features_sets.h"
#include "fft.h"
#include "fixed.h"

enum { AXES_MAX = INVARIANT_AXES, BANDS = 8 };
enum { BAND_SHIFT = 6, FLOOR_SHIFT = 20, SAMPLE_BITS = 20, TRACE_BITS = 30, SQUARE_BITS = 26, SHARE_BITS = 16 };

/* The first bin of each band, and the bin behind the last: transforms of 32 and of 64 points. */
static const uint8_t BAND_EDGES[2][BANDS + 1] = {{1, 2, 3, 4, 5, 7, 9, 12, 17}, {1, 2, 3, 4, 6, 9, 14, 21, 33}};

struct group {
    const int16_t *samples; /* the first axis of the first sample */
    const int16_t *end;
    uint32_t n;
    uint32_t channels; /* from one sample to the next */
    uint32_t axes;
    int32_t mean[AXES_MAX]; /* in sixteenths of the sample unit, as everything here */
};

struct moments {
    uint64_t energy;  /* the sum of r^2, the squared length of the vector that a sample is */
    uint64_t largest; /* r^2 */
    int32_t log_n;
};

/* high * 2^32 + low: the product of three numbers of 30 bits. */
struct wide {
    int64_t high;
    uint32_t low;
};

/* t^3 - e1 t^2 + e2 t + last */
struct characteristic {
    int32_t e1;
    int64_t e2;
    struct wide last;
};

struct spectrum {
    struct fft_bin *bins;
    uint32_t size;
    int32_t gain;
    uint64_t bands[BANDS]; /* powers */
};

/* By how much x has to be shifted down to leave that many bits of it. */
static uint32_t shift_to(uint32_t bits, uint64_t x) {
    const uint32_t found = fixed_bits(x);
    return found > bits ? found - bits : 0;
}

static int32_t value(const struct group *g, const int16_t *sample, uint32_t axis) {
    return 16 * sample[axis] - g->mean[axis];
}

static uint64_t square(int32_t x) {
    return (uint64_t)((int64_t)x * x);
}

/* Halves are rounded away from zero, so that an axis turned round has the same values with the other sign. */
static void find_means(struct group *g) {
    for (uint32_t a = 0; a < g->axes; a++) {
        int32_t sum = 0;
        for (const int16_t *sample = g->samples; sample < g->end; sample += g->channels) {
            sum += sample[a];
        }
        const uint32_t size = sum < 0 ? (uint32_t)-sum : (uint32_t)sum;
        const int32_t mean = (int32_t)((16 * size + g->n / 2) / g->n);
        g->mean[a] = sum < 0 ? -mean : mean;
    }
}

static uint64_t length(const struct group *g, const int16_t *sample) {
    uint64_t sum = 0;
    for (uint32_t a = 0; a < g->axes; a++) {
        sum += square(value(g, sample, a));
    }
    return sum;
}

static void find_moments(const struct group *g, struct moments *m) {
    for (const int16_t *sample = g->samples; sample < g->end; sample += g->channels) {
        const uint64_t r2 = length(g, sample);
        m->energy += r2;
        m->largest = r2 > m->largest ? r2 : m->largest;
    }
}

/* Of two axes, over the window. */
static int64_t product(const struct group *g, uint32_t a, uint32_t b) {
    int64_t sum = 0;
    for (const int16_t *sample = g->samples; sample < g->end; sample += g->channels) {
        sum += (int64_t)value(g, sample, a) * value(g, sample, b);
    }
    return sum;
}

/* The sum of the squared differences of neighbours. */
static uint64_t change(const struct group *g) {
    uint64_t sum = 0;
    const int16_t *before = g->samples;
    for (const int16_t *sample = before + g->channels; sample < g->end; sample += g->channels) {
        for (uint32_t a = 0; a < g->axes; a++) {
            sum += square(16 * (sample[a] - before[a]));
        }
        before = sample;
    }
    return sum;
}

static void add_product(struct wide *w, int64_t x, int32_t factor) {
    const int64_t low = (int64_t)w->low + (int64_t)(uint32_t)x * factor;
    w->high += (x >> 32) * factor + (low >> 32);
    w->low = (uint32_t)low;
}

static int64_t minor(int32_t a, int32_t b, int32_t c, int32_t d) {
    return (int64_t)a * d - (int64_t)b * c;
}

/* The products are shortened towards zero, so that the sign of an axis does not matter. */
static void find_characteristic(const struct group *g, uint32_t shift, struct characteristic *p) {
    int32_t s[AXES_MAX][AXES_MAX] = {{0}};
    *p = (struct characteristic){0};
    for (uint32_t a = 0; a < g->axes; a++) {
        for (uint32_t b = 0; b <= a; b++) {
            const int64_t x = product(g, a, b);
            const int32_t size = (int32_t)((uint64_t)(x < 0 ? -x : x) >> shift);
            s[a][b] = x < 0 ? -size : size;
        }
        p->e1 += s[a][a];
        for (uint32_t b = 0; b < a; b++) {
            p->e2 += minor(s[b][b], s[a][b], s[a][b], s[a][a]);
        }
    }
    add_product(&p->last, minor(s[1][1], s[2][1], s[2][1], s[2][2]), -s[0][0]);
    add_product(&p->last, minor(s[1][0], s[2][1], s[2][0], s[2][2]), s[1][0]);
    add_product(&p->last, minor(s[1][0], s[1][1], s[2][0], s[2][1]), -s[2][0]);
}

/* By halving: the largest t in [low, high] up to which the polynomial is negative, or is not. */
static int32_t root_between(const struct characteristic *p, int32_t low, int32_t high, bool negative) {
    for (high++; high - low > 1;) {
        const int32_t t = low + (high - low) / 2;
        struct wide polynomial = p->last;
        add_product(&polynomial, (int64_t)(t - p->e1) * t + p->e2, t);
        if ((polynomial.high < 0) == negative) {
            low = t;
        } else {
            high = t;
        }
    }
    return low;
}

/* The energies in the principal directions, the largest first: a root lies before, between and behind the two places
 * where the polynomial turns. What this puts for axes that are not there, the features that follow write over. */
static void put_directions(const struct group *g, const struct moments *m, int32_t *out) {
    const uint32_t shift = shift_to(TRACE_BITS, m->energy);
    struct characteristic p;
    find_characteristic(g, shift, &p);
    const int32_t reach = (int32_t)fixed_root((uint64_t)((int64_t)p.e1 * p.e1 - 3 * p.e2));
    const int32_t turns[] = {p.e1, (p.e1 + reach) / 3, reach < p.e1 ? (p.e1 - reach) / 3 : 0, 0};
    for (uint32_t a = 0; a < AXES_MAX; a++) {
        const int32_t root = root_between(&p, turns[a + 1], turns[a], a != 1);
        out[a] = (fixed_log2((uint64_t)root + 4) + (int32_t)shift * FIXED_ONE - m->log_n) >> 1;
    }
}

static int32_t kurtosis(const struct group *g, const struct moments *m) {
    const uint32_t shift = shift_to(SQUARE_BITS, m->largest);
    uint64_t squares = 1;
    uint64_t fourths = 1;
    for (const int16_t *sample = g->samples; sample < g->end; sample += g->channels) {
        const uint32_t shortened = (uint32_t)(length(g, sample) >> shift);
        squares += shortened;
        fourths += (uint64_t)shortened * shortened;
    }
    return fixed_log2(fourths) + m->log_n - 2 * fixed_log2(squares);
}

/* Of the first sample that is not the mean: an axis turned round goes into the transform as it did before. */
static int32_t sign(const struct group *g, uint32_t axis) {
    int32_t x = 0;
    for (const int16_t *sample = g->samples; x == 0 && sample < g->end; sample += g->channels) {
        x = value(g, sample, axis);
    }
    return x < 0 ? -1 : 1;
}

static uint64_t power(struct fft_bin z) {
    return square(z.re) + square(z.im);
}

/* Two blocks of one axis in one transform, one as real, one as imaginary part: |Z_k|^2 + |Z_(size-k)|^2 is twice the
 * sum of both spectra. The window is a triangle. */
static void add_blocks(const struct group *g, uint32_t axis, uint32_t at, struct spectrum *s) {
    const int16_t *sample = g->samples + at * g->channels + axis;
    const uint32_t second = s->size / 2 * g->channels;
    const bool alone = at + s->size + s->size / 2 > g->n;
    const int32_t mean = g->mean[axis];
    int32_t weight = s->gain * sign(g, axis);
    int32_t rise = 2 * weight;
    for (uint32_t i = 1, place = 0; i <= s->size; i++, place = fft_next(place, s->size), sample += g->channels) {
        s->bins[place].re = (16 * sample[0] - mean) * weight;
        s->bins[place].im = alone ? 0 : (16 * sample[second] - mean) * weight;
        if (i == s->size / 2) {
            rise = -rise;
        } else {
            weight += rise;
        }
    }
    fft(s->bins, s->size);
    const uint8_t *edges = BAND_EDGES[s->size / FFT_SIZE_MAX];
    for (uint32_t band = 0; band < BANDS; band++) {
        uint64_t sum = 0;
        for (uint32_t k = edges[band]; k < edges[band + 1]; k++) {
            sum += power(s->bins[k]) + power(s->bins[s->size - k]);
        }
        s->bands[band] += sum >> BAND_SHIFT;
    }
}

/* As logarithms, and the entropy of the shares. A share counts for no less than 2^-20. */
static void put_shares(const uint64_t *bands, int32_t *out) {
    uint64_t sum = 0;
    for (uint32_t band = 0; band < BANDS; band++) {
        sum += bands[band];
    }
    const uint32_t shift = shift_to(SHARE_BITS, sum);
    const uint32_t whole = (uint32_t)(sum >> shift);
    const int32_t log_sum = fixed_log2(sum + 1);
    int32_t entropy = 0;
    for (uint32_t band = 0; band < BANDS; band++) {
        out[band] = fixed_log2(bands[band] + (sum >> FLOOR_SHIFT) + 1) - log_sum;
        if (whole != 0) {
            const uint32_t part = (uint32_t)(bands[band] >> shift);
            entropy -= (int32_t)((part << SHARE_BITS) / whole) * out[band];
        }
    }
    out[BANDS] = entropy >> SHARE_BITS;
}

static void put_spectrum(const struct group *g, const struct moments *m, struct feature_scratch *scratch,
                         int32_t *out) {
    const uint32_t bits = (fixed_bits(m->largest) + 1) / 2;
    struct spectrum s = {.bins = scratch->bins,
                         .size = g->n < FFT_SIZE_MAX ? FFT_SIZE_MAX / 2 : FFT_SIZE_MAX,
                         .gain = 16 << (bits < SAMPLE_BITS ? SAMPLE_BITS - bits : 0)};
    for (uint32_t a = 0; a < g->axes; a++) {
        for (uint32_t at = 0; at + s.size <= g->n; at += s.size) {
            add_blocks(g, a, at, &s);
        }
    }
    put_shares(s.bands, out);
}

static void compute_group(struct group *g, struct feature_scratch *scratch, int32_t *out) {
    struct moments m = {.log_n = fixed_log2(g->n)};
    find_means(g);
    find_moments(g, &m);
    const int32_t log_energy = fixed_log2(m.energy + 1);
    put_directions(g, &m, out);
    out += g->axes;
    out[0] = (fixed_log2(m.largest + 1) + m.log_n - log_energy) >> 1;
    out[1] = kurtosis(g, &m);
    out[2] = (fixed_log2(change(g) + 1) - log_energy) >> 1;
    put_spectrum(g, &m, scratch, out + 3);
    out[3 + BANDS + 1] = (log_energy - m.log_n) >> 1;
}

void features_invariant(const int16_t *samples, uint16_t n, uint8_t channels, struct feature_scratch *scratch,
                        int32_t *out) {
    const int16_t *end = samples + (uint32_t)n * channels;
    for (uint32_t first = 0; first < channels; first += AXES_MAX) {
        const uint32_t axes = channels - first < AXES_MAX ? channels - first : AXES_MAX;
        struct group g = {.samples = samples + first, .end = end, .n = n, .channels = channels, .axes = axes};
        compute_group(&g, scratch, out);
        out += axes + INVARIANT_SHAPE;
    }
}
