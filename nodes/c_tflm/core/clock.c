#include "clock.h"

#include "fixed.h"

enum { MILLION = 1000000, RATIO_BITS = 17 };
_Static_assert(CLOCK_LIMIT_PPM < (1 << RATIO_BITS) - 1, "a ratio beyond the limit shows");

static void start(struct clock *clock, uint64_t local_ms, uint64_t gateway_ms) {
    clock->local_ms = local_ms;
    clock->gateway_ms = gateway_ms;
    clock->started = true;
}

/* floor(a / b), or 2^17 - 1 if that is more; b below 2^47. One bit at a time from the top. */
static int32_t ratio(uint64_t a, uint64_t b) {
    int32_t found = 0;
    b <<= RATIO_BITS;
    for (uint32_t i = 0; i < RATIO_BITS; i++) {
        b >>= 1;
        found *= 2;
        if (a >= b) {
            a -= b;
            found++;
        }
    }
    return found;
}

/* Rounded down. */
static uint64_t millionths(uint64_t x, uint32_t of) {
    const uint64_t millions = fixed_divide(x, MILLION);
    return millions * of + fixed_divide((x - millions * MILLION) * of, MILLION);
}

void clock_compare(struct clock *clock, uint64_t local_ms, uint64_t gateway_ms) {
    static const uint64_t LONGEST_MS = UINT64_C(1) << 40; /* keeps the products below within 64 bits */
    if (!clock->started || local_ms < clock->local_ms || gateway_ms < clock->gateway_ms) {
        start(clock, local_ms, gateway_ms);
        return;
    }
    const uint64_t local = local_ms - clock->local_ms;
    const uint64_t gateway = gateway_ms - clock->gateway_ms;
    if (local < CLOCK_BASELINE_MS) {
        return;
    }
    if (local < LONGEST_MS && gateway < LONGEST_MS) {
        const int64_t ahead = (int64_t)(local - gateway);
        const int32_t ppm = ratio((uint64_t)(ahead < 0 ? -ahead : ahead) * MILLION, local);
        if (ppm <= CLOCK_LIMIT_PPM) {
            clock->fast_ppm = ahead < 0 ? -ppm : ppm;
        }
    }
    start(clock, local_ms, gateway_ms);
}

uint32_t clock_local_ms(const struct clock *clock, uint32_t ms) {
    const bool fast = clock->fast_ppm > 0;
    const uint64_t change = millionths(ms, (uint32_t)(fast ? clock->fast_ppm : -clock->fast_ppm));
    const uint64_t local = fast ? ms + change : ms - change;
    return local > UINT32_MAX ? UINT32_MAX : (uint32_t)local;
}

uint64_t clock_gateway_ms(const struct clock *clock, uint64_t local_ms) {
    return millionths(local_ms, (uint32_t)(MILLION - clock->fast_ppm));
}
