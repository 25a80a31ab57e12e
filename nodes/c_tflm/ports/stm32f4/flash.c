/* Flash of the F4 ("Embedded Flash memory interface"): sectors, 32 bits at a time. A word of ours is two of them. */
#include "flash.h"

#include "chip_layout.h"

enum { TRIES = 40000000 }; /* a sector takes up to four seconds */

bool flash_read(const struct registers *r, uint32_t address, uint8_t *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t at = address + (uint32_t)i;
        out[i] = (uint8_t)(register_read(r, at & ~UINT32_C(3)) >> at % 4 * 8);
    }
    return true;
}

static bool idle(const struct registers *r) {
    return register_until(r, FLASH_SR, FLASH_SR_BSY, 0, TRIES);
}

static bool begin(const struct registers *r, uint32_t operation) {
    if (!idle(r)) {
        return false;
    }
    if (register_is(r, FLASH_CR, FLASH_CR_LOCK, FLASH_CR_LOCK)) {
        register_write(r, FLASH_KEYR, FLASH_KEY1);
        register_write(r, FLASH_KEYR, FLASH_KEY2);
    }
    register_write(r, FLASH_SR, FLASH_SR_ERRORS);
    register_write(r, FLASH_CR, operation | FLASH_CR_PSIZE_32);
    return register_is(r, FLASH_CR, FLASH_CR_LOCK, 0);
}

static bool end(const struct registers *r, bool done) {
    register_write(r, FLASH_CR, FLASH_CR_LOCK);
    if (register_is(r, FLASH_ACR, FLASH_ACR_DCEN, FLASH_ACR_DCEN)) {
        register_clear(r, FLASH_ACR, FLASH_ACR_DCEN);
        register_set(r, FLASH_ACR, FLASH_ACR_DCRST);
        register_clear(r, FLASH_ACR, FLASH_ACR_DCRST);
        register_set(r, FLASH_ACR, FLASH_ACR_DCEN);
    }
    return done;
}

static bool succeeded(const struct registers *r) {
    return idle(r) && register_is(r, FLASH_SR, FLASH_SR_ERRORS, 0);
}

/* Four of 16 KB, one of 64 KB, seven of 128 KB. */
static uint32_t sector_of(uint32_t offset) {
    return offset < 0x10000 ? offset / 0x4000 : offset < 0x20000 ? 4 : 4 + offset / 0x20000;
}

bool flash_erase(const struct registers *r, uint32_t address) {
    const uint32_t what = FLASH_CR_SER | FLASH_CR_SNB(sector_of(address - CHIP_FLASH));
    if (!begin(r, what)) {
        return end(r, false);
    }
    register_write(r, FLASH_CR, what | FLASH_CR_PSIZE_32 | FLASH_CR_STRT);
    return end(r, succeeded(r));
}

static uint32_t half_of(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

bool flash_program(const struct registers *r, uint32_t address, const uint8_t *data, size_t n) {
    if (address % FLASH_WORD != 0 || n % FLASH_WORD != 0 || !begin(r, FLASH_CR_PG)) {
        return end(r, false);
    }
    bool done = true;
    for (size_t i = 0; done && i < n; i += 4) {
        const uint32_t at = address + (uint32_t)i;
        if (i % FLASH_WORD == 0 &&
            !(register_is(r, at, UINT32_MAX, UINT32_MAX) && register_is(r, at + 4, UINT32_MAX, UINT32_MAX))) {
            done = false; /* this flash would take it, and AND it with what is there */
            break;
        }
        register_write(r, at, half_of(data + i));
        done = succeeded(r);
    }
    return end(r, done);
}
