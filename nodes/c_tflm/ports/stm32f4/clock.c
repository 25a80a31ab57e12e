#include "clock.h"

#include "clock_steps.h"

enum { WAIT_STATES_168M = 5 };

static bool steady(const struct registers *r) {
    if (clock_runs_from(r, RCC_CFGR_HSI)) {
        return true;
    }
    if (!clock_switch_to(r, RCC_CFGR_HSI)) {
        return false;
    }
    register_clear(r, RCC_CR, RCC_CR_PLLON);
    register_clear(r, RCC_CFGR, RCC_CFGR_PPRE);
    return clock_wait_states(r, 0);
}

static bool fast(const struct registers *r) {
    if (clock_runs_from(r, RCC_CFGR_PLL)) {
        return true;
    }
    register_write(r, RCC_PLLCFGR, RCC_PLLCFGR_HSI_168M);
    register_set(r, RCC_CR, RCC_CR_PLLON);
    if (!register_until(r, RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY, CLOCK_TRIES) ||
        !clock_wait_states(r, WAIT_STATES_168M)) {
        return false;
    }
    register_field(r, RCC_CFGR, RCC_CFGR_PPRE, RCC_CFGR_PPRE_4_2); /* 42 and 84 MHz are the most */
    return clock_switch_to(r, RCC_CFGR_PLL);
}

bool clock_pace(const struct registers *r, enum pace pace) {
    return pace == PACE_COMPUTE ? fast(r) : steady(r);
}
