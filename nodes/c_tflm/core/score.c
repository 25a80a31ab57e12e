#include "score.h"

#include "fixed.h"

enum {
    STEPS = 16,
    LOG_OF_ZERO = -128 - 512,
};

/* ceil(2^(31 + j/16)) for j in 1..15. */
static const uint32_t BOUND[STEPS - 1] = {
    2242560872u, 2341847524u, 2445529972u, 2553802834u, 2666869345u, 2784941738u, 2908241643u, 3037000500u,
    3171460000u, 3311872530u, 3458501654u, 3611622603u, 3771522797u, 3938502376u, 4112874774u,
};

/* floor(16 · log2 x). */
static int32_t log2_sixteenths(uint32_t x) {
    if (x == 0) {
        return LOG_OF_ZERO;
    }
    const uint32_t k = fixed_bits(x) - 1;
    const uint32_t normalised = x << (31 - k);
    uint32_t j = 0;
    while (j < STEPS - 1 && normalised >= BOUND[j]) {
        j++;
    }
    return (int32_t)(STEPS * k + j);
}

uint8_t score_encode(uint32_t error, uint32_t threshold) {
    const int32_t code = SCORE_THRESHOLD + log2_sixteenths(error) - log2_sixteenths(threshold);
    if (code < 0) {
        return 0;
    }
    return code > UINT8_MAX ? UINT8_MAX : (uint8_t)code;
}
