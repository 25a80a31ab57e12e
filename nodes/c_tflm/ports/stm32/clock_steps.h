/* Steps from one clock to another that these chips have in common ("Clock configuration register", "Read access
 * latency").
 */
#ifndef STETHOS_CLOCK_STEPS_H
#define STETHOS_CLOCK_STEPS_H

#include "chip_layout.h"

enum { CLOCK_TRIES = 100000 };

static inline bool clock_switch_to(const struct registers *r, uint32_t source) {
    register_field(r, RCC_CFGR, RCC_CFGR_SW, source);
    return register_until(r, RCC_CFGR, RCC_CFGR_SWS, source << 2, CLOCK_TRIES);
}

static inline bool clock_runs_from(const struct registers *r, uint32_t source) {
    return register_is(r, RCC_CFGR, RCC_CFGR_SWS, source << 2);
}

/* A clock is never raised before the flash is known to keep up with it. */
static inline bool clock_wait_states(const struct registers *r, uint32_t n) {
    register_field(r, FLASH_ACR, FLASH_ACR_LATENCY, n);
    return register_until(r, FLASH_ACR, FLASH_ACR_LATENCY, n, CLOCK_TRIES);
}

#endif
