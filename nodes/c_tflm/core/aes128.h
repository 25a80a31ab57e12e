/* AES-128 encryption (FIPS 197) without tables or branches on data, so that neither caches nor timing tell the key. */
#ifndef STETHOS_AES128_H
#define STETHOS_AES128_H

#include <stdint.h>

enum { AES128_KEY = 16, AES128_BLOCK = 16, AES128_ROUNDS = 10 };

/* One block by the port's hardware. */
typedef void (*aes128_hardware)(void *context, const uint8_t key[AES128_KEY], const uint8_t in[AES128_BLOCK],
                                uint8_t out[AES128_BLOCK]);

struct aes128 {
    const uint8_t *key;       /* AES128_KEY bytes, the caller's; round keys are made as they are needed */
    aes128_hardware hardware; /* NULL: in software */
    void *context;
};

/* `in` and `out` may be the same. */
void aes128_encrypt(const struct aes128 *aes, const uint8_t in[AES128_BLOCK], uint8_t out[AES128_BLOCK]);

#endif
