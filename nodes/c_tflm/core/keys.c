#include "keys.h"

#include <string.h>

enum { INFO_MAX = 1 + 8 + 24 + 1 + 4 + 1 };

static const struct bytes NONE = {NULL, 0};

static uint8_t *put_bytes(uint8_t *at, uint8_t major, struct bytes value) {
    *at++ = (uint8_t)(major | value.n);
    if (value.n > 0) {
        memcpy(at, value.data, value.n);
    }
    return at + value.n;
}

void keys_derive(struct bytes secret, struct bytes salt, struct bytes id, struct bytes id_context, uint8_t *out,
                 uint8_t n) {
    static const uint8_t KEY[] = {'K', 'e', 'y'};
    static const uint8_t IV[] = {'I', 'V'};
    static const uint8_t AES_CCM_16_64_128 = 10;
    static const uint8_t NIL = 0xF6;
    uint8_t info[INFO_MAX];
    uint8_t *at = info;
    *at++ = 0x85;
    at = put_bytes(at, 0x40, id);
    if (id_context.data == NULL) {
        *at++ = NIL;
    } else {
        at = put_bytes(at, 0x40, id_context);
    }
    *at++ = AES_CCM_16_64_128;
    at = put_bytes(at, 0x60, n == KEYS_IV ? (struct bytes){IV, sizeof IV} : (struct bytes){KEY, sizeof KEY});
    *at++ = n;
    hkdf_sha256(salt, secret, (struct bytes){info, (size_t)(at - info)}, out, n);
}

void keys_context_iv(const uint8_t common_iv[KEYS_IV], struct bytes id, uint8_t out[KEYS_IV]) {
    memcpy(out, common_iv, KEYS_IV);
    out[0] ^= (uint8_t)id.n;
    for (size_t i = 0; i < id.n; i++) {
        out[8 - id.n + i] ^= id.data[i];
    }
}

void keys_init(struct keys *keys, const uint8_t kid[KEYS_KID], const uint8_t secret[KEYS_SECRET]) {
    const struct bytes id = {keys->kid, KEYS_KID};
    const struct bytes master = {keys->secret, KEYS_SECRET};
    uint8_t common_iv[KEYS_IV];
    memcpy(keys->kid, kid, KEYS_KID);
    memcpy(keys->secret, secret, KEYS_SECRET);
    keys_derive(master, NONE, id, NONE, keys->up, KEYS_KEY);
    keys_derive(master, NONE, NONE, NONE, common_iv, KEYS_IV);
    keys_context_iv(common_iv, id, keys->iv_up);
    keys_context_iv(common_iv, NONE, keys->iv_down);
}

void keys_down(const struct keys *keys, uint16_t epoch, uint8_t out[KEYS_KEY]) {
    const uint8_t context[2] = {(uint8_t)(epoch >> 8), (uint8_t)epoch};
    keys_derive((struct bytes){keys->secret, KEYS_SECRET}, NONE, NONE, (struct bytes){context, sizeof context}, out,
                KEYS_KEY);
}
