#include "ccm.h"

#include <string.h>

struct mac {
    const struct aes128 *aes;
    uint8_t block[AES128_BLOCK];
    uint8_t used;
};

static void end_block(struct mac *mac) {
    if (mac->used > 0) {
        aes128_encrypt(mac->aes, mac->block, mac->block);
        mac->used = 0;
    }
}

static void take(struct mac *mac, const uint8_t *data, size_t n) {
    for (size_t i = 0; i < n; i++) {
        mac->block[mac->used++] ^= data[i];
        if (mac->used == AES128_BLOCK) {
            end_block(mac);
        }
    }
}

/* The first block of a kind: flags, nonce, and a number in the remaining bytes. */
static void make_block(const struct ccm *ccm, uint8_t flags, size_t number, uint8_t block[AES128_BLOCK]) {
    memset(block, 0, AES128_BLOCK);
    block[0] = (uint8_t)(flags | (14 - ccm->nonce_n));
    memcpy(block + 1, ccm->nonce, ccm->nonce_n);
    block[14] = (uint8_t)(number >> 8);
    block[15] = (uint8_t)number;
}

/* Both ways; the blocks of the key stream are numbered from `first` on. `in` and `out` may be the same. */
static void crypt(const struct ccm *ccm, size_t first, const uint8_t *in, size_t n, uint8_t *out) {
    uint8_t stream[AES128_BLOCK];
    for (size_t i = 0; i < n; i++) {
        if (i % AES128_BLOCK == 0) {
            make_block(ccm, 0, first + i / AES128_BLOCK, stream);
            aes128_encrypt(ccm->aes, stream, stream);
        }
        out[i] = in[i] ^ stream[i % AES128_BLOCK];
    }
}

/* Additional data and text are filled up to whole blocks each. */
static void find_tag(const struct ccm *ccm, const uint8_t *text, size_t n, uint8_t tag[AES128_BLOCK]) {
    const uint8_t aad_n[2] = {(uint8_t)(ccm->aad_n >> 8), (uint8_t)ccm->aad_n};
    struct mac mac = {.aes = ccm->aes, .used = AES128_BLOCK};
    make_block(ccm, (uint8_t)((ccm->aad_n > 0 ? 0x40 : 0) | (ccm->tag_n - 2) / 2 << 3), n, mac.block);
    end_block(&mac);
    if (ccm->aad_n > 0) {
        take(&mac, aad_n, sizeof aad_n);
        take(&mac, ccm->aad, ccm->aad_n);
        end_block(&mac);
    }
    take(&mac, text, n);
    end_block(&mac);
    crypt(ccm, 0, mac.block, AES128_BLOCK, tag);
}

void ccm_seal(const struct ccm *ccm, const uint8_t *text, size_t n, uint8_t *out) {
    uint8_t tag[AES128_BLOCK];
    find_tag(ccm, text, n, tag);
    crypt(ccm, 1, text, n, out);
    memcpy(out + n, tag, ccm->tag_n);
}

bool ccm_open(const struct ccm *ccm, const uint8_t *sealed, size_t n, uint8_t *out) {
    uint8_t found[AES128_BLOCK];
    uint8_t tag[AES128_BLOCK];
    uint8_t difference = 0;
    if (n < ccm->tag_n) {
        return false;
    }
    n -= ccm->tag_n;
    memcpy(found, sealed + n, ccm->tag_n);
    crypt(ccm, 1, sealed, n, out);
    find_tag(ccm, out, n, tag);
    for (unsigned i = 0; i < ccm->tag_n; i++) {
        difference |= found[i] ^ tag[i];
    }
    if (difference != 0) {
        memset(out, 0, n);
    }
    return difference == 0;
}
