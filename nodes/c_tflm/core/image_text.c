#include "image.h"

const char *image_reply_text(enum image_reply reply) {
    static const char *const TEXT[IMAGE_REPLIES] = {
        [IMAGE_OK] = "taken",
        [IMAGE_NO_STORE] = "the board has no such store",
        [IMAGE_NO_MANIFEST] = "no manifest, a damaged one, or not that of what was offered",
        [IMAGE_OTHER_STORE] = "for another store",
        [IMAGE_OTHER_BOARD] = "for another board",
        [IMAGE_OTHER_SLOT] = "linked for the other slot",
        [IMAGE_TOO_LARGE] = "too large for its slot",
        [IMAGE_COUNTER] = "counter not above the highest that was confirmed",
        [IMAGE_NOT_SIGNED] = "not signed",
        [IMAGE_SIGNATURE] = "signature forged, or of another key",
        [IMAGE_HASH] = "payload is not what the manifest says",
        [IMAGE_TRUNCATED] = "bytes are missing at its end",
        [IMAGE_OFFSET] = "not the bytes that are wanted next",
        [IMAGE_TORN] = "an earlier transfer was cut off within a word: starts anew",
        [IMAGE_FLASH] = "could not be written",
        [IMAGE_SELF_TEST] = "failed the board's own test",
        [IMAGE_UNCONFIRMED] = "the image in use has not proved itself",
        [IMAGE_NOT_OPEN] = "no transfer has begun",
    };
    return reply >= 0 && reply < IMAGE_REPLIES ? TEXT[reply] : "?";
}
