/* What TFLite Micro derives from the scales of a layer, in integers but to the same bit.
 * A scale is given as the bits of its IEEE 754 single. */
#ifndef STETHOS_QUANTIZATION_H
#define STETHOS_QUANTIZATION_H

#include <stdbool.h>
#include <stdint.h>

/* A positive real number: multiplier * 2^(shift - 31). */
struct quantized_multiplier {
    int32_t multiplier;
    int32_t shift;
};

/* True for a number from 2^-60 to 2^60, positive therefore; the functions below expect such scales. */
bool scale_is_usable(uint32_t scale);

/* input * weights / output. With one scale for all weights the interpreter takes the product in single precision,
 * with a scale for each row in double. False if the result is 2^30 or more. */
bool multiplier_of_scales(uint32_t input, uint32_t weights, uint32_t output, bool per_row,
                          struct quantized_multiplier *out);

/* a * b in single precision, as bits. */
uint32_t single_product(uint32_t a, uint32_t b);

/* round(value / scale), value a small whole number. Right up to 255, and not less than 255 from there on; false
 * if it is 2^30 or more. */
bool quantize_whole(uint32_t value, uint32_t scale, int32_t *out);

/* x * multiplier / 2^31, rounded, a tie going up. */
static inline int32_t multiply_high(int32_t x, int32_t multiplier) {
    return (int32_t)(((int64_t)x * multiplier + (1 << 30)) >> 31);
}

/* x / 2^(less_one + 1), rounded, a tie going away from zero. A multiplier is below 2^31, so what multiply_high gives
 * has room for a 1 either way. */
static inline int32_t shift_right(int32_t x, int32_t less_one) {
    return (((x - (x < 0)) >> less_one) + 1) >> 1;
}

/* x * multiplier * 2^(shift - 31) as gemmlowp computes it: rounded twice. Written out where it is used. */
static inline __attribute__((always_inline)) int32_t multiply_here(int32_t x, int32_t multiplier, int32_t shift) {
    if (__builtin_expect(shift >= 0, 0)) {
        return multiply_high((int32_t)((uint32_t)x << shift), multiplier); /* wraps, as the interpreter's does */
    }
    return shift_right(multiply_high(x, multiplier), ~shift);
}

/* The same as a call. */
int32_t multiply_twice_rounded(int32_t x, struct quantized_multiplier m);

#endif
