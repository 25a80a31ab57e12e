/* Two slots that take turns: which image is in use, which may be tried, which never again.
 *
 * A slot is one page of head, then the payload. In the head lie the manifest (image.h), a checksum of it, and marks: a
 * mark is a word of flash that was written once. Each has spare words, for a write that is cut short spoils one. All
 * that is said of an image is said by one mark, so a power failure finds it said or not said:
 *
 *     (nothing)   being transferred
 *     COMPLETE    all there and verified
 *     ACTIVE      to be taken by the next boot
 *     CONFIRMED   has proved itself; until then each boot uses up one of its tries
 *     BAD         never again: it failed, or was rolled back
 *
 * Nothing here erases the image in use, and nothing calls an image bad while no confirmed one is there to take over.
 *
 * The floor is the highest counter that was ever confirmed; no image at or below it is taken (anti-rollback). It
 * outlives the erasure of the slot that it stood in: before that, it is written into the head of the other. */
#ifndef STETHOS_SLOTS_H
#define STETHOS_SLOTS_H

#include "image.h"
#include "store.h"

enum { SLOT_TRIES = 3, SLOT_HEAD = 416 /* bytes of a head that say something */ };

enum slot_mark { SLOT_COMPLETE, SLOT_ACTIVE, SLOT_CONFIRMED, SLOT_BAD, SLOT_MARKS };

/* The two slots of one store. */
struct slots {
    const struct port_store *port;
    void *context;
    enum store store;
};

struct slot_state {
    struct image_manifest manifest; /* if `whole` */
    bool whole;                     /* the manifest is there and undamaged */
    bool marked[SLOT_MARKS];
    uint8_t tries; /* used up */
};

void slots_read(const struct slots *slots, uint8_t slot, struct slot_state *out);

/* The slot in use by its marks: active, not bad, with the highest counter. -1: none. Contents are not looked at. */
int slots_active(const struct slots *slots, struct slot_state *out);

/* Complete, active, confirmed and not bad. */
bool slots_proven(const struct slot_state *state);

/* The highest counter ever confirmed, 0 if none. */
uint32_t slots_floor(const struct slots *slots);

/* The whole image against its manifest, the manifest against the rules, and the board's own test. */
enum image_reply slots_check(const struct slots *slots, uint8_t slot, const struct image_rules *rules);

/* What a boot does: the slot to take, checked, and one try of it used up if it is not confirmed; -1: none can be taken.
 * `why` tells of each slot why it was not taken (IMAGE_OK: it was, or was not asked). */
int slots_choose(const struct slots *slots, const struct image_rules *rules, enum image_reply why[STORE_SLOTS]);

/* Each writes one mark; false if flash did not take it, or if it makes no sense for this slot. */
bool slots_activate(const struct slots *slots, uint8_t slot);
bool slots_confirm(const struct slots *slots, uint8_t slot);

/* The image in use goes back to the other one, which must be proven. False: nothing has changed. */
bool slots_roll_back(const struct slots *slots);

/* For update.c and for those that make slots: low-level writing. */
bool slots_mark(const struct slots *slots, uint8_t slot, enum slot_mark mark);
bool slots_write_manifest(const struct slots *slots, uint8_t slot, const uint8_t bytes[IMAGE_MANIFEST]);
bool slots_erase(const struct slots *slots, uint8_t slot); /* the floor is seen to */

#endif
