/* What TFLite Micro derives from the scales of a layer, in integers but to the same bit.
 * A scale is given as the bits of its IEEE 754 single. */
#ifndef STETHOS_QUANTIZATION_H
#define STETHOS_QUANTIZATION_H

#include <stdbool.h>
#include <stdint.h>

/* 1.0 and 6.0 as scales. */
enum { SCALE_ONE = 0x3F800000, SCALE_SIX = 0x40C00000 };

/* A positive real number, multiplier * 2^(shift - 31), the multiplier 2^30 or more. With SHIFT_MIN it is so small that
 * it counts as 0: all that is multiplied by it becomes 0. */
struct quantized_multiplier {
    int32_t multiplier;
    int32_t shift;
};

enum { SHIFT_MIN = -32 };

/* True for a number from 2^-60 to 2^60, positive therefore; the functions below expect such scales. */
static inline bool scale_is_usable(uint32_t scale) {
    return (scale >> 23) - (127 - 60) < 120; /* the sign bit makes it larger */
}

/* a * b / c, the product taken in double precision. False if it is 2^30 or more. */
bool multiplier_of_scales(uint32_t a, uint32_t b, uint32_t c, struct quantized_multiplier *out);

/* a * b in single precision, as bits. */
uint32_t single_product(uint32_t a, uint32_t b);

/* round(value / scale), value SCALE_ONE or SCALE_SIX. Right up to 255, and not less than 256 from there on. */
uint32_t quantize_whole(uint32_t value, uint32_t scale);

/* x * multiplier / 2^31, rounded, a tie going up, for `twice` the multiplier, 2^31 or more. */
static inline int32_t multiply_high(int32_t x, uint32_t twice) {
#if defined(__ARM_FEATURE_DSP)
    /* (x * 2^32 + x * (twice - 2^32) + 2^31) / 2^32: the second factor fits in 32 bits with a sign. */
    __asm__("smmlar %0, %0, %1, %0" : "+r"(x) : "r"(twice));
    return x;
#else
    return (int32_t)(((int64_t)x * (int64_t)twice + (INT64_C(1) << 31)) >> 32);
#endif
}

/* x / 2^(less_one + 1), rounded, a tie going away from zero. A multiplier is below 2^31, so what multiply_high gives
 * has room for a 1 either way. */
static inline int32_t shift_right(int32_t x, int32_t less_one) {
    return (((x - (x < 0)) >> less_one) + 1) >> 1;
}

/* (x + y) / 2, rounded down and held within int8. */
static inline int32_t half_sum_int8(int32_t x, int32_t y) {
#if defined(__ARM_FEATURE_DSP)
    int32_t half;
    __asm__("qadd %0, %1, %2\n\tssat %0, #8, %0, asr #1" : "=r"(half) : "r"(x), "r"(y));
    return half;
#else
    const int64_t half = ((int64_t)x + y) >> 1;
    return half < INT8_MIN ? INT8_MIN : half > INT8_MAX ? INT8_MAX : (int32_t)half;
#endif
}

/* x * multiplier * 2^(shift - 31) as gemmlowp computes it: rounded twice. Written out where it is used. */
static inline __attribute__((always_inline)) int32_t multiply_here(int32_t x, struct quantized_multiplier m) {
    if (m.shift < 0) {
        return shift_right(multiply_high(x, (uint32_t)m.multiplier * 2), ~m.shift);
    }
    /* Wraps, as the interpreter's does. */
    return multiply_high((int32_t)((uint32_t)x << m.shift), (uint32_t)m.multiplier * 2);
}

/* The same as a call, for any multiplier. */
int32_t multiply_twice_rounded(int32_t x, struct quantized_multiplier m);

#endif
