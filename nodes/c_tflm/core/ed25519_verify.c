#include "ed25519_verify.h"

#include <string.h>

#include "sha512.h"

enum { WORDS = 8 };

/* A number below 2^256, lowest word first; of the field it stands for its residue modulo p = 2^255 - 19. */
struct number {
    uint32_t w[WORDS];
};

/* x = X/Z, y = Y/Z, xy = T/Z on -x^2 + y^2 = 1 + d x^2 y^2. */
struct point {
    struct number x, y, z, t;
};

static const struct number ZERO = {{0}};
static const struct number ONE = {{1}};
static const struct number P = {
    {0xffffffed, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x7fffffff}};
static const struct number D = {
    {0x135978a3, 0x75eb4dca, 0x4141d8ab, 0x00700a4d, 0x7779e898, 0x8cc74079, 0x2b6ffe73, 0x52036cee}};
static const struct number ROOT_OF_MINUS_ONE = {
    {0x4a0ea0b0, 0xc4ee1b27, 0xad2fe478, 0x2f431806, 0x3dfbd7a7, 0x2b4d0099, 0x4fc1df0b, 0x2b832480}};
static const struct number ORDER = {{0x5cf5d3ed, 0x5812631a, 0xa2f79cd6, 0x14def9de, 0, 0, 0, 0x10000000}};

static struct number from_bytes(const uint8_t *bytes) {
    struct number out;
    for (unsigned i = 0; i < WORDS; i++) {
        const uint8_t *b = bytes + 4 * i;
        out.w[i] = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    }
    return out;
}

