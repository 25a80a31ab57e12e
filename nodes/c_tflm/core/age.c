#include "age.h"

enum { QUARTER_MS = 250 };

uint32_t age_decode_ms(uint8_t code) {
    const uint32_t exponent = code >> 4;
    const uint32_t mantissa = code & 15;
    return QUARTER_MS * (exponent == 0 ? mantissa : (16 + mantissa) << (exponent - 1));
}

uint8_t age_encode(uint64_t age_ms) {
    if (age_ms >= age_decode_ms(UINT8_MAX)) {
        return UINT8_MAX;
    }
    const uint32_t ms = (uint32_t)age_ms;
    uint8_t code = 0;
    for (uint8_t step = 128; step != 0; step >>= 1) { /* the highest whose age is not above it */
        code |= age_decode_ms(code | step) <= ms ? step : 0;
    }
    return (uint8_t)(code + (ms - age_decode_ms(code) > age_decode_ms((uint8_t)(code + 1)) - ms));
}
