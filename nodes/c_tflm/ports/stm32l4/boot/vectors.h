/* What a boot decides beyond core/slots.h; pure, so that it is tested on a host. */
#ifndef STETHOS_BOOT_VECTORS_H
#define STETHOS_BOOT_VECTORS_H

#include "image.h"

/* One region that a stack may lie in; the last one of a list has `end` 0. */
struct boot_memory {
    uint32_t begin, end;
};

/* Could a firmware that lies at `begin` start by these two words, its stack's top and its entry? One that was linked
 * for the other slot cannot, whatever its manifest says. */
bool boot_vectors_fit(const uint8_t vectors[8], uint32_t begin, uint32_t size, const struct boot_memory *ram);

/* What the stub leaves for the firmware, in a backup register: 0xB0 in the highest byte, then the slot, then why slots
 * B and A were not taken (enum image_reply; 0: taken, or not asked). */
uint32_t boot_note(uint8_t slot, const enum image_reply why[STORE_SLOTS]);

/* The slot that a note speaks of; -1: it is no note. */
int8_t boot_note_slot(uint32_t note);

#endif
