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

void start(void) {
    __builtin_memcpy(data_begin, data_load, (size_t)(uintptr_t)data_size);
    __builtin_memset(bss_begin, 0, (size_t)(uintptr_t)bss_size);
    semihost_exit((uint32_t)main());
}

/* NMI, hard fault, and the faults that go there unless they are enabled; there are no interrupts. */
__attribute__((section(".vectors"), used)) static void (*const vectors[])(void) = {
    (void (*)(void))(uintptr_t)stack_top, start, fault, fault, fault, fault, fault, fault};
