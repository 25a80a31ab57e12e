#include "clock.h"

#include "l4.h"

enum { TRIES = 100000, WAIT_STATES_80M = 4 };

bool clock_leave_low_power_run(const struct registers *r) {
    register_clear(r, PWR_CR1, PWR_CR1_LPR);
    return register_until(r, PWR_SR2, PWR_SR2_REGLPF, 0, TRIES);
}

static bool start_hsi16(const struct registers *r) {
    register_set(r, RCC_CR, RCC_CR_HSION);
    return register_until(r, RCC_CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY, TRIES);
}

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
    if (!clock_leave_low_power_run(r) || !start_hsi16(r) || !switch_to(r, RCC_CFGR_HSI16)) {
        return false;
    }
    register_clear(r, RCC_CR, RCC_CR_PLLON);
    return wait_states(r, 0);
}

static bool fast(const struct registers *r) {
    if (runs_from(r, RCC_CFGR_PLL)) {
        return true;
    }
    if (!steady(r) || !register_until(r, RCC_CR, RCC_CR_PLLRDY, 0, TRIES)) {
        return false;
    }
    register_write(r, RCC_PLLCFGR, RCC_PLLCFGR_HSI16_80M);
    register_set(r, RCC_CR, RCC_CR_PLLON);
    return register_until(r, RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY, TRIES) && wait_states(r, WAIT_STATES_80M) &&
           switch_to(r, RCC_CFGR_PLL);
}

/* "Entering the Low-power run mode": at most 2 MHz before LPR is set. */
static bool slow(const struct registers *r) {
    if (register_is(r, PWR_CR1, PWR_CR1_LPR, PWR_CR1_LPR) && runs_from(r, RCC_CFGR_MSI)) {
        return start_hsi16(r);
    }
    if (!steady(r)) {
        return false;
    }
    register_set(r, RCC_CR, RCC_CR_MSION);
    if (!register_until(r, RCC_CR, RCC_CR_MSIRDY, RCC_CR_MSIRDY, TRIES)) {
        return false;
    }
    register_field(r, RCC_CR, RCC_CR_MSIRANGE | RCC_CR_MSIRGSEL, RCC_CR_MSIRANGE_2M | RCC_CR_MSIRGSEL);
    if (!switch_to(r, RCC_CFGR_MSI)) {
        return false;
    }
    register_set(r, PWR_CR1, PWR_CR1_LPR);
    return true;
}

bool clock_pace(const struct registers *r, enum pace pace) {
    switch (pace) {
    case PACE_SENSE:
        return slow(r);
    case PACE_RADIO:
        return (runs_from(r, RCC_CFGR_HSI16) && register_is(r, PWR_CR1, PWR_CR1_LPR, 0)) || steady(r);
    default:
        return fast(r);
    }
}
