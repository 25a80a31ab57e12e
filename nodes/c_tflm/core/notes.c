#include "notes.h"

#include <string.h>

#include "crc.h"

enum { VERSION = 1, VERSION_AT = PORT_RECORD_SIZE - 8, CRC_AT = PORT_RECORD_SIZE - 4 };

_Static_assert(sizeof(struct notes) <= VERSION_AT, "notes fit into a slot, before version and checksum");

static void seal(uint8_t record[PORT_RECORD_SIZE]) {
    const uint32_t crc = crc32(record, CRC_AT);
    memcpy(record + CRC_AT, &crc, sizeof crc);
}

static bool read_slot(const struct port *port, uint8_t slot, struct notes *out) {
    uint8_t found[PORT_RECORD_SIZE];
    uint8_t sealed[PORT_RECORD_SIZE];
    if (!port->persist_read(port->context, slot, found) || found[VERSION_AT] != VERSION) {
        return false;
    }
    memcpy(sealed, found, sizeof sealed);
    seal(sealed);
    memcpy(out, found, sizeof *out);
    return memcmp(found, sealed, sizeof found) == 0;
}

void notes_open(struct notes *notes, const struct port *port) {
    struct notes second;
    if (!read_slot(port, NOTES_SLOT, notes)) {
        memset(notes, 0, sizeof *notes);
    }
    if (read_slot(port, NOTES_SLOT + 1, &second) && (int32_t)(second.write - notes->write) > 0) {
        *notes = second;
    }
}

bool notes_keep(struct notes *notes, const struct port *port) {
    uint8_t record[PORT_RECORD_SIZE] = {0};
    struct notes next = *notes;
    next.write++;
    memcpy(record, &next, sizeof next);
    record[VERSION_AT] = VERSION;
    seal(record);
    if (!port->persist_write(port->context, (uint8_t)(NOTES_SLOT + next.write % 2), record)) {
        return false;
    }
    *notes = next;
    return true;
}
