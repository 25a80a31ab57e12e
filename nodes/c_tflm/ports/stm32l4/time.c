/* The time base of the L4: RTC, Stop 2, watchdog. */
#include "timebase.h"

#include <stddef.h>

#include "backup.h"
#include "clock.h"
#include "cortex.h"
#include "power.h"
#include "rtc.h"
#include "time_l4.h"
#include "watchdog.h"

enum { STAGE_S_MAX = 3600, ATTEMPTS = 3 };

struct timebase {
    const struct registers *registers;
    struct stop_counts stops;
};

static struct timebase timebase;

struct timebase *time_start(const struct registers *r) {
    timebase = (struct timebase){.registers = r};
    backup_open(r);
    power_watch_supply(r);
    power_brown_out(r);
    if (!rtc_start(r)) {
        return NULL;
    }
    watchdog_start(r);
    return &timebase;
}

const struct stop_counts *time_stops(const struct timebase *time) {
    return &time->stops;
}

uint32_t time_refused(const struct timebase *time) {
    uint32_t refused = 0;
    for (unsigned reason = STOP_ENTERED + 1; reason < STOP_REASONS; reason++) {
        refused += time->stops.of[reason];
    }
    return refused;
}

void time_storage(struct timebase *time) {
    power_shutdown(time->registers);
}

uint64_t time_now_ms(struct timebase *time) {
    return rtc_now_ms(time->registers);
}

void time_pace(struct timebase *time, enum pace pace) {
    watchdog_feed(time->registers);
    clock_pace(time->registers, pace);
}

void time_nap(struct timebase *time, uint32_t ms) {
    const struct registers *r = time->registers;
    const uint32_t most = WATCHDOG_MS / 2;
    watchdog_feed(r);
    rtc_wake_off(r);
    if (ms > 0 && rtc_wake_ready(r) && rtc_wake_in(r, ms < most ? ms : most)) {
        register_wait(r);
    }
    rtc_wake_off(r);
}

static uint32_t left_until(struct timebase *time, uint64_t end_ms, uint32_t most) {
    const uint64_t now_ms = time_now_ms(time);
    const uint64_t left_ms = now_ms < end_ms ? end_ms - now_ms : 0;
    return left_ms < most ? (uint32_t)left_ms : most;
}

/* One stage of a sleep, as deep as it goes: what stands in the way is taken away, and tried again. */
static void stage(struct timebase *time, uint64_t end_ms, uint32_t most) {
    const struct registers *r = time->registers;
    enum stop_refused reason = STOP_IGNORED;
    register_hold(r);
    watchdog_feed(r);
    for (unsigned i = 0; i < ATTEMPTS && reason != STOP_ENTERED; i++) {
        reason = power_stop2(r, left_until(time, end_ms, most), &time->stops);
        power_cure(r, reason);
    }
    if (reason != STOP_ENTERED) {
        time_nap(time, left_until(time, end_ms, most)); /* late to the schedule is worse than a nap that costs */
    }
    register_release(r);
}

void time_sleep(struct timebase *time, uint32_t ms) {
    const uint32_t most = watchdog_sleeps(time->registers) ? STAGE_S_MAX * 1000 : WATCHDOG_MS / 2;
    const uint64_t end_ms = time_now_ms(time) + ms;
    clock_pace(time->registers, PACE_RADIO);
    while (left_until(time, end_ms, most) > 0) {
        stage(time, end_ms, most);
    }
}
