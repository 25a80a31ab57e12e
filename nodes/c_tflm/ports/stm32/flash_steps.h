/* What erasing and programming have in common on these chips ("FLASH program and erase operations"); a chip's flash.c
 * has the rest. How long `tries` may last is the chip's, too. */
#ifndef STETHOS_FLASH_STEPS_H
#define STETHOS_FLASH_STEPS_H

#include "chip_layout.h"
#include "flash.h"

/* Unlocked, nothing going on, no error of before. */
static inline bool flash_begin(const struct registers *r, uint32_t operation, uint32_t tries) {
    if (!register_until(r, FLASH_SR, FLASH_SR_BSY, 0, tries)) {
        return false;
    }
    if (register_is(r, FLASH_CR, FLASH_CR_LOCK, FLASH_CR_LOCK)) {
        register_write(r, FLASH_KEYR, FLASH_KEY1);
        register_write(r, FLASH_KEYR, FLASH_KEY2);
    }
    register_write(r, FLASH_SR, FLASH_SR_ERRORS);
    register_write(r, FLASH_CR, operation);
    return register_is(r, FLASH_CR, FLASH_CR_LOCK, 0);
}

static inline bool flash_succeeded(const struct registers *r, uint32_t tries) {
    return register_until(r, FLASH_SR, FLASH_SR_BSY, 0, tries) && register_is(r, FLASH_SR, FLASH_SR_ERRORS, 0);
}

/* Locked again; what the data cache has of before is forgotten. Returns `done`. */
static inline bool flash_end(const struct registers *r, bool done) {
    register_write(r, FLASH_CR, FLASH_CR_LOCK);
    if (register_is(r, FLASH_ACR, FLASH_ACR_DCEN, FLASH_ACR_DCEN)) {
        register_clear(r, FLASH_ACR, FLASH_ACR_DCEN);
        register_set(r, FLASH_ACR, FLASH_ACR_DCRST);
        register_clear(r, FLASH_ACR, FLASH_ACR_DCRST);
        register_set(r, FLASH_ACR, FLASH_ACR_DCEN);
    }
    return done;
}

static inline void flash_copy(const struct registers *r, uint32_t address, uint8_t *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t at = address + (uint32_t)i;
        out[i] = (uint8_t)(register_read(r, at & ~UINT32_C(3)) >> at % 4 * 8);
    }
}

/* Four bytes as the flash has them. */
static inline uint32_t flash_four(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

#endif
