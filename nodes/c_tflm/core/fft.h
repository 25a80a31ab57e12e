/* A discrete Fourier transform of 32 or 64 points in whole numbers: nodes/wire/SPEC.md, "Fixed point". */
#ifndef STETHOS_FFT_H
#define STETHOS_FFT_H

#include <stdint.h>

enum { FFT_SIZE_MAX = 64 };

struct fft_bin {
    int32_t re;
    int32_t im;
};

/* Where the next value belongs before the transform, 0 being the place of the first: as one counts, but with the bits
 * in reverse order. */
uint32_t fft_next(uint32_t place, uint32_t size);

/* In place, divided by `size`: 32 or 64. No |re| or |im| may exceed 2^30. */
void fft(struct fft_bin *bins, uint32_t size);

#endif
