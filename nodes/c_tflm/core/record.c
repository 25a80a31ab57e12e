#include "record.h"

#include <string.h>

#include "crc.h"

struct slot {
    uint8_t contents[RECORD_CONTENTS];
    uint32_t crc;
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "as on every board there is a port for");
_Static_assert(sizeof(struct slot) == PORT_RECORD_SIZE, "a slot has no gaps");

bool record_read(const struct port *port, uint8_t slot, void *contents) {
    struct slot found;
    if (!port->persist_read(port->context, slot, (uint8_t *)&found)) {
        return false;
    }
    memcpy(contents, found.contents, RECORD_CONTENTS);
    return found.crc == crc32(found.contents, RECORD_CONTENTS);
}

bool record_write(const struct port *port, uint8_t slot, const void *contents) {
    struct slot out;
    memcpy(out.contents, contents, RECORD_CONTENTS);
    out.crc = crc32(out.contents, RECORD_CONTENTS);
    return port->persist_write(port->context, slot, (const uint8_t *)&out);
}
