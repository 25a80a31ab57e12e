#include "clock.h"

#include "clock_steps.h"

enum { WAIT_STATES_80M = 4 };

bool clock_leave_low_power_run(const struct registers *r) {
    register_clear(r, PWR_CR1, PWR_CR1_LPR);
    return register_until(r, PWR_SR2, PWR_SR2_REGLPF, 0, CLOCK_TRIES);
}

static bool start_hsi16(const struct registers *r) {
    register_set(r, RCC_CR, RCC_CR_HSION);
    return register_until(r, RCC_CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY, CLOCK_TRIES);
}

static bool steady(const struct registers *r) {
    if (!clock_leave_low_power_run(r) || !start_hsi16(r) || !clock_switch_to(r, RCC_CFGR_HSI16)) {
        return false;
    }
    register_clear(r, RCC_CR, RCC_CR_PLLON);
    return clock_wait_states(r, 0);
}

static bool fast(const struct registers *r) {
    if (clock_runs_from(r, RCC_CFGR_PLL)) {
        return true;
    }
    if (!steady(r) || !register_until(r, RCC_CR, RCC_CR_PLLRDY, 0, CLOCK_TRIES)) {
        return false;
    }
    register_write(r, RCC_PLLCFGR, RCC_PLLCFGR_HSI16_80M);
    register_set(r, RCC_CR, RCC_CR_PLLON);
    return register_until(r, RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY, CLOCK_TRIES) &&
           clock_wait_states(r, WAIT_STATES_80M) && clock_switch_to(r, RCC_CFGR_PLL);
}

/* "Entering the Low-power run mode": at most 2 MHz before LPR is set. */
static bool slow(const struct registers *r) {
    if (register_is(r, PWR_CR1, PWR_CR1_LPR, PWR_CR1_LPR) && clock_runs_from(r, RCC_CFGR_MSI)) {
        return start_hsi16(r);
    }
    if (!steady(r)) {
        return false;
    }
    register_set(r, RCC_CR, RCC_CR_MSION);
    if (!register_until(r, RCC_CR, RCC_CR_MSIRDY, RCC_CR_MSIRDY, CLOCK_TRIES)) {
        return false;
    }
    register_field(r, RCC_CR, RCC_CR_MSIRANGE | RCC_CR_MSIRGSEL, RCC_CR_MSIRANGE_2M | RCC_CR_MSIRGSEL);
    if (!clock_switch_to(r, RCC_CFGR_MSI)) {
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
        return (clock_runs_from(r, RCC_CFGR_HSI16) && register_is(r, PWR_CR1, PWR_CR1_LPR, 0)) || steady(r);
    default:
        return fast(r);
    }
}
