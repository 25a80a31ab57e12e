/* What a board keeps in flash beside its numbers: two slots each for the model, the configuration, the learner's state
 * and the firmware. One slot is in use while the other one is written; core/slots.h says which is which. */
#ifndef STETHOS_STORE_H
#define STETHOS_STORE_H

#include <stdbool.h>
#include <stdint.h>

enum store { STORE_MODEL, STORE_CONFIG, STORE_LEARNER, STORE_FIRMWARE, STORES };

enum { STORE_SLOTS = 2, STORE_WORD = 8 };

/* All of it with the port's `context` first. Offsets and lengths of writes are multiples of STORE_WORD; a word is
 * written once between two erasures, never again: flash with error correction takes no second write. */
struct port_store {
    uint32_t size[STORES]; /* bytes of one slot; 0: the board has no such store */
    uint16_t page;         /* bytes, at least 512: the head of a slot has a page of its own */

    /* False if a word is unreadable, as a write that was cut short may leave it. */
    bool (*read)(void *context, enum store store, uint8_t slot, uint32_t at, uint8_t *out, uint32_t n);

    /* The whole slot to 0xFF, its first page first. */
    bool (*erase)(void *context, enum store store, uint8_t slot);

    /* Durable when it returns true. One that is cut short has written some of the words, in order, and torn one. */
    bool (*write)(void *context, enum store store, uint8_t slot, uint32_t at, const uint8_t *data, uint32_t n);
};

#endif
