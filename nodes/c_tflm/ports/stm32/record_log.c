#include "record_log.h"

static bool is_blank(const struct registers *r, uint32_t address) {
    uint8_t word[FLASH_WORD];
    if (!flash_read(r, address, word, sizeof word)) {
        return false;
    }
    for (unsigned i = 0; i < sizeof word; i++) {
        if (word[i] != 0xFF) {
            return false;
        }
    }
    return true;
}

/* How many places are taken; a torn record has taken its own. */
static uint32_t taken(const struct registers *r, const struct record_log *log) {
    uint32_t n = 0;
    while ((n + 1) * log->record <= log->size && !is_blank(r, log->address + n * log->record)) {
        n++;
    }
    return n;
}

bool record_log_read(const struct registers *r, const struct record_log *log, uint8_t *out) {
    const uint32_t n = taken(r, log);
    return n > 0 && flash_read(r, log->address + (n - 1) * log->record, out, log->record);
}

bool record_log_write(const struct registers *r, const struct record_log *log, const uint8_t *record) {
    const uint32_t n = taken(r, log);
    if ((n + 1) * log->record <= log->size && flash_program(r, log->address + n * log->record, record, log->record)) {
        return true;
    }
    /* Full; or what looked blank was not: an erasure or a write was cut short there. */
    return flash_erase(r, log->address) && flash_program(r, log->address, record, log->record);
}
