/* Registers of the machine that this runs on. */
#ifndef STETHOS_REGISTER_ACCESS_H
#define STETHOS_REGISTER_ACCESS_H

#include <stdint.h>

struct registers {
    uint8_t none;
};

static inline uint32_t register_read(const struct registers *r, uint32_t address) {
    (void)r;
    return *(const volatile uint32_t *)address;
}

static inline void register_write(const struct registers *r, uint32_t address, uint32_t value) {
    (void)r;
    *(volatile uint32_t *)address = value;
}

static inline void register_wait(const struct registers *r) {
    (void)r;
    __asm volatile("dsb\n wfi\n isb" ::: "memory");
}

static inline void register_pause(const struct registers *r) {
    (void)r;
    __asm volatile("nop");
}

static inline void register_hold(const struct registers *r) {
    (void)r;
    __asm volatile("cpsid i" ::: "memory");
}

static inline void register_release(const struct registers *r) {
    (void)r;
    __asm volatile("cpsie i\n isb" ::: "memory");
}

static inline uint32_t register_address(const struct registers *r, void *memory) {
    (void)r;
    return (uint32_t)memory;
}

static inline const uint8_t *register_memory(const struct registers *r, uint32_t address) {
    (void)r;
    return (const uint8_t *)address;
}

#endif
