/* Feature set 2: what a rotation of the sensor leaves as it is. Axes in groups of three; of each group the energies in
 * the principal directions, the shape of the vibration in time, and its spectrum summed over the axes. */
#include "features_sets.h"
#include "fft.h"
#include "fixed.h"

enum { BANDS = 8, BAND_SHIFT = 6, FLOOR_SHIFT = 20, SAMPLE_BITS = 20, SQUARE_BITS = 26, SHARE_BITS = 16 };

/* The first bin of each band, and the bin behind the last: transforms of 32 and of 64 points. */
static const uint8_t BAND_EDGES[2][BANDS + 1] = {{1, 2, 3, 4, 5, 7, 9, 12, 17}, {1, 2, 3, 4, 6, 9, 14, 21, 33}};

struct moments {
    uint64_t largest; /* r^2, the squared length of the vector that a sample is */
    int32_t log_n;
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

static int32_t value(const struct feature_group *g, const int16_t *sample, uint32_t axis) {
    return 16 * sample[axis] - g->mean[axis];
}

static uint64_t square(int32_t x) {
    return (uint64_t)((int64_t)x * x);
}

static uint64_t length(const struct feature_group *g, const int16_t *sample) {
    uint64_t sum = 0;
    for (uint32_t a = 0; a < g->axes; a++) {
        sum += square(value(g, sample, a));
    }
    return sum;
}

static uint64_t largest(const struct feature_group *g) {
    uint64_t found = 0;
    for (const int16_t *sample = g->samples; sample < g->end; sample += g->channels) {
        const uint64_t r2 = length(g, sample);
        found = r2 > found ? r2 : found;
    }
    return found;
}

static int32_t kurtosis(const struct feature_group *g, const struct moments *m) {
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
static int32_t sign(const struct feature_group *g, uint32_t axis) {
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
static void add_blocks(const struct feature_group *g, uint32_t axis, uint32_t at, struct spectrum *s) {
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

static void put_spectrum(const struct feature_group *g, const struct moments *m, struct feature_scratch *scratch,
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

static void compute_group(const struct feature_group *g, struct feature_scratch *scratch, int32_t *out) {
    const struct moments m = {.largest = largest(g), .log_n = fixed_log2(g->n)};
    const int32_t log_energy = fixed_log2(feature_group_directions(g, false, 0, out) + 1);
    out += g->axes;
    uint64_t change = 1;
    for (uint32_t a = 0; a < g->axes; a++) {
        change += (uint64_t)feature_group_product(g, true, a, a);
    }
    out[0] = (fixed_log2(m.largest + 1) + m.log_n - log_energy) >> 1;
    out[1] = kurtosis(g, &m);
    out[2] = (fixed_log2(change) - log_energy) >> 1;
    put_spectrum(g, &m, scratch, out + 3);
    out[3 + BANDS + 1] = (log_energy - m.log_n) >> 1;
}

void features_invariant(const int16_t *samples, uint16_t n, uint8_t channels, struct feature_scratch *scratch,
                        int32_t *out) {
    for (uint32_t first = 0; first < channels; first += GROUP_AXES) {
        struct feature_group g;
        feature_group_at(&g, samples, n, channels, first);
        compute_group(&g, scratch, out);
        out += g.axes + INVARIANT_SHAPE;
    }
}
