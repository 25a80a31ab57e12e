#include "quantization.h"

enum { EXPONENT_BITS = 23 };

int32_t multiply_twice_rounded(int32_t x, struct quantized_multiplier m) {
    const int32_t wide = m.shift < 0 ? x : (int32_t)((uint32_t)x << m.shift); /* wraps, as the interpreter's does */
    const int32_t high = (int32_t)(((int64_t)wide * m.multiplier + (1 << 30)) >> 31);
    return m.shift < 0 ? shift_right(high, ~m.shift) : high;
}

static uint32_t mantissa(uint32_t bits) {
    return (bits & 0x7FFFFF) | 0x800000;
}

uint32_t single_product(uint32_t a, uint32_t b) {
    uint64_t product = (uint64_t)mantissa(a) * mantissa(b); /* of 47 digits or 48 */
    uint32_t exponent = (a >> EXPONENT_BITS) + (b >> EXPONENT_BITS) - 127;
    if (product >> 47 == 0) {
        product <<= 1;
        exponent--;
    }
    /* To 24 digits, half to even. The leading one, and a carry, go into the exponent. */
    const uint32_t kept = (uint32_t)(product >> 24);
    const uint32_t rest = (uint32_t)product & 0xFFFFFF;
    return (exponent << EXPONENT_BITS) + kept + ((rest + 0x7FFFFF + (kept & 1)) >> 24);
}

bool multiplier_of_scales(uint32_t a, uint32_t b, uint32_t c, struct quantized_multiplier *out) {
    const uint64_t product = (uint64_t)mantissa(a) * mantissa(b);
    const uint32_t divisor = mantissa(c);
    int32_t shift = (int32_t)(a >> EXPONENT_BITS) + (int32_t)(b >> EXPONENT_BITS) - (int32_t)(c >> EXPONENT_BITS) - 95;
    /* The first 31 binary digits of the quotient, as on paper. */
    uint32_t rest = (uint32_t)(product >> 24);
    uint32_t next = (uint32_t)product << 8;
    uint32_t digits = 0;
    for (;;) {
        digits *= 2;
        if (rest >= divisor) {
            rest -= divisor;
            digits++;
        }
        rest = 2 * rest + (next >> 31);
        if (digits >> 30 != 0) {
            break;
        }
        next <<= 1;
        shift--;
    }
    /* The interpreter rounds twice: to the 53 digits of a double, half to even, then to 31, half up. The first one
     * lifts to a half what is short of it by a unit of the 54th digit or less. */
    if (rest + (divisor >> 22) >= divisor) {
        digits++;
    }
    if (digits >> 31 != 0) {
        digits >>= 1;
        shift++;
    }
    out->multiplier = (int32_t)digits;
    out->shift = shift < SHIFT_MIN ? SHIFT_MIN : shift;
    return shift <= 30;
}

uint32_t quantize_whole(uint32_t value, uint32_t scale) {
    const uint32_t divisor = mantissa(scale);
    int32_t length = (int32_t)(value >> EXPONENT_BITS) - (int32_t)(scale >> EXPONENT_BITS) + 25; /* of the whole part */
    uint32_t rest = mantissa(value);
    uint32_t digits = 0; /* the first 25 of the quotient */
    for (;;) {
        digits *= 2;
        if (rest >= divisor) {
            rest -= divisor;
            digits++;
        }
        if (digits >> 24 != 0) {
            break;
        }
        rest *= 2;
        length--;
    }
    if (length < 0) {
        return 0;
    }
    if (length > 8) {
        return 256;
    }
    /* The interpreter rounds to the 24 digits of a single, half to even, then half up: the first one lifts to a half
     * what is short of it by a unit of the 25th digit. */
    return (digits + 1 + (1u << (24 - length))) >> (25 - length);
}
