/* SHA-256 (FIPS 180-4). */
#ifndef STETHOS_SHA256_H
#define STETHOS_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32, SHA256_BLOCK = 64 };

struct sha256 {
    uint32_t state[8];
    uint32_t length; /* bytes taken so far; less than 512 MiB, which is more than a node can store */
    uint8_t block[SHA256_BLOCK];
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const uint8_t *data, size_t n);
void sha256_final(struct sha256 *hash, uint8_t out[SHA256_SIZE]);

/* All at once. */
void sha256(const uint8_t *data, size_t n, uint8_t out[SHA256_SIZE]);

#endif
