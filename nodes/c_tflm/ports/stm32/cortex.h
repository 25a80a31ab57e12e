/* The parts of a Cortex-M4 that every STM32 has at the same place (PM0214, chapter 4). */
#ifndef STETHOS_CORTEX_H
#define STETHOS_CORTEX_H

#include "registers.h"

enum { SYSTICK_CTRL_ENABLE = 1, SYSTICK_CTRL_TICKINT = 2, SYSTICK_CTRL_CORE_CLOCK = 4 };
enum { SCB_SCR_SLEEPDEEP = 4 };

#define SYSTICK_CTRL UINT32_C(0xE000E010)
#define SYSTICK_LOAD UINT32_C(0xE000E014)
#define SYSTICK_VAL UINT32_C(0xE000E018)
#define NVIC_ISER UINT32_C(0xE000E100)
#define NVIC_ISPR UINT32_C(0xE000E200)
#define NVIC_ICPR UINT32_C(0xE000E280)
#define SCB_ICSR UINT32_C(0xE000ED04)
#define SCB_ICSR_ISRPENDING (UINT32_C(1) << 22)
#define SCB_VTOR UINT32_C(0xE000ED08)
#define SCB_AIRCR UINT32_C(0xE000ED0C)
#define SCB_AIRCR_RESET UINT32_C(0x05FA0004) /* VECTKEY, SYSRESETREQ */
#define SCB_SCR UINT32_C(0xE000ED10)

static inline void interrupt_enable(const struct registers *r, uint32_t number) {
    register_write(r, NVIC_ISER + number / 32 * 4, UINT32_C(1) << number % 32);
}

/* Its cause must be gone before, or it pends again. */
static inline void interrupt_forget(const struct registers *r, uint32_t number) {
    register_write(r, NVIC_ICPR + number / 32 * 4, UINT32_C(1) << number % 32);
}

static inline bool interrupt_pends(const struct registers *r, uint32_t number) {
    return (register_read(r, NVIC_ISPR + number / 32 * 4) >> number % 32 & 1) != 0;
}

#endif
