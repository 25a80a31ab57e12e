/* The inner loop of a fully-connected layer. One of dot_portable.c and dot_dsp.c is compiled; the sums are the same. */
#ifndef STETHOS_DOT_H
#define STETHOS_DOT_H

#include <stdint.h>

enum { DOT_ROWS = 4 };

/* Bytes that dot_unpack writes for `n` activations, and reads dot_rows expects to be multiples of 4 bytes. */
static inline uint32_t dot_size(uint32_t n) {
    return 2 * ((n + 3) & ~UINT32_C(3));
}

/* Activations as dot_rows wants them: 16 bits wide, less their zero point, and behind as many zeros as fill the first
 * group of four. What order they have within a group is the business of these two functions. */
void dot_unpack(int16_t *x, const int8_t *in, uint32_t n, int32_t zero_point);

/* sums[k] = the products of row k of `weights` with `x`, for DOT_ROWS rows that are `stride` bytes apart (0: four times
 * the same). Up to 3 bytes before a row are read, and multiplied by zero. */
void dot_rows(const int8_t *weights, uint32_t stride, const int16_t *x, uint32_t n, int32_t sums[DOT_ROWS]);

#endif
