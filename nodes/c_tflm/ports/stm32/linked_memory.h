/* Memory as C expects it, from what the linker script says. */
#ifndef STETHOS_LINKED_MEMORY_H
#define STETHOS_LINKED_MEMORY_H

#include <stdint.h>
#include <string.h>

extern uint8_t data_begin[];
extern uint8_t data_end[];
extern const uint8_t data_in_flash[];
extern uint8_t bss_begin[];
extern uint8_t bss_end[];
extern uint8_t stack_top[];

static inline void memory_fill_in(void) {
    memcpy(data_begin, data_in_flash, (uintptr_t)data_end - (uintptr_t)data_begin);
    memset(bss_begin, 0, (uintptr_t)bss_end - (uintptr_t)bss_begin);
}

#endif
