/* Whole-number mathematics: nodes/wire/SPEC.md, "Fixed point". */
#ifndef STETHOS_FIXED_H
#define STETHOS_FIXED_H

#include <stdint.h>

enum {
    FIXED_ONE = 4096,                 /* an octave, the unit of the logarithms here: Q12 */
    FIXED_LOG_ZERO = -64 * FIXED_ONE, /* the logarithm of 0 */
};

/* floor(sqrt(x)) */
uint32_t fixed_root(uint64_t x);

/* Of x without the zeros before it; 0 has none. */
uint32_t fixed_bits(uint64_t x);

/* log2 of x in Q12, rounded down (one too low at worst); FIXED_LOG_ZERO for 0. */
int32_t fixed_log2(uint64_t x);

/* 2^(y / 4096), rounded down, good to 26 bits; 0 below y = 0, UINT64_MAX from y = 64 * 4096. For f bits of fraction,
 * add f * 4096 to y. */
uint64_t fixed_exp2(int32_t y);

/* floor(a / b) for b in 1..2^24, without a 64-bit division. */
uint64_t fixed_divide(uint64_t a, uint32_t b);

#endif
