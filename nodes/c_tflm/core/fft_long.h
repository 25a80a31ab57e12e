/* Transforms of up to 256 points, and circles cut into 512: nodes/wire/SPEC.md, "Fixed point". Apart from fft.h, so
 * that only a firmware that computes spectrograms contains the longer table. */
#ifndef STETHOS_FFT_LONG_H
#define STETHOS_FFT_LONG_H

#include "fft.h"

enum { FFT_CIRCLE = 512, FFT_LONG_MAX = FFT_CIRCLE / 2 };

/* As fft does, for 32, 64, 128 or 256 points. */
void fft_long(struct fft_bin *bins, uint32_t size);

/* cos(2 pi i / 512) in 2^-31, i in 0..512. */
int32_t fft_cosine(uint32_t i);

/* From the transform Z of the pairs (x0 + i x1), (x2 + i x3), ... of 2 `size` real values, as fft_long gives it, to
 * their own, X, divided by `size`: X_k in bins[k] for k in 1..size/2, its conjugate for those up to size - 1; X_0 and
 * X_size are not computed. No |re| or |im| of Z may exceed 2^30 - 1. */
void fft_real(struct fft_bin *bins, uint32_t size);

#endif
