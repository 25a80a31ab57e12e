/* Time, sleep and clocks, bound at link time: those of a chip, or SysTick alone in an emulator (qemu/time.c). */
#ifndef STETHOS_TIMEBASE_H
#define STETHOS_TIMEBASE_H

#include "registers.h"

struct timebase;

enum pace {
    PACE_SENSE,   /* the core waits for sensor and DMA: as slow as it can */
    PACE_RADIO,   /* the core keeps up with a serial line */
    PACE_COMPUTE, /* as fast as it can, and so back to sleep soonest */
};

/* There is one; NULL: there is no clock to be had, and the board cannot be a node. */
struct timebase *time_start(const struct registers *r);

/* Monotonic, through sleep and through a reset that keeps the memory. */
uint64_t time_now_ms(struct timebase *time);

void time_pace(struct timebase *time, enum pace pace);

/* Until an interrupt pends, at most `ms`; the core sleeps, the rest goes on. Called with interrupts held. */
void time_nap(struct timebase *time, uint32_t ms);

/* Lets `ms` pass, in naps. */
static inline void time_pass(const struct registers *r, struct timebase *time, uint32_t ms) {
    const uint64_t end_ms = time_now_ms(time) + ms;
    for (uint64_t now_ms = time_now_ms(time); now_ms < end_ms; now_ms = time_now_ms(time)) {
        register_hold(r);
        time_nap(time, (uint32_t)(end_ms - now_ms));
        register_release(r);
    }
}

/* As deep as the board can, for `ms`. Nothing is listened to meanwhile. */
void time_sleep(struct timebase *time, uint32_t ms);

/* How often the deepest sleep was refused. */
uint32_t time_refused(const struct timebase *time);

/* For storage: off, until somebody wakes the board, which is a reset. Returns where that cannot be had. */
void time_storage(struct timebase *time);

#endif
