/* Start of a Cortex-M: the vector table, memory as C expects it, main, and out with its status. */
#include "semihost.h"

enum { FAULT_STATUS = 70 };

extern uint32_t stack_top[], data_begin[], data_load[], bss_begin[];
extern uint8_t data_size[], bss_size[]; /* numbers: their addresses */

int main(void);
_Noreturn void start(void);

intptr_t semihost_call(uint32_t operation, const void *parameter) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = parameter;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (intptr_t)r0;
}

_Noreturn static void fault(void) {
    semihost_exit(FAULT_STATUS);
}

/* A loop stays one: with the C library's memcpy in every program, its size would be taken for the node's. */
static inline void keep_loop(void) {
    __asm__ volatile("");
}

void start(void) {
    for (size_t i = 0; i < (size_t)(uintptr_t)data_size / sizeof(uint32_t); i++) {
        keep_loop();
        data_begin[i] = data_load[i];
    }
    for (size_t i = 0; i < (size_t)(uintptr_t)bss_size / sizeof(uint32_t); i++) {
        keep_loop();
        bss_begin[i] = 0;
    }
    semihost_exit((uint32_t)main());
}

/* NMI, hard fault, and the faults that go there unless they are enabled; there are no interrupts. */
__attribute__((section(".vectors"), used)) static void (*const vectors[])(void) = {
    (void (*)(void))(uintptr_t)stack_top, start, fault, fault, fault, fault, fault, fault};
