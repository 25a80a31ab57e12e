/* Instructions that have been executed, in QEMU with `-icount shift=6`. On a Cortex-M time is 64 ns for each, and
 * SysTick counts it at the 25 MHz of the MPS2 board, as all that follows assumes; on the MPS3 board it is 32 MHz, and
 * whoever reads the figures multiplies by 25/32. A RISC-V has a register that counts them. Deterministic to the
 * instruction; no cycles of any silicon. */
#ifndef STETHOS_COUNTER_H
#define STETHOS_COUNTER_H

#include <stdint.h>

#ifdef __riscv

static inline void counter_init(void) {
}

static inline uint32_t counter_now(void) {
    uint32_t now;
    __asm__ volatile(".option push\n.option arch, +zicsr\ncsrr %0, minstret\n.option pop" : "=r"(now));
    return now;
}

static inline uint32_t counter_since(uint32_t from) {
    return counter_now() - from;
}

#else

enum { COUNTER_TOP = 0xffffff, NS_PER_TICK = 40, NS_PER_INSTRUCTION = 64 };

#define SYSTICK ((volatile uint32_t *)0xe000e010) /* control, reload, current */

static inline void counter_init(void) {
    SYSTICK[1] = COUNTER_TOP;
    SYSTICK[2] = 0;
    SYSTICK[0] = 5; /* on, from the processor's clock, without an interrupt */
}

static inline uint32_t counter_now(void) {
    return SYSTICK[2];
}

/* Instructions since `from`, at most ten million of them; it counts down. */
static inline uint32_t counter_since(uint32_t from) {
    const uint32_t ticks = (from - counter_now()) & COUNTER_TOP;
    return (uint32_t)((uint64_t)ticks * NS_PER_TICK / NS_PER_INSTRUCTION);
}

#endif

#endif
