/* FLASH: 64 bits at a time, once; 512 pages of 2 KB; error correction; and a power supply that fails in the middle. */
#include <string.h>

#include "l4_parts.h"

enum {
    PROGERR = 1 << 3,
    PGAERR = 1 << 5,
    PGSERR = 1 << 7,
    ERRORS = 0xC3FA,
    PAGE = 2048,
    PROGRAM_US = 90,
    ERASE_US = 22000
};

#define LOCK (UINT32_C(1) << 31)
#define OPTION_LOCK (UINT32_C(1) << 30)

static uint32_t random_of(struct fake *f) {
    f->seed = f->seed * 1664525 + 1013904223;
    return f->seed >> 8;
}

uint32_t fake_flash_word(struct fake *f, uint32_t at) {
    uint32_t word;
    memcpy(&word, f->flash + (at & ~UINT32_C(3)), sizeof word);
    if (f->torn[at / 8] != 0) { /* "Error code correction": two errors are an NMI */
        f->seen[SEEN_ECC_ERRORS]++;
        f->flash_eccr = LOCK | at >> 3;
        if (!fake_nmi_handler(&f->registers)) {
            f->seen[SEEN_UNHANDLED]++;
        }
    }
    return word;
}

/* True, once: the power goes now. */
static bool cut(struct fake *f) {
    return f->cut_after >= 0 && f->cut_after-- == 0;
}

static void tear(struct fake *f, uint32_t at, const uint8_t *wanted, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t kept = (uint8_t)random_of(f);
        f->flash[at + i] = (uint8_t)((f->flash[at + i] & kept) | (wanted[i] & ~kept));
        f->torn[(at + i) / 8] = 1;
    }
}

static void commit(struct fake *f, uint32_t at, uint32_t high) {
    uint8_t word[8];
    static const uint8_t BLANK[8] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, ZERO[8] = {0};
    memcpy(word, &f->word_low, 4);
    memcpy(word + 4, &high, 4);
    if ((memcmp(f->flash + at, BLANK, 8) != 0 || f->torn[at / 8] != 0) && memcmp(word, ZERO, 8) != 0) {
        f->flash_sr |= PROGERR;
        f->seen[SEEN_PROGRAM_ERRORS]++;
        return;
    }
    f->seen[SEEN_PROGRAMS]++;
    if (cut(f)) {
        const uint32_t how = random_of(f) % 3; /* not begun; in the middle; done, and nobody has heard */
        if (how == 1) {
            tear(f, at, word, 8);
        } else if (how == 2) {
            memcpy(f->flash + at, word, 8);
        }
        longjmp(*f->power, 1);
    }
    memcpy(f->flash + at, word, 8);
    f->flash_busy_us = f->now_us + PROGRAM_US;
}

/* "Flash main memory standard programming". */
void fake_flash_program(struct fake *f, uint32_t at, uint32_t value) {
    const bool busy = f->now_us < f->flash_busy_us;
    if ((f->flash_cr & LOCK) != 0 || (f->flash_cr & 1) == 0 || (f->flash_sr & ERRORS) != 0 || busy) {
        f->flash_sr |= PGSERR;
        f->seen[SEEN_PROGRAM_ERRORS]++;
    } else if (!f->word_half) {
        f->flash_sr |= at % 8 != 0 ? PGAERR : 0;
        f->word_half = at % 8 == 0;
        f->word_at = at;
        f->word_low = value;
    } else {
        f->word_half = false;
        if (at == f->word_at + 4) {
            commit(f, f->word_at, value);
        } else {
            f->flash_sr |= PGAERR;
        }
    }
}

static void erase(struct fake *f) {
    const uint32_t page = (f->flash_cr >> 3 & 0xFF) + (f->flash_cr >> 11 & 1) * 256;
    uint8_t blank[PAGE];
    memset(blank, 0xFF, sizeof blank);
    f->seen[SEEN_ERASES]++;
    if (cut(f)) {
        const uint32_t how = random_of(f) % 3;
        if (how == 1) {
            tear(f, page * PAGE, blank, PAGE);
        } else if (how == 2) {
            memcpy(f->flash + page * PAGE, blank, PAGE);
            memset(f->torn + page * PAGE / 8, 0, PAGE / 8);
        }
        longjmp(*f->power, 1);
    }
    memcpy(f->flash + page * PAGE, blank, PAGE);
    memset(f->torn + page * PAGE / 8, 0, PAGE / 8);
    f->flash_busy_us = f->now_us + ERASE_US;
}

uint32_t fake_flash_read(struct fake *f, uint32_t offset) {
    switch (offset) {
    case 0x10:
        return f->flash_sr | (f->now_us < f->flash_busy_us ? 1u << 16 : 0);
    case 0x14:
        return f->flash_cr;
    case 0x18:
        return f->flash_eccr;
    case 0x20:
        return f->optr;
    default:
        return *fake_plain(f, 0x40022000 + offset);
    }
}

/* "Unlocking the Flash memory": the two keys in order; anything else locks until the next reset. */
static void unlock(struct fake *f, unsigned *step, uint32_t value, uint32_t first, uint32_t second, uint32_t bit) {
    if (*step == 0 && value == first) {
        *step = 1;
    } else if (*step == 1 && value == second) {
        *step = 0;
        f->flash_cr &= ~bit;
    } else {
        *step = 2;
    }
}

static void control(struct fake *f, uint32_t value) {
    if ((f->flash_cr & LOCK) != 0) {
        return;
    }
    f->flash_cr = (value & ~OPTION_LOCK) | (f->flash_cr & OPTION_LOCK) | (value & OPTION_LOCK);
    if ((value >> 16 & 1) != 0 && ((value & 3) != 2 || (f->flash_sr & ERRORS) != 0)) {
        f->flash_sr |= PGSERR; /* not erasing, or programming too, or an error of before stands */
        f->seen[SEEN_PROGRAM_ERRORS]++;
        f->flash_cr &= ~(UINT32_C(1) << 16);
    } else if ((value >> 16 & 1) != 0 && f->now_us >= f->flash_busy_us) {
        erase(f);
        f->flash_cr &= ~(UINT32_C(1) << 16);
    }
    if ((value >> 17 & 1) != 0 && (f->flash_cr & OPTION_LOCK) == 0) {
        f->optr = *fake_plain(f, 0x40022020);
        f->flash_busy_us = f->now_us + ERASE_US;
        f->flash_cr &= ~(UINT32_C(1) << 17);
    }
    if ((value >> 27 & 1) != 0 && (f->flash_cr & OPTION_LOCK) == 0) {
        longjmp(*f->power, 2);
    }
}

void fake_flash_write(struct fake *f, uint32_t offset, uint32_t value) {
    switch (offset) {
    case 0x08:
        unlock(f, &f->flash_key, value, 0x45670123, 0xCDEF89AB, LOCK);
        break;
    case 0x0C:
        unlock(f, &f->option_key, value, 0x08192A3B, 0x4C5D6E7F, OPTION_LOCK);
        break;
    case 0x10:
        f->flash_sr &= ~value;
        break;
    case 0x14:
        control(f, value);
        break;
    case 0x18:
        f->flash_eccr &= ~(value & LOCK);
        break;
    case 0x20:
        *fake_plain(f, 0x40022020) = (f->flash_cr & OPTION_LOCK) == 0 ? value : f->optr;
        break;
    default:
        *fake_plain(f, 0x40022000 + offset) = value;
    }
}
