/* An image comes in pieces and goes into the slot that is not in use. A transfer goes on where it stopped, after a
 * reset, too; nothing is erased before a manifest has come that passes, and nothing is used before all of it has. */
#ifndef STETHOS_UPDATE_H
#define STETHOS_UPDATE_H

#include "slots.h"

struct update_offer {
    uint32_t size; /* of the payload */
    uint32_t counter;
    uint8_t sha256[IMAGE_SHA256]; /* of the payload */
};

struct update {
    struct slots slots;
    const struct image_rules *rules;
    struct update_offer offer;
    uint32_t wanted; /* offset in the file, which is manifest and payload, of the next byte to come */
    uint8_t slot;    /* where it goes */
    bool open;
};

/* An offer: refused, or taken, and then `wanted` is where to begin; the same offer goes on with what is there. */
enum image_reply update_begin(struct update *update, const struct slots *slots, const struct image_rules *rules,
                              const struct update_offer *offer);

/* The file's bytes from `offset` on. The first piece holds the manifest whole. Of the others whole words are taken, so
 * pieces whose length is a multiple of STORE_WORD are taken whole; `wanted` says what comes next, whatever the reply.
 */
enum image_reply update_write(struct update *update, uint32_t offset, const uint8_t *data, size_t n);

/* All is there: it is verified, and complete. What fails is erased. To use it: slots_activate, then a restart. */
enum image_reply update_finish(struct update *update);

/* An image that is in use has had `deadline_ms` since the boot to be confirmed, and was not: time for a restart, which
 * uses up a try. */
bool update_overdue(const struct slots *slots, uint64_t since_boot_ms, uint32_t deadline_ms);

#endif
