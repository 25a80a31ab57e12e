/* Durable storage of an emulator whose flash cannot be written: memory that a reset leaves as it is. What is on fresh
 * memory was never used: whoever starts the emulator anew gives the node a new key. */
#include "persist.h"

#include <string.h>

#include "port.h"

#define KEPT UINT32_C(0x4B455054)

struct persist {
    uint32_t kept;
    uint8_t slots[PORT_SLOTS][PORT_RECORD_SIZE];
};

static struct persist persist __attribute__((section(".retained")));

struct persist *persist_open(const struct registers *r) {
    (void)r;
    return &persist;
}

bool persist_read(struct persist *p, uint8_t slot, uint8_t *out) {
    memcpy(out, p->slots[slot], PORT_RECORD_SIZE);
    return true;
}

bool persist_write(struct persist *p, uint8_t slot, const uint8_t *record) {
    memcpy(p->slots[slot], record, PORT_RECORD_SIZE);
    return true;
}

bool persist_is_fresh(struct persist *p) {
    return p->kept != KEPT;
}

bool persist_used(struct persist *p) {
    p->kept = KEPT;
    return true;
}
