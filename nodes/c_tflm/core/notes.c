#include "notes.h"

#include <string.h>

#include "record.h"

enum { VERSION = 1 };

struct stored {
    struct notes notes;
    uint32_t unused;
    uint32_t version;
};

_Static_assert(sizeof(struct stored) == RECORD_CONTENTS, "notes fill a slot");

static bool read_slot(const struct port *port, uint8_t slot, struct stored *out) {
    return record_read(port, slot, out) && out->version == VERSION;
}

void notes_open(struct notes *notes, const struct port *port) {
    struct stored found;
    memset(notes, 0, sizeof *notes);
    for (uint8_t slot = NOTES_SLOT; slot < NOTES_SLOT + 2; slot++) {
        const bool there = read_slot(port, slot, &found);
        if (there && (slot == NOTES_SLOT || (int32_t)(found.notes.write - notes->write) > 0)) {
            *notes = found.notes;
        }
    }
}

bool notes_keep(struct notes *notes, const struct port *port) {
    struct stored next = {.notes = *notes, .version = VERSION};
    next.notes.write++;
    if (!record_write(port, (uint8_t)(NOTES_SLOT + next.notes.write % 2), &next)) {
        return false;
    }
    *notes = next.notes;
    return true;
}
