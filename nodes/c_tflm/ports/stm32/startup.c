/* From reset to main: memory is filled in, and whatever is not expected ends in a reset. */
#include <stdint.h>

#include "chip_layout.h"
#include "cortex.h"
#include "linked_memory.h"

int main(void);
_Noreturn void start(void);
void fault(void);
void systick_interrupt(void) __attribute__((weak, alias("fault")));
void feed_interrupt(void) __attribute__((weak, alias("fault")));
void line_interrupt(void);
void nmi(void) __attribute__((weak, alias("fault")));

typedef void (*vector)(void);

/* A node that has lost its way starts again from its flash; the reset's cause goes into its Birth. */
void fault(void) {
    static const struct registers REGISTERS;
    register_write(&REGISTERS, SCB_AIRCR, SCB_AIRCR_RESET);
    for (;;) {
    }
}

/* An interrupt that nobody has enabled has no handler, and would be a fault like any other. */
static const struct {
    // cppcheck-suppress unusedStructMember
    uint8_t *stack;
    // cppcheck-suppress unusedStructMember
    vector handlers[15 + CHIP_INTERRUPTS];
} VECTORS __attribute__((section(".vectors"), used)) = {
    stack_top,
    {start, nmi, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, systick_interrupt,
     CHIP_HANDLERS},
};

_Noreturn void start(void) {
    static const struct registers REGISTERS;
    memory_fill_in();
    register_write(&REGISTERS, SCB_VTOR, (uint32_t)&VECTORS); /* in whichever slot this lies */
    main();
    for (;;) {
    }
}
