/* Registers, read and written by address: the one way in which this port touches hardware. What is behind it is chosen
 * by include path: the machine itself (target/), where all of it inlines away, or a fake of its registers
 * (tests/nodes/fakes/). The same code runs on both. */
#ifndef STETHOS_REGISTERS_H
#define STETHOS_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

/* Defines struct registers, and
 *   uint32_t register_read(const struct registers *r, uint32_t address);
 *   void register_write(const struct registers *r, uint32_t address, uint32_t value);
 *   void register_wait(const struct registers *r);     WFI: until an interrupt is pending, masked or not
 *   void register_pause(const struct registers *r);    in every loop that polls
 *   void register_hold(const struct registers *r);     interrupts pend but are not served
 *   void register_release(const struct registers *r);
 *   uint32_t register_address(const struct registers *r, void *memory);     what DMA is given
 *   const uint8_t *register_memory(const struct registers *r, uint32_t address);   flash, read as memory */
#include "register_access.h"

static inline void register_set(const struct registers *r, uint32_t address, uint32_t bits) {
    register_write(r, address, register_read(r, address) | bits);
}

static inline void register_clear(const struct registers *r, uint32_t address, uint32_t bits) {
    register_write(r, address, register_read(r, address) & ~bits);
}

/* `value` lies in the bits of `mask`; the others stay as they are. */
static inline void register_field(const struct registers *r, uint32_t address, uint32_t mask, uint32_t value) {
    register_write(r, address, (register_read(r, address) & ~mask) | value);
}

static inline bool register_is(const struct registers *r, uint32_t address, uint32_t mask, uint32_t value) {
    return (register_read(r, address) & mask) == value;
}

/* Polls at most `tries` times. False: it did not come. Hardware that never answers must not stop a node for good. */
static inline bool register_until(const struct registers *r, uint32_t address, uint32_t mask, uint32_t value,
                                  uint32_t tries) {
    for (; !register_is(r, address, mask, value); tries--) {
        if (tries == 0) {
            return false;
        }
        register_pause(r);
    }
    return true;
}

#endif
