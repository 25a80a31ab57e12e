#include "keys.h"

#include <string.h>

#include "codec.h"

enum { INFO_MAX = 1 + 8 + 24 + 1 + 4 + 1 };

static uint8_t *put(uint8_t *at, uint8_t major, struct bytes value) {
    *at++ = (uint8_t)(major | value.n);
    for (size_t i = 0; i < value.n; i++) {
        *at++ = value.data[i];
    }
    return at;
}

void keys_derive(const struct keys_source *source, uint8_t *out, uint8_t n) {
    enum { ARRAY_5 = 0x85, NIL = 0xF6, AES_CCM_16_64_128 = 10 };
    static const uint8_t KEY[] = {'K', 'e', 'y'};
    static const uint8_t IV[] = {'I', 'V'};
    uint8_t info[INFO_MAX];
    uint8_t *at = info;
    *at++ = ARRAY_5;
    at = put(at, CODEC_BYTES, source->id);
    if (source->id_context.data == NULL) {
        *at++ = NIL;
    } else {
        at = put(at, CODEC_BYTES, source->id_context);
    }
    *at++ = AES_CCM_16_64_128;
    at = put(at, CODEC_STRING, n == KEYS_IV ? (struct bytes){IV, sizeof IV} : (struct bytes){KEY, sizeof KEY});
    *at++ = n;
    hkdf_sha256(source->salt, source->secret, (struct bytes){info, (size_t)(at - info)}, out, n);
}

void keys_context_iv(const uint8_t common_iv[KEYS_IV], struct bytes id, uint8_t out[KEYS_IV]) {
    memcpy(out, common_iv, KEYS_IV);
    out[0] ^= (uint8_t)id.n;
    for (size_t i = 0; i < id.n; i++) {
        out[8 - id.n + i] ^= id.data[i];
    }
}

void keys_init(struct keys *keys, const uint8_t kid[KEYS_KID], const uint8_t secret[KEYS_SECRET]) {
    const struct bytes none = {NULL, 0};
    struct keys_source source = {.secret = {secret, KEYS_SECRET}, .id = {kid, KEYS_KID}};
    uint8_t common_iv[KEYS_IV];
    memcpy(keys->kid, kid, KEYS_KID);
    memcpy(keys->secret, secret, KEYS_SECRET);
    keys_derive(&source, keys->up, KEYS_KEY);
    source.id = none;
    keys_derive(&source, common_iv, KEYS_IV);
    keys_context_iv(common_iv, (struct bytes){kid, KEYS_KID}, keys->iv_up);
    keys_context_iv(common_iv, none, keys->iv_down);
}

void keys_down(const struct keys *keys, uint16_t epoch, uint8_t out[KEYS_KEY]) {
    const uint8_t context[2] = {(uint8_t)(epoch >> 8), (uint8_t)epoch};
    const struct keys_source source = {.secret = {keys->secret, KEYS_SECRET}, .id_context = {context, sizeof context}};
    keys_derive(&source, out, KEYS_KEY);
}
