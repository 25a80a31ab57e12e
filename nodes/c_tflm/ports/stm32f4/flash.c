/* Flash of the F4 ("Embedded Flash memory interface"): sectors, 32 bits at a time. A word of ours is two of them. */
#include "flash_steps.h"

enum { TRIES = 40000000 }; /* a sector takes up to four seconds */

bool flash_read(const struct registers *r, uint32_t address, uint8_t *out, size_t n) {
    flash_copy(r, address, out, n);
    return true;
}

/* Four of 16 KB, one of 64 KB, seven of 128 KB. */
static uint32_t sector_of(uint32_t offset) {
    return offset < 0x10000 ? offset / 0x4000 : offset < 0x20000 ? 4 : 4 + offset / 0x20000;
}

bool flash_erase(const struct registers *r, uint32_t address) {
    const uint32_t what = FLASH_CR_SER | FLASH_CR_SNB(sector_of(address - CHIP_FLASH));
    if (!flash_begin(r, what | FLASH_CR_PSIZE_32, TRIES)) {
        return flash_end(r, false);
    }
    register_write(r, FLASH_CR, what | FLASH_CR_PSIZE_32 | FLASH_CR_STRT);
    return flash_end(r, flash_succeeded(r, TRIES));
}

bool flash_program(const struct registers *r, uint32_t address, const uint8_t *data, size_t n) {
    if (address % FLASH_WORD != 0 || n % FLASH_WORD != 0 || !flash_begin(r, FLASH_CR_PG | FLASH_CR_PSIZE_32, TRIES)) {
        return flash_end(r, false);
    }
    bool done = true;
    for (size_t i = 0; done && i < n; i += 4) {
        const uint32_t at = address + (uint32_t)i;
        if (i % FLASH_WORD == 0 &&
            !(register_is(r, at, UINT32_MAX, UINT32_MAX) && register_is(r, at + 4, UINT32_MAX, UINT32_MAX))) {
            done = false; /* this flash would take it, and AND it with what is there */
            break;
        }
        register_write(r, at, flash_four(data + i));
        done = flash_succeeded(r, TRIES);
    }
    return flash_end(r, done);
}

const uint8_t *flash_memory(const struct registers *r, uint32_t address) {
    return register_memory(r, address);
}
