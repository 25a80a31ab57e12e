/* SHA-512 (FIPS 180-4), for signatures. */
#ifndef STETHOS_SHA512_H
#define STETHOS_SHA512_H

#include <stddef.h>
#include <stdint.h>

enum { SHA512_SIZE = 64, SHA512_BLOCK = 128 };

struct sha512 {
    uint64_t state[8];
    uint32_t length; /* bytes taken so far; less than 4 GiB, which is more than a node can store */
    uint8_t block[SHA512_BLOCK];
};

void sha512_init(struct sha512 *hash);
void sha512_update(struct sha512 *hash, const uint8_t *data, size_t n);
void sha512_final(struct sha512 *hash, uint8_t out[SHA512_SIZE]);

#endif