/* r = a - b as plain numbers; true if a was the smaller one. */
static bool subtract(struct number *r, const struct number *a, const struct number *b) {
    int64_t carry = 0;
    for (unsigned i = 0; i < WORDS; i++) {
        carry += (int64_t)a->w[i] - b->w[i];
        r->w[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return carry != 0;
}

static void reduce_once(struct number *r, const struct number *modulus) {
    struct number less;
    if (!subtract(&less, r, modulus)) {
        *r = less;
    }
}

/* Adds carry * 2^256, which is carry * 38. The second time the carry is 0, 1 or -1, and then none is left. */
static void fold(struct number *r, int64_t carry) {
    while (carry != 0) {
        carry *= 38;
        for (unsigned i = 0; i < WORDS; i++) {
            carry += r->w[i];
            r->w[i] = (uint32_t)carry;
            carry >>= 32;
        }
    }
}

static void add(struct number *r, const struct number *a, const struct number *b) {
    uint64_t carry = 0;
    for (unsigned i = 0; i < WORDS; i++) {
        carry += (uint64_t)a->w[i] + b->w[i];
        r->w[i] = (uint32_t)carry;
        carry >>= 32;
    }
    fold(r, (int64_t)carry);
}

static void sub(struct number *r, const struct number *a, const struct number *b) {
    fold(r, -(int64_t)subtract(r, a, b));
}

static void mul(struct number *r, const struct number *a, const struct number *b) {
    uint32_t product[2 * WORDS] = {0};
    uint64_t carry;
    for (unsigned i = 0; i < WORDS; i++) {
        carry = 0;
        for (unsigned j = 0; j < WORDS; j++) {
            carry += (uint64_t)a->w[i] * b->w[j] + product[i + j];
            product[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        product[i + WORDS] = (uint32_t)carry;
    }
    carry = 0;
    for (unsigned i = 0; i < WORDS; i++) {
        carry += (uint64_t)product[i + WORDS] * 38 + product[i];
        r->w[i] = (uint32_t)carry;
        carry >>= 32;
    }
    fold(r, (int64_t)carry);
}

/* a^e, where e is 250 ones and then the `n` lowest bits of `tail`. */
static struct number power(const struct number *a, uint32_t tail, int n) {
    struct number r = ONE;
    for (int bit = 249 + n; bit >= 0; bit--) {
        mul(&r, &r, &r);
        if (bit >= n || (tail >> bit & 1) != 0) {
            mul(&r, &r, a);
        }
    }
    return r;
}

static struct number inverse(const struct number *a) {
    return power(a, 11, 5); /* p - 2 */
}

/* The residue itself, below p. */
static struct number residue(const struct number *a) {
    struct number r = *a;
    reduce_once(&r, &P);
    reduce_once(&r, &P); /* 2^256 is 2p + 38: a third time is needed by nothing but the highest 38 numbers */
    reduce_once(&r, &P);
    return r;
}

static bool equal(const struct number *a, const struct number *b) {
    struct number difference;
    sub(&difference, a, b);
    difference = residue(&difference);
    return memcmp(&difference, &ZERO, sizeof ZERO) == 0;
}

/* The complete addition of Hisil, Wong, Carter and Dawson (2008), 3.1: any two points, the same one too. */
static void add_points(struct point *r, const struct point *p, const struct point *q) {
    struct number a, b, c, d, e;
    sub(&a, &p->y, &p->x);
    sub(&b, &q->y, &q->x);
    mul(&a, &a, &b);
    add(&b, &p->y, &p->x);
    add(&c, &q->y, &q->x);
    mul(&b, &b, &c);
    mul(&c, &p->t, &q->t);
    mul(&c, &c, &D);
    add(&c, &c, &c);
    mul(&d, &p->z, &q->z);
    add(&d, &d, &d);
    sub(&e, &b, &a);
    add(&b, &b, &a);
    sub(&a, &d, &c);
    add(&d, &d, &c);
    mul(&r->x, &e, &a);
    mul(&r->y, &d, &b);
    mul(&r->z, &a, &d);
    mul(&r->t, &e, &b);
}

/* RFC 8032, 5.1.3. With `negative` the point's inverse. */
static bool decompress(struct point *out, const uint8_t bytes[ED25519_KEY], bool negative) {
    struct number u, v, below;
    const uint32_t sign = bytes[ED25519_KEY - 1] >> 7;
    out->z = ONE;
    out->y = from_bytes(bytes);
    out->y.w[WORDS - 1] &= 0x7fffffff;
    if (!subtract(&below, &out->y, &P)) {
        return false;
    }
    mul(&u, &out->y, &out->y);
    mul(&v, &u, &D);
    add(&v, &v, &ONE);
    sub(&u, &u, &ONE);
    v = inverse(&v);     /* d y^2 = -1 has no solution */
    mul(&u, &u, &v);     /* x^2 */
    v = power(&u, 1, 2); /* exponent (p - 5) / 8 */
    mul(&out->x, &u, &v);
    mul(&v, &out->x, &out->x);
    if (!equal(&v, &u)) {
        mul(&out->x, &out->x, &ROOT_OF_MINUS_ONE);
        mul(&v, &out->x, &out->x);
        if (!equal(&v, &u)) {
            return false;
        }
    }
    out->x = residue(&out->x);
    if ((out->x.w[0] & 1) != (sign ^ negative)) {
        sub(&out->x, &P, &out->x); /* of x = 0 too: 0 and p are the same, so a wrong sign of it shows below */
    }
    mul(&out->t, &out->x, &out->y);
    return true;
}

static bool of_small_order(const struct point *p) {
    struct point eightfold = *p;
    for (unsigned i = 0; i < 3; i++) {
        add_points(&eightfold, &eightfold, &eightfold);
    }
    return equal(&eightfold.x, &ZERO);
}

/* The hash of R, A and message, modulo the order, a bit at a time. */
static struct number challenge(const uint8_t *signature, const uint8_t *key, const uint8_t *message, size_t n) {
    uint8_t digest[SHA512_SIZE];
    struct sha512 hash;
    struct number k = {{0}};
    sha512_init(&hash);
    sha512_update(&hash, signature, 32);
    sha512_update(&hash, key, ED25519_KEY);
    sha512_update(&hash, message, n);
    sha512_final(&hash, digest);
    for (int bit = 8 * SHA512_SIZE - 1; bit >= 0; bit--) {
        uint32_t carry = digest[bit / 8] >> (bit % 8) & 1;
        for (unsigned i = 0; i < WORDS; i++) {
            const uint32_t word = k.w[i];
            k.w[i] = word << 1 | carry;
            carry = word >> 31;
        }
        reduce_once(&k, &ORDER);
    }
    return k;
}

static uint32_t bit_of(const struct number *a, int bit) {
    return a->w[bit / 32] >> (bit % 32) & 1;
}

/* [s]B + [k]Q with the multiples added side by side. */
static void combine(struct point *r, const struct number *s, const struct number *k, const struct point *q) {
    uint8_t base[ED25519_KEY];
    struct point table[3];
    memset(base, 0x66, sizeof base); /* y = 4/5 */
    base[0] = 0x58;
    decompress(&table[0], base, false);
    table[1] = *q;
    add_points(&table[2], &table[0], q);
    *r = (struct point){.y = ONE, .z = ONE};
    for (int bit = 252; bit >= 0; bit--) {
        const uint32_t which = bit_of(s, bit) | bit_of(k, bit) << 1;
        add_points(r, r, r);
        if (which != 0) {
            add_points(r, r, &table[which - 1]);
        }
    }
}

/* RFC 8032, 5.1.2: is this the encoding of the point? */
static bool encodes(const uint8_t *bytes, const struct point *p) {
    const struct number z = inverse(&p->z);
    const struct number claimed = from_bytes(bytes);
    struct number x, y;
    mul(&x, &p->x, &z);
    mul(&y, &p->y, &z);
    x = residue(&x);
    y = residue(&y);
    y.w[WORDS - 1] |= x.w[0] << 31;
    return memcmp(&y, &claimed, sizeof y) == 0;
}

bool ed25519_verify(const uint8_t signature[ED25519_SIGNATURE], const uint8_t key[ED25519_KEY], const uint8_t *message,
                    size_t n) {
    const struct number s = from_bytes(signature + 32);
    struct number k, below;
    struct point minus_a, r;
    if (!subtract(&below, &s, &ORDER) || !decompress(&minus_a, key, true) || of_small_order(&minus_a)) {
        return false;
    }
    k = challenge(signature, key, message, n);
    combine(&r, &s, &k, &minus_a);
    return encodes(signature, &r);
}
