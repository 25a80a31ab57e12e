#include "clock.h"

#include "f4.h"

enum { TRIES = 100000, WAIT_STATES_168M = 5 };

static bool switch_to(const struct registers *r, uint32_t source) {
    register_field(r, RCC_CFGR, RCC_CFGR_SW, source);
    return register_until(r, RCC_CFGR, RCC_CFGR_SWS, source << 2, TRIES);
}

static bool runs_from(const struct registers *r, uint32_t source) {
    return register_is(r, RCC_CFGR, RCC_CFGR_SWS, source << 2);
}

/* A clock is never raised before the flash is known to keep up with it. */
static bool wait_states(const struct registers *r, uint32_t n) {
    register_field(r, FLASH_ACR, FLASH_ACR_LATENCY, n);
    return register_until(r, FLASH_ACR, FLASH_ACR_LATENCY, n, TRIES);
}

static bool steady(const struct registers *r) {
    if (runs_from(r, RCC_CFGR_HSI)) {
        return true;
    }
    if (!switch_to(r, RCC_CFGR_HSI)) {
        return false;
    }
    register_clear(r, RCC_CR, RCC_CR_PLLON);
    register_clear(r, RCC_CFGR, RCC_CFGR_PPRE);
    return wait_states(r, 0);
}

static bool fast(const struct registers *r) {
    if (runs_from(r, RCC_CFGR_PLL)) {
        return true;
    }
    register_write(r, RCC_PLLCFGR, RCC_PLLCFGR_HSI_168M);
    register_set(r, RCC_CR, RCC_CR_PLLON);
    if (!register_until(r, RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY, TRIES) || !wait_states(r, WAIT_STATES_168M)) {
        return false;
    }
    register_field(r, RCC_CFGR, RCC_CFGR_PPRE, RCC_CFGR_PPRE_4_2); /* 42 and 84 MHz are the most */
    return switch_to(r, RCC_CFGR_PLL);
}

bool clock_pace(const struct registers *r, enum pace pace) {
    return pace == PACE_COMPUTE ? fast(r) : steady(r);
}
