/* The time base of an emulator that has neither RTC nor power control: SysTick, and sleep that is no deeper than WFI.
 * Ticks that the host computer leaves out make the node's clock slow, which its Acks correct. */
#include "timebase.h"

#include "chip_layout.h"
#include "cortex.h"

enum { TICK_MS = 10 };

struct timebase {
    const struct registers *registers;
    volatile uint32_t ticks;
};

static struct timebase timebase;

void systick_interrupt(void);

void systick_interrupt(void) {
    timebase.ticks++;
}

struct timebase *time_start(const struct registers *r) {
    timebase = (struct timebase){.registers = r};
    register_write(r, SYSTICK_LOAD, CHIP_EMULATED_HZ / 1000 * TICK_MS - 1);
    register_write(r, SYSTICK_VAL, 0);
    register_write(r, SYSTICK_CTRL, SYSTICK_CTRL_ENABLE | SYSTICK_CTRL_TICKINT | SYSTICK_CTRL_CORE_CLOCK);
    return &timebase;
}

uint64_t time_now_ms(struct timebase *time) {
    return (uint64_t)time->ticks * TICK_MS;
}

void time_pace(struct timebase *time, enum pace pace) {
    (void)time;
    (void)pace;
}

void time_nap(struct timebase *time, uint32_t ms) {
    if (ms > 0) {
        register_wait(time->registers); /* the tick, or a byte */
    }
}

void time_sleep(struct timebase *time, uint32_t ms) {
    time_pass(time->registers, time, ms);
}

uint32_t time_refused(const struct timebase *time) {
    (void)time;
    return 0;
}

void time_storage(struct timebase *time) {
    (void)time;
}
