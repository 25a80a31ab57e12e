/* Small arithmetic that operators share. */
#ifndef STETHOS_OP_MATH_H
#define STETHOS_OP_MATH_H

#include "quantization.h"

/* A scale times 2^n; the scale is one that is usable, and n within -40..40. */
static inline uint32_t scale_times_power(uint32_t scale, int32_t n) {
    return scale + ((uint32_t)n << 23);
}

/* numerator / denominator, in double precision. False if it is 2^30 or more. */
static inline bool multiplier_of_ratio(uint32_t numerator, uint32_t denominator, struct quantized_multiplier *out) {
    return multiplier_of_scales(numerator, SCALE_ONE, denominator, out);
}

static inline int8_t clamp(int32_t x, int32_t low, int32_t high) {
    return (int8_t)(x < low ? low : x > high ? high : x);
}

/* x * m + zero_point; the sum wraps, as the interpreter's does. */
static inline int32_t rescale(int32_t x, struct quantized_multiplier m, int32_t zero_point) {
    return (int32_t)((uint32_t)multiply_twice_rounded(x, m) + (uint32_t)zero_point);
}

#endif
