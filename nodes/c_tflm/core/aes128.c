#include "aes128.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "as on every board there is a port for");

/* Four elements of GF(2^8) to a word: a column of the state or of a round key, its first byte lowest. */
enum { COLUMNS = 4, FIRST_CONSTANT = 0x01, AFFINE_CONSTANT = 0x63, REDUCTION = 0x1B };

static const uint32_t ONES = 0x01010101;

/* Of each byte its lowest bit, spread over the whole byte. */
static uint32_t spread(uint32_t x) {
    const uint32_t low = x & ONES;
    return (low << 8) - low;
}

/* Modulo x^8 + x^4 + x^3 + x + 1. */
static uint32_t multiply(uint32_t a, uint32_t b) {
    uint32_t product = 0;
    for (unsigned i = 0; i < 8; i++, b >>= 1) {
        product ^= a & spread(b);
        a = (a & ~(ONES << 7)) << 1 ^ (spread(a >> 7) & ONES * REDUCTION);
    }
    return product;
}

static uint32_t times_x(uint32_t a) {
    return multiply(a, 2 * ONES);
}

static uint32_t rotate(uint32_t x, unsigned n) {
    return x >> n | x << (32 - n);
}

/* SubBytes: a^254, which is the inverse, and 0 for 0; then the affine map of FIPS 197, 5.1.1. */
static uint32_t substitute(uint32_t a) {
    uint32_t power = a;
    for (unsigned i = 0; i < 6; i++) {
        power = multiply(multiply(power, power), a); /* a^3, a^7, .. a^127 */
    }
    power = multiply(power, power);
    uint32_t sum = power ^ ONES * AFFINE_CONSTANT;
    for (unsigned i = 0; i < 4; i++) {
        power = (power & ~(ONES << 7)) << 1 | (power >> 7 & ONES);
        sum ^= power;
    }
    return sum;
}

static void next_round_key(uint32_t key[COLUMNS], uint32_t constant) {
    uint32_t word = substitute(rotate(key[COLUMNS - 1], 8)) ^ constant;
    for (unsigned i = 0; i < COLUMNS; i++) {
        word ^= key[i];
        key[i] = word;
    }
}

/* SubBytes and ShiftRows: row r of a column comes from the column r further on. */
static void substitute_and_shift(uint32_t state[COLUMNS]) {
    uint8_t old[AES128_BLOCK];
    uint8_t *bytes = (uint8_t *)state;
    for (unsigned i = 0; i < COLUMNS; i++) {
        state[i] = substitute(state[i]);
    }
    memcpy(old, state, sizeof old);
    for (unsigned i = 0; i < AES128_BLOCK; i++) {
        bytes[i] = old[(i + COLUMNS * i) % AES128_BLOCK];
    }
}

static void mix_columns(uint32_t state[COLUMNS]) {
    for (unsigned i = 0; i < COLUMNS; i++) {
        const uint32_t next = rotate(state[i], 8);
        state[i] = times_x(state[i] ^ next) ^ next ^ rotate(state[i], 16) ^ rotate(state[i], 24);
    }
}

void aes128_encrypt(const struct aes128 *aes, const uint8_t in[AES128_BLOCK], uint8_t out[AES128_BLOCK]) {
    uint32_t state[COLUMNS];
    uint32_t key[COLUMNS];
    uint32_t constant = FIRST_CONSTANT;
    if (aes->hardware != NULL) {
        aes->hardware(aes->context, aes->key, in, out);
        return;
    }
    memcpy(state, in, sizeof state);
    memcpy(key, aes->key, sizeof key);
    for (unsigned round = 0;; round++) {
        for (unsigned i = 0; i < COLUMNS; i++) {
            state[i] ^= key[i];
        }
        if (round == AES128_ROUNDS) {
            break;
        }
        substitute_and_shift(state);
        if (round < AES128_ROUNDS - 1) {
            mix_columns(state);
        }
        next_round_key(key, constant);
        constant = times_x(constant);
    }
    memcpy(out, state, sizeof state);
}
