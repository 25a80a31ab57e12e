#include "features_mel.h"

#include "fft_steps.h"
#include "fixed.h"

enum {
    SIXTEENTHS = 16,
    WEIGHT = 256,
    SAMPLE_BITS = 20,
    GAIN = 512,
    POWER_SHIFT = 8,
    FLOOR_BITS = 16,
    UNIT_OCTAVES = 12
};

/* What is known of a frame once its samples lie among the bins. */
struct level {
    uint32_t place; /* of the next pair */
    int32_t sum;
    int32_t low;
    int32_t high;
};

/* Bands of one width in Lg(corner + f), but none narrower than a bin: so each has one within. */
static void find_edges(struct mel *m) {
    const uint32_t end = SIXTEENTHS / 2 * m->form.frame;
    const int32_t last = m->form.bands + 1;
    const int32_t low = fixed_log2(m->form.corner);
    const int32_t high = fixed_log2(m->form.corner + end);
    for (int32_t i = 0; i <= last; i++) {
        const uint32_t edge = (uint32_t)fixed_exp2((low * (last - i) + high * i) / last) - m->form.corner;
        const uint32_t least = SIXTEENTHS * (uint32_t)i;
        m->edges[i] = (uint16_t)(i != 0 && (int32_t)edge > (int32_t)least ? edge : least);
    }
    m->edges[last] = (uint16_t)end;
}

bool mel_form_is_good(const struct mel_form *form) {
    const uint32_t frame = form->frame;
    return frame >= MEL_FRAME_MIN && frame <= MEL_FRAME_MAX && (frame & (frame - 1)) == 0 &&
           form->corner >= SIXTEENTHS && form->corner <= SIXTEENTHS * frame && form->bands >= MEL_BANDS_MIN &&
           form->bands <= MEL_BANDS_MAX && form->bands + 1U <= frame / 2;
}

bool mel_init(struct mel *m, const struct mel_form *form) {
    if (!mel_form_is_good(form)) {
        return false;
    }
    m->form = *form;
    m->begun = false;
    find_edges(m);
    return true;
}

/* Half a frame, two samples as one complex value, each where the transform wants it. */
static void load(struct mel *m, const int16_t *sample, uint32_t stride, struct level *l) {
    const uint32_t size = m->form.frame / 2;
    for (uint32_t i = 0; i < size / 2; i++, l->place = fft_next(l->place, size)) {
        int32_t pair[2];
        for (uint32_t j = 0; j < 2; j++, sample += stride) {
            pair[j] = *sample;
            l->sum += *sample;
            l->low = *sample < l->low ? *sample : l->low;
            l->high = *sample > l->high ? *sample : l->high;
        }
        m->bins[l->place] = (struct fft_bin){pair[0], pair[1]};
    }
}

static int32_t under_window(int32_t x, uint32_t angle) {
    return (int32_t)(((int64_t)GAIN * x * ((INT64_C(1) << 31) - fft_cosine(angle))) >> 32);
}

/* Less the mean, as loud as it can be, and under a Hann window. Returns by how many bits it was made louder. */
static uint32_t shape(struct mel *m, const struct level *l) {
    const uint32_t size = m->form.frame / 2;
    const uint32_t step = FFT_CIRCLE / 2 / size;
    /* The sum takes 25 bits, sixteen times it 29; the frame is a power of two, so the shift is its division. */
    const int32_t mean = (SIXTEENTHS * l->sum + (int32_t)size) >> (fixed_bits(m->form.frame) - 1);
    const int32_t above = SIXTEENTHS * l->high - mean;
    const int32_t below = mean - SIXTEENTHS * l->low;
    const uint32_t gain = SAMPLE_BITS - fixed_bits((uint32_t)(above > below ? above : below));
    const int32_t factor = 1 << gain;
    for (uint32_t i = 0, place = 0; i < size; i++, place = fft_next(place, size)) {
        struct fft_bin *bin = &m->bins[place];
        bin->re = under_window((SIXTEENTHS * bin->re - mean) * factor, 2 * i * step);
        bin->im = under_window((SIXTEENTHS * bin->im - mean) * factor, (2 * i + 1) * step);
    }
    return gain;
}

static int32_t octaves(uint64_t energy, uint32_t gain) {
    const int32_t log = fixed_log2(energy + (UINT64_C(1) << (FLOOR_BITS + 2 * gain)));
    return (log >> 1) - (int32_t)(UNIT_OCTAVES + gain) * FIXED_ONE;
}

/* From one edge to the next a bin counts less and less for the band that ends there, and more for the one that peaks.
 */
static void put_bands(const struct mel *m, uint32_t gain, int32_t *row) {
    uint64_t rising_before = 0;
    uint32_t at = SIXTEENTHS;
    for (uint32_t j = 0; j <= m->form.bands; j++) {
        const uint32_t from = m->edges[j];
        const uint32_t to = m->edges[j + 1];
        uint64_t rising = 0;
        uint64_t falling = rising_before;
        for (; at < to; at += SIXTEENTHS) {
            const struct fft_bin x = m->bins[at / SIXTEENTHS];
            const uint64_t power = (uint64_t)((int64_t)x.re * x.re + (int64_t)x.im * x.im) >> POWER_SHIFT;
            const uint32_t weight = WEIGHT * (at - from) / (to - from);
            rising += weight * power;
            falling += (WEIGHT - weight) * power;
        }
        if (j != 0) {
            row[j - 1] = octaves(falling, gain);
        }
        rising_before = rising;
    }
}

bool mel_add(struct mel *m, const int16_t *samples, uint32_t stride, int32_t *row) {
    const uint32_t size = m->form.frame / 2;
    const bool whole = m->begun;
    if (whole) {
        struct level l = {.low = INT16_MAX, .high = INT16_MIN};
        load(m, m->before, 1, &l);
        load(m, samples, stride, &l);
        const uint32_t gain = shape(m, &l);
        fft_long(m->bins, size);
        fft_real(m->bins, size);
        put_bands(m, gain, row);
    }
    for (uint32_t i = 0; i < size; i++) {
        m->before[i] = samples[i * stride];
    }
    m->begun = true;
    return whole;
}

void mel_quantize(const struct mel *m, const int32_t *row, const struct mel_scale *scales, int8_t zero_point,
                  int8_t *out) {
    for (uint32_t i = 0; i < m->form.bands; i++) {
        out[i] = mel_input(row[i], scales[i], zero_point);
    }
}
