/* HMAC (RFC 2104) and HKDF (RFC 5869) over SHA-256. */
#ifndef STETHOS_HKDF_H
#define STETHOS_HKDF_H

#include <stddef.h>
#include <stdint.h>

#include "sha256.h"

/* A run of bytes that somebody else keeps. */
struct bytes {
    const uint8_t *data;
    size_t n;
};

/* HMAC of the parts in turn. */
void hmac_sha256(struct bytes key, const struct bytes *parts, size_t parts_n, uint8_t out[SHA256_SIZE]);

/* Extract and expand; `n` at most 255 · 32. An empty salt is RFC 5869's string of zeros. */
void hkdf_sha256(struct bytes salt, struct bytes secret, struct bytes info, uint8_t *out, size_t n);

#endif
