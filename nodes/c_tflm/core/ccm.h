/* AES-CCM (RFC 3610, NIST SP 800-38C) over messages and additional data shorter than 65280 bytes. */
#ifndef STETHOS_CCM_H
#define STETHOS_CCM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aes128.h"

/* Everything but the text. */
struct ccm {
    const struct aes128 *aes;
    const uint8_t *nonce;
    uint8_t nonce_n; /* 7..13; the length field takes the other 15 - nonce_n bytes */
    uint8_t tag_n;   /* 4, 6, .. 16 */
    const uint8_t *aad;
    uint16_t aad_n;
};

/* Writes n bytes of ciphertext and the tag to `out`, which may be `text`. */
void ccm_seal(const struct ccm *ccm, const uint8_t *text, size_t n, uint8_t *out);

/* `n` counts ciphertext and tag. Writes n - tag_n bytes to `out`, which may be `sealed`; false, and zeros in `out`, if
 * it does not authenticate or is shorter than a tag. */
bool ccm_open(const struct ccm *ccm, const uint8_t *sealed, size_t n, uint8_t *out);

#endif
