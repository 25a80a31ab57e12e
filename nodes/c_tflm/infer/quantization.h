/* What TFLite Micro derives from the scales of a fully-connected layer, in integers but to the same bit.
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

/* Is |input * weights - bias| at most a fiftieth of `output`, as the interpreter demands? `bias` may be any normal
 * number, or 0. */
bool bias_scale_fits(uint32_t input, uint32_t weights, uint32_t bias, uint32_t output);

/* round(value / scale), value a small whole number. False if the result is 2^30 or more. */
bool quantize_whole(uint32_t value, uint32_t scale, int32_t *out);

/* x * m as gemmlowp computes it: rounded to 32 bits, then rounded again when shifted right. */
int32_t multiply_twice_rounded(int32_t x, struct quantized_multiplier m);

#endif
