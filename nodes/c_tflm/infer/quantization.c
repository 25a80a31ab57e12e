#include "quantization.h"

enum { SINGLE_BITS = 24, DOUBLE_BITS = 53, ALIGNED_BITS = 48 };

/* mantissa * 2^exponent */
struct real {
    uint64_t mantissa;
    int32_t exponent;
};

static int32_t bit_length(uint64_t x) {
    int32_t n = 0;
    for (; x != 0; x >>= 1) {
        n++;
    }
    return n;
}

static int32_t biased_exponent(uint32_t bits) {
    return (int32_t)(bits >> 23); /* the sign bit makes it > 255 */
}

bool scale_is_usable(uint32_t scale) {
    return biased_exponent(scale) >= 127 - 60 && biased_exponent(scale) < 127 + 60;
}

static struct real from_single(uint32_t bits) {
    const struct real zero = {0, 0};
    const struct real x = {(bits & 0x7FFFFF) | 0x800000, biased_exponent(bits) - 150};
    return bits == 0 ? zero : x;
}

/* Rounds to `bits` significant bits, to even at a tie, as IEEE 754 arithmetic does. */
static struct real round_to_even(struct real x, int32_t bits) {
    const int32_t drop = bit_length(x.mantissa) - bits;
    if (drop > 0) {
        const uint64_t half = UINT64_C(1) << (drop - 1);
        const uint64_t rest = x.mantissa & (2 * half - 1);
        x.mantissa >>= drop;
        x.exponent += drop;
        x.mantissa += rest > half || (rest == half && (x.mantissa & 1) != 0);
    }
    return x;
}

static struct real aligned(struct real x) {
    const int32_t up = ALIGNED_BITS - bit_length(x.mantissa);
    const struct real y = {x.mantissa << up, x.exponent - up};
    return y;
}

static struct real multiply(struct real a, struct real b) {
    const struct real product = {a.mantissa * b.mantissa, a.exponent + b.exponent};
    return product;
}

/* Long division; two bits more than wanted and a last one that says "and something", then rounded. */
static struct real divide(struct real a, struct real b, int32_t bits) {
    a = aligned(a);
    b = aligned(b);
    uint64_t rest = a.mantissa;
    struct real quotient = {0, a.exponent - b.exponent - (bits + 2)};
    for (int32_t i = 0; i < bits + 2; i++) {
        const bool fits = rest >= b.mantissa;
        quotient.mantissa = 2 * quotient.mantissa + fits;
        rest = 2 * (fits ? rest - b.mantissa : rest);
    }
    quotient.mantissa = 2 * quotient.mantissa + (rest != 0);
    return round_to_even(quotient, bits);
}

/* floor(x / 2^drop + 1/2), for drop in 0..63. */
static uint64_t round_half_up(uint64_t x, int32_t drop) {
    return drop == 0 ? x : ((x >> (drop - 1)) + 1) >> 1;
}

bool multiplier_of_scales(uint32_t input, uint32_t weights, uint32_t output, bool per_row,
                          struct quantized_multiplier *out) {
    const struct real exact = multiply(from_single(input), from_single(weights));
    const struct real product = per_row ? exact : round_to_even(exact, SINGLE_BITS);
    const struct real ratio = divide(product, from_single(output), DOUBLE_BITS);
    const int32_t length = bit_length(ratio.mantissa);
    uint64_t fraction = length > 31 ? round_half_up(ratio.mantissa, length - 31) : ratio.mantissa << (31 - length);
    int32_t shift = length + ratio.exponent;
    if (fraction == UINT64_C(1) << 31) {
        fraction >>= 1;
        shift++;
    }
    if (shift < -31) {
        fraction = 0;
        shift = 0;
    }
    out->multiplier = (int32_t)fraction;
    out->shift = shift;
    return shift <= 30;
}

/* x in units of 2^unit, or INT64_MAX if that does not fit. */
static int64_t in_units(struct real x, int32_t unit) {
    const int32_t up = x.exponent - unit;
    if (up > 0) {
        return bit_length(x.mantissa) + up > 62 ? INT64_MAX : (int64_t)(x.mantissa << up);
    }
    return up < -63 ? 0 : (int64_t)(x.mantissa >> -up);
}

bool bias_scale_fits(uint32_t input, uint32_t weights, uint32_t bias, uint32_t output) {
    if (bias != 0 && (biased_exponent(bias) < 1 || biased_exponent(bias) > 254)) {
        return false;
    }
    const struct real limit = from_single(output);
    const int32_t unit = limit.exponent - 7; /* makes `limit` a number of 31 bits */
    const int64_t product = in_units(multiply(from_single(input), from_single(weights)), unit);
    const int64_t given = in_units(from_single(bias), unit);
    const int64_t difference = product > given ? product - given : given - product;
    return product != INT64_MAX && difference <= in_units(limit, unit) / 50;
}

bool quantize_whole(uint32_t value, uint32_t scale, int32_t *out) {
    const struct real whole = {value, 0};
    const struct real quotient = divide(whole, from_single(scale), SINGLE_BITS);
    if (bit_length(quotient.mantissa) + quotient.exponent > 30) {
        return false;
    }
    if (quotient.exponent >= 0) {
        *out = (int32_t)(quotient.mantissa << quotient.exponent);
    } else {
        *out = quotient.exponent < -63 ? 0 : (int32_t)round_half_up(quotient.mantissa, -quotient.exponent);
    }
    return true;
}

int32_t multiply_twice_rounded(int32_t x, struct quantized_multiplier m) {
    const uint32_t left = m.shift > 0 ? (uint32_t)m.shift : 0;
    const uint32_t right = m.shift > 0 ? 0 : (uint32_t)-m.shift;
    const int32_t shifted = (int32_t)((uint32_t)x << left); /* wraps, as the interpreter's does */
    const int64_t product = (int64_t)shifted * m.multiplier;
    const int64_t nudge = product >= 0 ? INT64_C(1) << 30 : 1 - (INT64_C(1) << 30);
    const int64_t high = (product + nudge) / (INT64_C(1) << 31);
    const int64_t mask = (INT64_C(1) << right) - 1;
    const int64_t threshold = (mask >> 1) + (high < 0);
    return (int32_t)((high >> right) + ((high & mask) > threshold));
}
