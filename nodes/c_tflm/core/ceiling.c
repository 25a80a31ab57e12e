#include "ceiling.h"

#include <string.h>

#include "record.h"

enum { VERSION = 1, SLOTS = 2 };

_Static_assert(sizeof(struct record) == RECORD_CONTENTS, "a record fills a slot");

static uint32_t raised(uint32_t number) {
    return number > UINT32_MAX - CEILING_BLOCK ? UINT32_MAX : number + CEILING_BLOCK;
}

bool ceiling_provision(const struct port *port) {
    struct record record = {.version = VERSION};
    for (uint8_t slot = 0; slot < SLOTS; slot++) {
        record.write = slot;
        if (!record_write(port, slot, &record)) {
            return false;
        }
    }
    return true;
}

bool ceiling_open(struct ceiling *ceiling, const struct port *port) {
    struct record found;
    struct record *record = &ceiling->record;
    unsigned whole = 0;
    memset(ceiling, 0, sizeof *ceiling);
    for (uint8_t slot = 0; slot < SLOTS; slot++) {
        const bool there = record_read(port, slot, &found) && found.version == VERSION;
        if (there && (whole == 0 || (int32_t)(found.write - record->write) > 0)) {
            *record = found;
            ceiling->slot = slot;
        }
        whole += there;
    }
    if (whole == 0) {
        return false;
    }
    const bool broken = whole < SLOTS;
    /* A slot that is broken, or blank, may have been written whole, been used, and rotted or been erased since: it was
     * one block ahead at most. */
    if (broken) {
        record->partial_iv_ceiling = raised(record->partial_iv_ceiling);
        record->seq_ceiling = raised(record->seq_ceiling);
    }
    ceiling->next_partial_iv = record->partial_iv_ceiling;
    ceiling->next_seq = record->seq_ceiling;
    ceiling->skipped = ceiling->next_seq - record->seq_unused;
    ceiling->heal = broken;
    return true;
}

static bool keep_once(struct ceiling *ceiling, const struct port *port, struct record *record) {
    const uint8_t slot = ceiling->slot ^ 1;
    record->version = VERSION;
    record->write = ceiling->record.write + 1;
    record->seq_unused = ceiling->next_seq;
    if (!record_write(port, slot, record)) {
        return false;
    }
    ceiling->record = *record;
    ceiling->slot = slot;
    return true;
}

bool ceiling_keep(struct ceiling *ceiling, const struct port *port, struct record *record) {
    if (!keep_once(ceiling, port, record)) {
        return false;
    }
    if (ceiling->heal) { /* never leave one slot more than a block below the other: see ceiling_open */
        ceiling->heal = !keep_once(ceiling, port, record);
    }
    return true;
}

static bool keep_ceilings(struct ceiling *ceiling, const struct port *port, uint32_t partial_iv, uint32_t seq) {
    struct record record = ceiling->record;
    record.partial_iv_ceiling = partial_iv;
    record.seq_ceiling = seq;
    return ceiling_keep(ceiling, port, &record);
}

/* `next` and `end` are this ceiling's. */
static bool take(struct ceiling *ceiling, const struct port *port, uint32_t *next, const uint32_t *end, uint32_t *out) {
    if (ceiling_exhausted(ceiling) ||
        (*next >= *end && !keep_ceilings(ceiling, port, raised(ceiling->next_partial_iv), raised(ceiling->next_seq)))) {
        return false;
    }
    *out = (*next)++;
    return true;
}

bool ceiling_take_partial_iv(struct ceiling *ceiling, const struct port *port, uint32_t *out) {
    return take(ceiling, port, &ceiling->next_partial_iv, &ceiling->record.partial_iv_ceiling, out);
}

bool ceiling_take_seq(struct ceiling *ceiling, const struct port *port, uint32_t *out) {
    return take(ceiling, port, &ceiling->next_seq, &ceiling->record.seq_ceiling, out);
}

bool ceiling_exhausted(const struct ceiling *ceiling) {
    return ceiling->next_partial_iv == UINT32_MAX || ceiling->next_seq == UINT32_MAX;
}

bool ceiling_settle(struct ceiling *ceiling, const struct port *port) {
    return keep_ceilings(ceiling, port, ceiling->next_partial_iv, ceiling->next_seq);
}
