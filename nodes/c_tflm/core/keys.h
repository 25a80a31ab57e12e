/* The keys of a node, derived from its id and its master secret (nodes/wire/SPEC.md, "Keys"). */
#ifndef STETHOS_KEYS_H
#define STETHOS_KEYS_H

#include <stdint.h>

#include "hkdf.h"

enum { KEYS_KID = 4, KEYS_SECRET = 16, KEYS_KEY = 16, KEYS_IV = 13 };

/* What OSCORE derives from (RFC 8613, 3.2.1): `id` at most 7 bytes; `id_context` at most 23, `data` NULL for nil. */
struct keys_source {
    struct bytes secret;
    struct bytes salt;
    struct bytes id;
    struct bytes id_context;
};

/* `n` KEYS_KEY for a "Key" and KEYS_IV for an "IV". */
void keys_derive(const struct keys_source *source, uint8_t *out, uint8_t n);

/* The context IV of a sender (RFC 8613, 5.2): common IV XOR (length of the id, the id left-padded to 7, zeros). */
void keys_context_iv(const uint8_t common_iv[KEYS_IV], struct bytes id, uint8_t out[KEYS_IV]);

struct keys {
    uint8_t kid[KEYS_KID];
    uint8_t secret[KEYS_SECRET];
    uint8_t up[KEYS_KEY];
    uint8_t iv_up[KEYS_IV];
    uint8_t iv_down[KEYS_IV];
};

void keys_init(struct keys *keys, const uint8_t kid[KEYS_KID], const uint8_t secret[KEYS_SECRET]);

/* The key down of one epoch. */
void keys_down(const struct keys *keys, uint16_t epoch, uint8_t out[KEYS_KEY]);

#endif
