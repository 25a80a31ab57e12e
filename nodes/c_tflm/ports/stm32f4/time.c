/* The time base of the F4: RTC, Stop with the regulator low (RM0090, "Stop mode"). */
#include "timebase.h"

#include <stddef.h>

#include "clock.h"
#include "cortex.h"
#include "f4.h"
#include "rtc.h"

enum { NAP_MS_MAX = 30000, ATTEMPTS = 2 };

struct timebase {
    const struct registers *registers;
    uint32_t refused;
};

static struct timebase timebase;

struct timebase *time_start(const struct registers *r) {
    timebase = (struct timebase){.registers = r};
    register_set(r, RCC_APB1ENR, RCC_APB1ENR_PWREN);
    register_set(r, PWR_CR, PWR_CR_DBP);
    return rtc_start(r) ? &timebase : NULL;
}

uint64_t time_now_ms(struct timebase *time) {
    return rtc_now_ms(time->registers);
}

void time_pace(struct timebase *time, enum pace pace) {
    clock_pace(time->registers, pace);
}

void time_nap(struct timebase *time, uint32_t ms) {
    const struct registers *r = time->registers;
    rtc_wake_off(r);
    if (ms > 0 && rtc_wake_ready(r) && rtc_wake_in(r, ms < NAP_MS_MAX ? ms : NAP_MS_MAX)) {
        register_wait(r);
    }
    rtc_wake_off(r);
}

/* With a line pending the chip would pass over it without a word. */
static bool stop(struct timebase *time, uint32_t ms) {
    const struct registers *r = time->registers;
    if (!rtc_wake_in(r, ms) || !register_is(r, EXTI_PR1, UINT32_MAX, 0) ||
        register_is(r, SCB_ICSR, SCB_ICSR_ISRPENDING, SCB_ICSR_ISRPENDING)) {
        time->refused++;
        register_write(r, EXTI_PR1, register_read(r, EXTI_PR1));
        rtc_wake_off(r);
        return false;
    }
    register_field(r, PWR_CR, PWR_CR_PDDS | PWR_CR_LPDS, PWR_CR_LPDS | PWR_CR_CWUF);
    register_set(r, SCB_SCR, SCB_SCR_SLEEPDEEP);
    register_wait(r);
    register_clear(r, SCB_SCR, SCB_SCR_SLEEPDEEP);
    rtc_wake_off(r);
    return true;
}

void time_sleep(struct timebase *time, uint32_t ms) {
    const uint64_t end_ms = time_now_ms(time) + ms;
    clock_pace(time->registers, PACE_RADIO);
    for (uint64_t now_ms = time_now_ms(time); now_ms < end_ms; now_ms = time_now_ms(time)) {
        const uint64_t left_ms = end_ms - now_ms;
        const uint32_t stage_ms = left_ms < RTC_WAKE_MAX_S * UINT64_C(1000) ? (uint32_t)left_ms : RTC_WAKE_MAX_S * 1000;
        bool slept = false;
        register_hold(time->registers);
        for (unsigned i = 0; i < ATTEMPTS && !slept; i++) {
            slept = stop(time, stage_ms);
        }
        if (!slept) {
            time_nap(time, stage_ms);
        }
        register_release(time->registers);
    }
}

uint32_t time_refused(const struct timebase *time) {
    return time->refused;
}

/* Standby: the reset pin ends it. */
void time_storage(struct timebase *time) {
    const struct registers *r = time->registers;
    rtc_wake_off(r);
    register_field(r, PWR_CR, PWR_CR_PDDS | PWR_CR_LPDS, PWR_CR_PDDS | PWR_CR_CWUF | PWR_CR_CSBF);
    register_set(r, SCB_SCR, SCB_SCR_SLEEPDEEP);
    register_wait(r);
    register_clear(r, SCB_SCR, SCB_SCR_SLEEPDEEP);
}
