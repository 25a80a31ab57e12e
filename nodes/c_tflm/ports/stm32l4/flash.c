/* Flash of the L4 ("Embedded Flash memory"): two banks of 256 pages, 64 bits at a time with error correction. */
#include "flash.h"

#include "chip_layout.h"
#include "flash_ecc.h"

#define FLASH_ACR_DCEN BIT(10)
#define FLASH_ACR_DCRST BIT(12)

enum { TRIES = 4000000 };

static volatile bool unreadable;

bool flash_ecc_error(const struct registers *r) {
    if (!register_is(r, FLASH_ECCR, FLASH_ECCR_ECCD, FLASH_ECCR_ECCD)) {
        return false;
    }
    register_write(r, FLASH_ECCR, FLASH_ECCR_ECCD);
    unreadable = true;
    return true;
}

bool flash_read(const struct registers *r, uint32_t address, uint8_t *out, size_t n) {
    unreadable = false;
    for (size_t i = 0; i < n; i++) {
        const uint32_t at = address + (uint32_t)i;
        out[i] = (uint8_t)(register_read(r, at & ~UINT32_C(3)) >> at % 4 * 8);
    }
    return !unreadable;
}

static bool idle(const struct registers *r) {
    return register_until(r, FLASH_SR, FLASH_SR_BSY, 0, TRIES);
}

/* "FLASH program and erase operations": unlocked, nothing going on, no error of before. */
static bool begin(const struct registers *r, uint32_t operation) {
    if (!idle(r)) {
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

/* Locked again; what the data cache has of before is forgotten. */
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

bool flash_erase(const struct registers *r, uint32_t address) {
    const uint32_t page = (address - CHIP_FLASH) / CHIP_FLASH_PAGE;
    const uint32_t pages = CHIP_FLASH_BANK / CHIP_FLASH_PAGE;
    const uint32_t what = FLASH_CR_PER | FLASH_CR_PNB(page % pages) | (page >= pages ? FLASH_CR_BKER : 0);
    if (!begin(r, what)) {
        return end(r, false);
    }
    register_write(r, FLASH_CR, what | FLASH_CR_STRT);
    return end(r, succeeded(r));
}

static uint32_t word_of(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

bool flash_program(const struct registers *r, uint32_t address, const uint8_t *data, size_t n) {
    if (address % FLASH_WORD != 0 || n % FLASH_WORD != 0 || !begin(r, FLASH_CR_PG)) {
        return end(r, false);
    }
    bool done = true;
    for (size_t i = 0; done && i < n; i += FLASH_WORD) {
        register_write(r, address + (uint32_t)i, word_of(data + i));
        register_write(r, address + (uint32_t)i + 4, word_of(data + i + 4));
        done = succeeded(r);
    }
    return end(r, done);
}
