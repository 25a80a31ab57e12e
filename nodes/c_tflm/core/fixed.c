#include "fixed.h"

/* floor(2^(31 + 2^-i)) for i in 1..12: the twelve factors that a fraction of 12 bits can choose from. */
static const uint32_t ROOTS_OF_TWO[] = {0xb504f333, 0x9837f051, 0x8b95c1e3, 0x85aac367, 0x82cd8698, 0x8164d1f3,
                                        0x80b1ed4f, 0x8058d7d2, 0x802c6436, 0x8016302f, 0x800b179c, 0x80058baf};

enum { FRACTION_BITS = 12, HIGHEST = 63 };

/* By halving: is there anything in the upper half of what is left? */
uint32_t fixed_bits(uint64_t x) {
    const uint32_t high = (uint32_t)(x >> 32);
    uint32_t rest = high != 0 ? high : (uint32_t)x;
    uint32_t bits = high != 0 ? 32 : 0;
    for (uint32_t half = 16; half != 0; half >>= 1) {
        if (rest >> half != 0) {
            rest >>= half;
            bits += half;
        }
    }
    return bits + rest;
}

/* One result bit at a time from the top, as one does it by hand. */
uint32_t fixed_root(uint64_t x) {
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << ((fixed_bits(x | 1) - 1) & ~1U); bit != 0; bit >>= 2) {
        if (x >= root + bit) {
            x -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return (uint32_t)root;
}

/* Squaring a mantissa doubles its logarithm; whether it then reaches 2 is the next bit. */
int32_t fixed_log2(uint64_t x) {
    if (x == 0) {
        return FIXED_LOG_ZERO;
    }
    int32_t log = (int32_t)fixed_bits(x) - 1;
    uint32_t mantissa = (uint32_t)(x << (HIGHEST - log) >> 32);
    for (int i = 0; i < FRACTION_BITS; i++) {
        const uint64_t square = (uint64_t)mantissa * mantissa;
        const uint32_t high = (uint32_t)(square >> HIGHEST);
        log = 2 * log + (int32_t)high;
        mantissa = (uint32_t)((high != 0 ? square : square << 1) >> 32);
    }
    return log;
}

uint64_t fixed_exp2(int32_t y) {
    const int32_t whole = y / FIXED_ONE;
    if (y < 0) {
        return 0;
    }
    if (whole > HIGHEST) {
        return UINT64_MAX;
    }
    uint64_t mantissa = UINT64_C(1) << 31;
    for (int i = 0; i < FRACTION_BITS; i++) {
        if ((y >> (FRACTION_BITS - 1 - i) & 1) != 0) {
            mantissa = mantissa * ROOTS_OF_TWO[i] >> 31;
        }
    }
    return whole >= 31 ? mantissa << (whole - 31) : mantissa >> (31 - whole);
}

/* By hand as well, with bytes for digits: remainder and next byte together stay within 32 bits. */
uint64_t fixed_divide(uint64_t a, uint32_t b) {
    uint64_t quotient = 0;
    uint32_t rest = 0;
    for (int i = 0; i < 8; i++, a <<= 8) {
        rest = rest << 8 | (uint32_t)(a >> 56);
        quotient = quotient << 8 | rest / b;
        rest %= b;
    }
    return quotient;
}
