#include "hkdf.h"

#include <string.h>

static void start(struct sha256 *hash, const uint8_t key[SHA256_BLOCK], uint8_t pad) {
    uint8_t padded[SHA256_BLOCK];
    for (unsigned i = 0; i < SHA256_BLOCK; i++) {
        padded[i] = key[i] ^ pad;
    }
    sha256_init(hash);
    sha256_update(hash, padded, sizeof padded);
}

void hmac_sha256(struct bytes key, const struct bytes *parts, size_t parts_n, uint8_t out[SHA256_SIZE]) {
    uint8_t block[SHA256_BLOCK] = {0};
    struct sha256 hash;
    if (key.n > SHA256_BLOCK) {
        sha256(key.data, key.n, block);
    } else if (key.n > 0) {
        memcpy(block, key.data, key.n);
    }
    start(&hash, block, 0x36);
    for (size_t i = 0; i < parts_n; i++) {
        sha256_update(&hash, parts[i].data, parts[i].n);
    }
    sha256_final(&hash, out);
    start(&hash, block, 0x5c);
    sha256_update(&hash, out, SHA256_SIZE);
    sha256_final(&hash, out);
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
