#include "clock.h"

static void start(struct clock *clock, uint64_t local_ms, uint64_t gateway_ms) {
    clock->local_ms = local_ms;
    clock->gateway_ms = gateway_ms;
    clock->started = true;
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
        const int64_t ppm = ((int64_t)local - (int64_t)gateway) * 1000000 / (int64_t)local;
        if (ppm <= CLOCK_LIMIT_PPM && ppm >= -CLOCK_LIMIT_PPM) {
            clock->fast_ppm = (int32_t)ppm;
        }
    }
    start(clock, local_ms, gateway_ms);
}

uint32_t clock_local_ms(const struct clock *clock, uint32_t ms) {
    const int64_t local = (int64_t)ms + (int64_t)ms * clock->fast_ppm / 1000000;
    return local > UINT32_MAX ? UINT32_MAX : (uint32_t)local;
}

uint64_t clock_gateway_ms(const struct clock *clock, uint64_t local_ms) {
    const uint64_t million = 1000000;
    const uint64_t rate = (uint64_t)((int64_t)million - clock->fast_ppm);
    return local_ms / million * rate + local_ms % million * rate / million;
}
