/* Start of a RISC-V: stack and trap, memory as C expects it, main, and out with its status. */
#include "semihost.h"

enum { FAULT_STATUS = 70 };

extern uint32_t data_begin[], data_load[], bss_begin[];
extern uint8_t data_size[], bss_size[]; /* numbers: their addresses */

int main(void);
_Noreturn void start(void);
_Noreturn void fault(void);

/* The compiler's -march has no zicsr (its libraries know no such variant); the assembler may have it. */
__asm__(".section .start, \"ax\"\n"
        ".global _start\n"
        "_start:\n"
        ".option push\n"
        ".option arch, +zicsr\n"
        "la t0, fault\n"
        "csrw mtvec, t0\n"
        ".option pop\n"
        "la sp, stack_top\n"
        "j start\n");

/* The two no-ops around the trap, none of them compressed, and all three in one page, are what the host looks for. */
__attribute__((noinline, aligned(16))) intptr_t semihost_call(uint32_t operation, const void *parameter) {
    register uintptr_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = parameter;
    __asm__ volatile(".option push\n"
                     ".option norvc\n"
                     "slli zero, zero, 0x1f\n"
                     "ebreak\n"
                     "srai zero, zero, 7\n"
                     ".option pop\n"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
    return (intptr_t)a0;
}

__attribute__((aligned(4))) void fault(void) {
    semihost_exit(FAULT_STATUS);
}

void start(void) {
    __builtin_memcpy(data_begin, data_load, (size_t)(uintptr_t)data_size);
    __builtin_memset(bss_begin, 0, (size_t)(uintptr_t)bss_size);
    semihost_exit((uint32_t)main());
}
