#include "quantization.h"

enum {
    ONE = 0x3F800000 /* 1.0 */,
    SIX = 0x40C00000,
    EXPONENT_BITS = 23,
    BIAS = 150 /* of the exponent of a mantissa taken whole */
};

int32_t multiply_twice_rounded(int32_t x, struct quantized_multiplier m) {
    return multiply_here(x, m.multiplier, m.shift);
}

bool scale_is_usable(uint32_t scale) {
    const uint32_t exponent = scale >> EXPONENT_BITS; /* the sign bit makes it > 255 */
    return exponent - (127 - 60) < 120;
}

static uint32_t mantissa(uint32_t bits) {
    return (bits & 0x7FFFFF) | 0x800000;
}

/* The first 54 binary digits of a / b, which is the result * 2^exponent and something; a > 0. */
static __attribute__((noinline)) uint64_t divide(uint64_t a, uint32_t b, int32_t *exponent) {
    uint64_t digits = 0;
    uint32_t rest = 0;
    int32_t places = 64;
    while ((uint32_t)(digits >> 32) >> 21 == 0) {
        rest = 2 * rest + (uint32_t)(a >> 63);
        a <<= 1;
        digits <<= 1;
        if (rest >= b) {
            rest -= b;
            digits |= 1;
        }
        places--;
    }
    *exponent = places;
    return digits;
}

uint32_t single_product(uint32_t a, uint32_t b) {
    const uint64_t product = (uint64_t)mantissa(a) * mantissa(b);
    const uint32_t long_one = (uint32_t)(product >> 47); /* 1: of 48 digits, not 47 */
    const uint32_t top = (uint32_t)(product >> (15 + long_one));
    const uint32_t rest = (uint32_t)product << (17 - long_one);
    /* 32 digits, the last one standing for all behind it; to 24 of them, half to even. A carry goes into the exponent.
     */
    const uint32_t digits = top | (rest != 0);
    const uint32_t kept = digits >> 8;
    const uint32_t rounded = kept + (((digits & 0xFF) + 0x7F + (kept & 1)) >> 8);
    return (((a >> EXPONENT_BITS) + (b >> EXPONENT_BITS) - 127 + long_one - 1) << EXPONENT_BITS) + rounded;
}

bool multiplier_of_scales(uint32_t input, uint32_t weights, uint32_t output, bool per_row,
                          struct quantized_multiplier *out) {
    if (!per_row) {
        input = single_product(input, weights);
        weights = ONE;
    }
    const uint64_t product = (uint64_t)mantissa(input) * mantissa(weights);
    int32_t exponent;
    const uint64_t digits = divide(product, mantissa(output), &exponent);
    /* The interpreter rounds twice: to the 53 bits of a double, half to even, then to 31, half up. The first one lifts
     * to a half what is short of it by a unit of the 54th bit or less. */
    uint32_t fraction = (uint32_t)((digits + 1 + (1 << 22)) >> 23);
    const uint32_t carry = fraction >> 31;
    fraction >>= carry;
    int32_t shift = exponent + (int32_t)(input >> EXPONENT_BITS) + (int32_t)(weights >> EXPONENT_BITS) -
                    (int32_t)(output >> EXPONENT_BITS) + (int32_t)carry + 54 - BIAS;
    if (shift < -31) {
        fraction = 0;
        shift = 0;
    }
    out->multiplier = (int32_t)fraction;
    out->shift = shift;
    return shift <= 30;
}

bool quantize_whole(uint32_t value, uint32_t scale, int32_t *out) {
    int32_t exponent;
    const uint32_t digits = (uint32_t)(divide(value, mantissa(scale), &exponent) >> 23); /* 31 of them */
    const int32_t length = exponent + 54 + BIAS - (int32_t)(scale >> EXPONENT_BITS);     /* of the whole part */
    /* The interpreter rounds to the 24 bits of a single, half to even, then half up: the first one lifts to a half what
     * is short of it by half a unit of the 24th bit. */
    if (length > 30) {
        return false;
    }
    *out = length < 0 ? 0 : (int32_t)((digits + (1 << 6) + (1u << (30 - length))) >> (31 - length));
    return true;
}
