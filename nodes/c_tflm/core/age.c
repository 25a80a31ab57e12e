#include "age.h"

enum { QUARTER_MS = 250 };

uint32_t age_decode_ms(uint8_t code) {
    const uint32_t exponent = code >> 4;
    const uint32_t mantissa = code & 15;
    return QUARTER_MS * (exponent == 0 ? mantissa : (16 + mantissa) << (exponent - 1));
}

uint8_t age_encode(uint64_t age_ms) {
    uint8_t low = 0;
    uint8_t high = UINT8_MAX;
    if (age_ms >= age_decode_ms(UINT8_MAX)) {
        return UINT8_MAX;
    }
    while (high - low > 1) { /* age of low <= age_ms < age of high */
        const uint8_t middle = (uint8_t)((low + high) / 2);
        if (age_decode_ms(middle) <= age_ms) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return age_ms - age_decode_ms(low) <= age_decode_ms(high) - age_ms ? low : high;
}
