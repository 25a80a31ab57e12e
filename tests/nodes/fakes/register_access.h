/* Registers that a fake stands behind, for ports that run on this computer (ports/stm32/registers.h). */
#ifndef STETHOS_REGISTER_ACCESS_H
#define STETHOS_REGISTER_ACCESS_H

#include <stdint.h>

struct registers {
    void *context;
    uint32_t (*read)(void *context, uint32_t address);
    void (*write)(void *context, uint32_t address, uint32_t value);
    void (*wait)(void *context);
    void (*pause)(void *context);
    void (*hold)(void *context, int held);
    uint32_t (*address)(void *context, void *memory);
    const uint8_t *(*memory)(void *context, uint32_t address);
};

static inline uint32_t register_read(const struct registers *r, uint32_t address) {
    return r->read(r->context, address);
}

static inline void register_write(const struct registers *r, uint32_t address, uint32_t value) {
    r->write(r->context, address, value);
}

static inline void register_wait(const struct registers *r) {
    r->wait(r->context);
}

static inline void register_pause(const struct registers *r) {
    r->pause(r->context);
}

static inline void register_hold(const struct registers *r) {
    r->hold(r->context, 1);
}

static inline void register_release(const struct registers *r) {
    r->hold(r->context, 0);
}

static inline uint32_t register_address(const struct registers *r, void *memory) {
    return r->address(r->context, memory);
}

static inline const uint8_t *register_memory(const struct registers *r, uint32_t address) {
    return r->memory(r->context, address);
}

#endif
