#include "image.h"

#include <string.h>

enum { AT_STORE = 4, AT_SLOT = 5, AT_ZERO = 6, AT_BOARD = 8, AT_COUNTER = 24, AT_SIZE = 28, AT_SHA256 = 32 };

static const uint8_t MAGIC[4] = {'S', 'T', 'I', '1'};

static uint32_t get32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

uint32_t image_counter(const struct image_manifest *manifest) {
    return get32(manifest->bytes + AT_COUNTER);
}

uint32_t image_size(const struct image_manifest *manifest) {
    return get32(manifest->bytes + AT_SIZE);
}

const uint8_t *image_sha256(const struct image_manifest *manifest) {
    return manifest->bytes + AT_SHA256;
}

static bool same_board(const uint8_t *named, const char *board) {
    for (unsigned i = 0; i < IMAGE_BOARD; i++) {
        if (named[i] != (uint8_t)*board) {
            return false;
        }
        board += *board != '\0';
    }
    return true;
}

static enum image_reply check_signature(const uint8_t *bytes, const struct image_rules *rules, enum store store) {
    static const uint8_t NONE[IMAGE_MANIFEST - IMAGE_SIGNED];
    const uint8_t *signature = bytes + IMAGE_SIGNED;
    if (memcmp(signature, NONE, sizeof NONE) == 0) {
        const bool may = store != STORE_FIRMWARE && (rules->unsigned_stores >> store & 1) != 0;
        return may ? IMAGE_OK : IMAGE_NOT_SIGNED;
    }
    const bool good = rules->public_key != NULL && rules->verify != NULL &&
                      rules->verify(signature, rules->public_key, bytes, IMAGE_SIGNED);
    return good ? IMAGE_OK : IMAGE_SIGNATURE;
}

enum image_reply image_check(const struct image_manifest *manifest, const struct image_rules *rules, enum store store,
                             uint8_t slot, uint32_t room) {
    const uint8_t *bytes = manifest->bytes;
    if (memcmp(bytes, MAGIC, sizeof MAGIC) != 0 || bytes[AT_ZERO] != 0 || bytes[AT_ZERO + 1] != 0) {
        return IMAGE_NO_MANIFEST;
    }
    if (bytes[AT_STORE] != (uint8_t)store) {
        return IMAGE_OTHER_STORE;
    }
    if (!same_board(bytes + AT_BOARD, rules->board)) {
        return IMAGE_OTHER_BOARD;
    }
    if (bytes[AT_SLOT] != slot && bytes[AT_SLOT] != IMAGE_ANY_SLOT) {
        return IMAGE_OTHER_SLOT;
    }
    if (image_size(manifest) > room) {
        return IMAGE_TOO_LARGE;
    }
    return check_signature(bytes, rules, store);
}
