#include "aes128.h"

#include <string.h>

/* Sixteen elements of GF(2^8), bit by bit: bit[i] holds bit i of all sixteen bytes. */
struct planes {
    uint32_t bit[8];
};

/* Eight bytes as a matrix of bits: bit j of byte i becomes bit i of byte j. */
static uint64_t transpose(uint64_t x) {
    static const uint64_t MASK[3] = {0x00AA00AA00AA00AA, 0x0000CCCC0000CCCC, 0x00000000F0F0F0F0};
    for (unsigned i = 0; i < 3; i++) {
        const unsigned by = 7u << i;
        const uint64_t changed = (x ^ x >> by) & MASK[i];
        x ^= changed ^ changed << by;
    }
    return x;
}

static void to_planes(struct planes *out, const uint8_t bytes[16]) {
    uint64_t half[2] = {0};
    for (unsigned i = 0; i < 16; i++) {
        half[i / 8] |= (uint64_t)bytes[i] << 8 * (i % 8);
    }
    half[0] = transpose(half[0]);
    half[1] = transpose(half[1]);
    for (unsigned b = 0; b < 8; b++) {
        out->bit[b] = (uint32_t)(half[0] >> 8 * b & 0xFF) | (uint32_t)(half[1] >> 8 * b & 0xFF) << 8;
    }
}

static void from_planes(const struct planes *in, uint8_t bytes[16]) {
    uint64_t half[2] = {0};
    for (unsigned b = 0; b < 8; b++) {
        half[0] |= (uint64_t)(in->bit[b] & 0xFF) << 8 * b;
        half[1] |= (uint64_t)(in->bit[b] >> 8 & 0xFF) << 8 * b;
    }
    half[0] = transpose(half[0]);
    half[1] = transpose(half[1]);
    for (unsigned i = 0; i < 16; i++) {
        bytes[i] = (uint8_t)(half[i / 8] >> 8 * (i % 8));
    }
}

/* Modulo x^8 + x^4 + x^3 + x + 1. */
static void reduce(struct planes *out, uint32_t product[15]) {
    for (unsigned i = 14; i >= 8; i--) {
        product[i - 4] ^= product[i];
        product[i - 5] ^= product[i];
        product[i - 7] ^= product[i];
        product[i - 8] ^= product[i];
    }
    memcpy(out->bit, product, sizeof out->bit);
}

static void multiply(struct planes *out, const struct planes *a, const struct planes *b) {
    uint32_t product[15] = {0};
    for (unsigned i = 0; i < 8; i++) {
        for (unsigned j = 0; j < 8; j++) {
            product[i + j] ^= a->bit[i] & b->bit[j];
        }
    }
    reduce(out, product);
}

/* a^(2^times). */
static void square(struct planes *out, const struct planes *a, unsigned times) {
    struct planes power = *a;
    while (times-- > 0) {
        uint32_t product[15] = {0};
        for (unsigned i = 0; i < 8; i++) {
            product[2 * i] = power.bit[i];
        }
        reduce(&power, product);
    }
    *out = power;
}

/* a^254, which is the inverse, and 0 for 0. */
static void invert(struct planes *out, const struct planes *a) {
    struct planes a2;
    struct planes a3;
    struct planes a12;
    struct planes power;
    square(&a2, a, 1);
    multiply(&a3, &a2, a);
    square(&a12, &a3, 2);
    multiply(&power, &a12, &a3); /* 15 */
    square(&power, &power, 4);   /* 240 */
    multiply(&power, &power, &a12);
    multiply(out, &power, &a2);
}

/* SubBytes: inversion, then the affine map of FIPS 197, 5.1.1. */
static void substitute(uint8_t state[16]) {
    static const uint8_t CONSTANT = 0x63;
    struct planes in;
    struct planes out;
    to_planes(&in, state);
    invert(&in, &in);
    for (unsigned i = 0; i < 8; i++) {
        const uint32_t constant = (CONSTANT >> i & 1) ? 0xFFFF : 0;
        out.bit[i] = in.bit[i] ^ in.bit[(i + 4) % 8] ^ in.bit[(i + 5) % 8] ^ in.bit[(i + 6) % 8] ^ in.bit[(i + 7) % 8] ^
                     constant;
    }
    from_planes(&out, state);
}

static uint8_t times_x(uint8_t a) {
    return (uint8_t)((unsigned)a << 1 ^ ((0u - ((unsigned)a >> 7)) & 0x1B));
}

static void shift_rows(uint8_t state[16]) {
    uint8_t old[16];
    memcpy(old, state, sizeof old);
    for (unsigned i = 0; i < 16; i++) {
        state[i] = old[(i + 4 * (i % 4)) % 16];
    }
}

static void mix_columns(uint8_t state[16]) {
    for (uint8_t *column = state; column < state + 16; column += 4) {
        const uint8_t first = column[0];
        const uint8_t all = column[0] ^ column[1] ^ column[2] ^ column[3];
        for (unsigned i = 0; i < 4; i++) {
            const uint8_t next = i < 3 ? column[i + 1] : first;
            column[i] = (uint8_t)(column[i] ^ all ^ times_x(column[i] ^ next));
        }
    }
}

static void add(uint8_t state[16], const uint8_t other[16]) {
    for (unsigned i = 0; i < 16; i++) {
        state[i] ^= other[i];
    }
}

static void next_round_key(const uint8_t last[16], uint8_t next[16], uint8_t constant) {
    uint8_t word[16] = {last[13], last[14], last[15], last[12]};
    substitute(word);
    word[0] ^= constant;
    for (unsigned i = 0; i < 16; i++) {
        next[i] = last[i] ^ (i < 4 ? word[i] : next[i - 4]);
    }
}

void aes128_init(struct aes128 *aes, const uint8_t key[AES128_KEY], aes128_hardware hardware, void *context) {
    uint8_t constant = 1;
    aes->hardware = hardware;
    aes->context = context;
    memcpy(aes->round_key[0], key, AES128_KEY);
    for (unsigned round = 1; hardware == NULL && round <= AES128_ROUNDS; round++) {
        next_round_key(aes->round_key[round - 1], aes->round_key[round], constant);
        constant = times_x(constant);
    }
}

void aes128_encrypt(const struct aes128 *aes, const uint8_t in[AES128_BLOCK], uint8_t out[AES128_BLOCK]) {
    uint8_t state[AES128_BLOCK];
    if (aes->hardware != NULL) {
        aes->hardware(aes->context, aes->round_key[0], in, out);
        return;
    }
    memcpy(state, in, sizeof state);
    add(state, aes->round_key[0]);
    for (unsigned round = 1; round <= AES128_ROUNDS; round++) {
        substitute(state);
        shift_rows(state);
        if (round < AES128_ROUNDS) {
            mix_columns(state);
        }
        add(state, aes->round_key[round]);
    }
    memcpy(out, state, sizeof state);
}
