#include "sha256.h"

#include <string.h>

enum { ROUNDS = 64 };

/* FIPS 180-4, 5.3.3 and 4.2.2: fractional parts of the square and cube roots of the first primes. */
static const uint32_t START[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};
static const uint32_t ROUND[ROUNDS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, unsigned n) {
    return x >> n | x << (32 - n);
}

/* The word of round i lies i + 1 places below `v`. */
static void schedule(const uint8_t *block, uint32_t *v) {
    for (uint32_t *w = v - 1; w >= v - 16; w--, block += 4) {
        *w = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
    }
    for (uint32_t *w = v - 17; w >= v - ROUNDS; w--) {
        const uint32_t s0 = rotate(w[15], 7) ^ rotate(w[15], 18) ^ w[15] >> 3;
        const uint32_t s1 = rotate(w[2], 17) ^ rotate(w[2], 19) ^ w[2] >> 10;
        *w = w[16] + s0 + w[7] + s1;
    }
}

/* In each round the eight variables move on by one place. Here they stay, their window moves down by one, and the new
 * one takes the place of the word that the round has used. */
static void compress(uint32_t state[8], const uint8_t *block) {
    uint32_t places[ROUNDS + 8];
    uint32_t *v = places + ROUNDS;
    memcpy(v, state, 8 * sizeof *v);
    schedule(block, v);
    for (unsigned i = 0; i < ROUNDS; i++) {
        const uint32_t sum1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
        const uint32_t choose = (v[4] & v[5]) ^ (~v[4] & v[6]);
        const uint32_t first = v[7] + sum1 + choose + ROUND[i] + v[-1];
        const uint32_t sum0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
        const uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        v[3] += first;
        *--v = first + sum0 + majority;
    }
    for (unsigned i = 0; i < 8; i++) {
        state[i] += v[i];
    }
}

void sha256_init(struct sha256 *hash) {
    memcpy(hash->state, START, sizeof START);
    hash->length = 0;
}

void sha256_update(struct sha256 *hash, const uint8_t *data, size_t n) {
    for (size_t i = 0; i < n; i++) {
        hash->block[hash->length++ % SHA256_BLOCK] = data[i];
        if (hash->length % SHA256_BLOCK == 0) {
            compress(hash->state, hash->block);
        }
    }
}

void sha256_final(struct sha256 *hash, uint8_t out[SHA256_SIZE]) {
    const uint32_t bits = hash->length * 8;
    uint8_t byte = 0x80;
    do { /* one bit, then zeros up to where the length begins */
        sha256_update(hash, &byte, 1);
        byte = 0;
    } while (hash->length % SHA256_BLOCK != SHA256_BLOCK - 8);
    for (unsigned i = 0; i < 8; i++) {
        byte = i < 4 ? 0 : (uint8_t)(bits >> (56 - 8 * i));
        sha256_update(hash, &byte, 1);
    }
    for (unsigned i = 0; i < SHA256_SIZE; i++) {
        out[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
    }
}

void sha256(const uint8_t *data, size_t n, uint8_t out[SHA256_SIZE]) {
    struct sha256 hash;
    sha256_init(&hash);
    sha256_update(&hash, data, n);
    sha256_final(&hash, out);
}
