/* What the transforms of all sizes have in common: nodes/wire/SPEC.md, "Fixed point". Inline, so that each is compiled
 * for its own table. */
#ifndef STETHOS_FFT_STEPS_H
#define STETHOS_FFT_STEPS_H

#include "fft.h"

/* a becomes (a + w b) / 2, b (a - w b) / 2, for w = (cosine - i sine): nothing grows, so nothing overflows. */
static inline void fft_butterfly(struct fft_bin *a, struct fft_bin *b, int32_t cosine, int32_t sine) {
    const int32_t re = (int32_t)(((int64_t)b->re * cosine + (int64_t)b->im * sine) >> 32);
    const int32_t im = (int32_t)(((int64_t)b->im * cosine - (int64_t)b->re * sine) >> 32);
    const int32_t half_re = a->re >> 1;
    const int32_t half_im = a->im >> 1;
    *b = (struct fft_bin){half_re - re, half_im - im};
    *a = (struct fft_bin){half_re + re, half_im + im};
}

/* sines: of the first quarter of a circle in `quarter` steps, its end included; size <= 4 * quarter. */
static inline void fft_steps(struct fft_bin *bins, uint32_t size, const int32_t *sines, uint32_t quarter) {
    const struct fft_bin *end = bins + size;
    uint32_t step = 2 * quarter;
    for (uint32_t half = 1; half < size; half <<= 1, step >>= 1) {
        for (uint32_t k = 0; k < half; k++) {
            const uint32_t angle = k * step;
            const int32_t sine = angle <= quarter ? sines[angle] : sines[2 * quarter - angle];
            const int32_t cosine = angle <= quarter ? sines[quarter - angle] : -sines[angle - quarter];
            for (struct fft_bin *a = bins + k; a < end; a += 2 * half) {
                fft_butterfly(a, a + half, cosine, sine);
            }
        }
    }
}

#endif
