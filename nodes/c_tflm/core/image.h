/* What an image says of itself: the first 128 bytes of every file that goes into a slot.
 *
 *      0  "STI1"
 *      4  store, slot (0, 1; 255: either), two bytes 0
 *      8  board, 16 bytes, filled up with 0
 *     24  counter, 4 bytes, little-endian: higher than that of every image before it
 *     28  size of the payload, 4 bytes, little-endian
 *     32  SHA-256 of the payload
 *     64  Ed25519 signature of the 64 bytes above; all 0: not signed
 *    128  the payload */
#ifndef STETHOS_IMAGE_H
#define STETHOS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"

enum { IMAGE_MANIFEST = 128, IMAGE_SIGNED = 64, IMAGE_BOARD = 16, IMAGE_SHA256 = 32, IMAGE_ANY_SLOT = 255 };

enum image_reply {
    IMAGE_OK,
    IMAGE_NO_STORE,    /* the board has no such store */
    IMAGE_NO_MANIFEST, /* no manifest, a damaged one, or not that of what was offered */
    IMAGE_OTHER_STORE, /* for another store */
    IMAGE_OTHER_BOARD, /* for another board */
    IMAGE_OTHER_SLOT,  /* linked for the other slot */
    IMAGE_TOO_LARGE,
    IMAGE_COUNTER,     /* not above the highest counter that was ever confirmed */
    IMAGE_NOT_SIGNED,  /* and this store takes only what is signed */
    IMAGE_SIGNATURE,   /* forged, or of another key */
    IMAGE_HASH,        /* the payload is not what the manifest says */
    IMAGE_TRUNCATED,   /* bytes are missing at its end */
    IMAGE_OFFSET,      /* not the bytes that are wanted next */
    IMAGE_TORN,        /* an earlier transfer was cut off within a word: it starts anew */
    IMAGE_FLASH,       /* could not be written */
    IMAGE_SELF_TEST,   /* the board has tried it and does not want it */
    IMAGE_UNCONFIRMED, /* the image in use has yet to prove itself; or has failed to */
    IMAGE_NOT_OPEN,    /* no transfer has begun */
    IMAGE_REPLIES,
};

struct image_manifest {
    uint8_t bytes[IMAGE_MANIFEST];
};

struct image_rules {
    const char *board;         /* up to IMAGE_BOARD bytes */
    const uint8_t *public_key; /* Ed25519; NULL: no signature is good */
    /* ed25519_verify, or the copy of it that a boot stub holds for all. */
    bool (*verify)(const uint8_t *signature, const uint8_t *key, const uint8_t *message, size_t n);
    uint8_t unsigned_stores; /* bit 1 << store: takes what is not signed, too; never counts for firmware */
    int8_t running;          /* the slot that this very firmware runs from; -1: from none */
    /* Board's own test of an image that lies in its slot, payload from port->page on; NULL: none. */
    bool (*accept)(void *context, enum store store, uint8_t slot);
};

uint32_t image_counter(const struct image_manifest *manifest);
uint32_t image_size(const struct image_manifest *manifest); /* of the payload */
const uint8_t *image_sha256(const struct image_manifest *manifest);

/* The manifest alone against the rules, for this slot, whose payload has room for `room` bytes. */
enum image_reply image_check(const struct image_manifest *manifest, const struct image_rules *rules, enum store store,
                             uint8_t slot, uint32_t room);

/* For people; not part of a firmware. */
const char *image_reply_text(enum image_reply reply);

#endif
