#include "hkdf.h"

#include <string.h>

static void start(struct sha256 *hash, struct bytes key, uint8_t pad) {
    sha256_init(hash);
    for (size_t i = 0; i < SHA256_BLOCK; i++) {
        const uint8_t padded = (uint8_t)((i < key.n ? key.data[i] : 0) ^ pad);
        sha256_update(hash, &padded, 1);
    }
}

void hmac_sha256(struct bytes key, const struct bytes *parts, size_t parts_n, uint8_t out[SHA256_SIZE]) {
    uint8_t digest[SHA256_SIZE];
    const struct bytes hashed = {digest, sizeof digest};
    struct sha256 hash;
    if (key.n > SHA256_BLOCK) {
        sha256(key.data, key.n, digest);
        key = hashed;
    }
    const struct bytes inner = {out, SHA256_SIZE};
    for (unsigned pass = 0; pass < 2; pass++) {
        start(&hash, key, pass == 0 ? 0x36 : 0x5c);
        for (size_t i = 0; i < parts_n; i++) {
            sha256_update(&hash, parts[i].data, parts[i].n);
        }
        sha256_final(&hash, out);
        parts = &inner;
        parts_n = 1;
    }
}

void hkdf_sha256(struct bytes salt, struct bytes secret, struct bytes info, uint8_t *out, size_t n) {
    uint8_t key[SHA256_SIZE];
    uint8_t block[SHA256_SIZE];
    hmac_sha256(salt, &secret, 1, key);
    for (uint8_t counter = 1; n > 0; counter++) {
        const struct bytes parts[] = {{block, counter > 1 ? sizeof block : 0}, info, {&counter, 1}};
        const size_t take = n < sizeof block ? n : sizeof block;
        hmac_sha256((struct bytes){key, sizeof key}, parts, 3, block);
        memcpy(out, block, take);
        out += take;
        n -= take;
    }
}
