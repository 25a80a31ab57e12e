/* Durable records in the chip's flash: each slot of core/port.h in an area of its own, and the mark that the first ones
 * were made. Only an erasure of the whole chip takes the mark away; whoever does that gives the node a new key. */
#include <string.h>

#include "chip_layout.h"
#include "persist.h"
#include "port.h"
#include "record_log.h"

struct persist {
    const struct registers *registers;
};

static struct persist persist;

_Static_assert(PORT_RECORD_SIZE % FLASH_WORD == 0, "whole words");
_Static_assert(CHIP_RECORD_SLOTS >= PORT_SLOTS, "an area for each");

static struct record_log log_of(uint8_t slot) {
    return (struct record_log){chip_record_address(slot), CHIP_RECORD_AREA, PORT_RECORD_SIZE};
}

struct persist *persist_open(const struct registers *r) {
    persist.registers = r;
    return &persist;
}

bool persist_read(struct persist *p, uint8_t slot, uint8_t *out) {
    const struct record_log log = log_of(slot);
    if (slot < CHIP_RECORD_SLOTS && record_log_read(p->registers, &log, out)) {
        return true;
    }
    memset(out, 0, PORT_RECORD_SIZE); /* no valid record, as its checksum says */
    return slot < CHIP_RECORD_SLOTS;
}

bool persist_write(struct persist *p, uint8_t slot, const uint8_t *record) {
    const struct record_log log = log_of(slot);
    return slot < CHIP_RECORD_SLOTS && record_log_write(p->registers, &log, record);
}

bool persist_is_fresh(struct persist *p) {
    static const uint8_t BLANK[FLASH_WORD] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    uint8_t word[FLASH_WORD];
    return flash_read(p->registers, CHIP_MARK_ADDRESS, word, sizeof word) && memcmp(word, BLANK, sizeof word) == 0;
}

bool persist_used(struct persist *p) {
    static const uint8_t USED[FLASH_WORD] = {0};
    return flash_program(p->registers, CHIP_MARK_ADDRESS, USED, sizeof USED);
}
