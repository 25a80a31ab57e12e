/* Flash of the L4 ("Embedded Flash memory"): two banks of 256 pages, 64 bits at a time with error correction. */
#include "flash_ecc.h"
#include "flash_steps.h"

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
    flash_copy(r, address, out, n);
    return !unreadable;
}

bool flash_erase(const struct registers *r, uint32_t address) {
    const uint32_t page = (address - CHIP_FLASH) / CHIP_FLASH_PAGE;
    const uint32_t pages = CHIP_FLASH_BANK / CHIP_FLASH_PAGE;
    const uint32_t what = FLASH_CR_PER | FLASH_CR_PNB(page % pages) | (page >= pages ? FLASH_CR_BKER : 0);
    if (!flash_begin(r, what, TRIES)) {
        return flash_end(r, false);
    }
    register_write(r, FLASH_CR, what | FLASH_CR_STRT);
    return flash_end(r, flash_succeeded(r, TRIES));
}

bool flash_program(const struct registers *r, uint32_t address, const uint8_t *data, size_t n) {
    if (address % FLASH_WORD != 0 || n % FLASH_WORD != 0 || !flash_begin(r, FLASH_CR_PG, TRIES)) {
        return flash_end(r, false);
    }
    bool done = true;
    for (size_t i = 0; done && i < n; i += FLASH_WORD) {
        register_write(r, address + (uint32_t)i, flash_four(data + i));
        register_write(r, address + (uint32_t)i + 4, flash_four(data + i + 4));
        done = flash_succeeded(r, TRIES);
    }
    return flash_end(r, done);
}

const uint8_t *flash_memory(const struct registers *r, uint32_t address) {
    return register_memory(r, address);
}
