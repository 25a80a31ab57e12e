#include "fft.h"

enum { QUARTER = FFT_SIZE_MAX / 4 };

/* sin(2 pi i / 64) in 2^-31, of the first quarter; 1 itself has no place there and is the next value below. */
static const int32_t SINES[QUARTER + 1] = {0x00000000, 0x0c8bd35e, 0x18f8b83c, 0x25280c5e, 0x30fbc54d, 0x3c56ba70,
                                           0x471cece7, 0x5133cc94, 0x5a82799a, 0x62f201ac, 0x6a6d98a4, 0x70e2cbc6,
                                           0x7641af3d, 0x7a7d055b, 0x7d8a5f40, 0x7f62368f, 0x7fffffff};

uint32_t fft_next(uint32_t place, uint32_t size) {
    uint32_t bit = size / 2;
    for (; (place & bit) != 0; bit >>= 1) {
        place ^= bit;
    }
    return place | bit;
}

/* a becomes (a + w b) / 2, b (a - w b) / 2, for w = (cosine - i sine): nothing grows, so nothing overflows. */
static void butterfly(struct fft_bin *a, struct fft_bin *b, int32_t cosine, int32_t sine) {
    const int32_t re = (int32_t)(((int64_t)b->re * cosine + (int64_t)b->im * sine) >> 32);
    const int32_t im = (int32_t)(((int64_t)b->im * cosine - (int64_t)b->re * sine) >> 32);
    const int32_t half_re = a->re >> 1;
    const int32_t half_im = a->im >> 1;
    *b = (struct fft_bin){half_re - re, half_im - im};
    *a = (struct fft_bin){half_re + re, half_im + im};
}

void fft(struct fft_bin *bins, uint32_t size) {
    const struct fft_bin *end = bins + size;
    uint32_t step = FFT_SIZE_MAX / 2;
    for (uint32_t half = 1; half < size; half <<= 1, step >>= 1) {
        for (uint32_t k = 0; k < half; k++) {
            const uint32_t angle = k * step;
            const int32_t sine = angle <= QUARTER ? SINES[angle] : SINES[2 * QUARTER - angle];
            const int32_t cosine = angle <= QUARTER ? SINES[QUARTER - angle] : -SINES[angle - QUARTER];
            for (struct fft_bin *a = bins + k; a < end; a += 2 * half) {
                butterfly(a, a + half, cosine, sine);
            }
        }
    }
}
