#include "ccm.h"

#include <string.h>

static void mac_block(const struct ccm *ccm, uint8_t mac[AES128_BLOCK], const uint8_t *data, size_t n) {
    for (size_t i = 0; i < n; i++) {
        mac[i] ^= data[i];
    }
    aes128_encrypt(ccm->aes, mac, mac);
}

/* The first block of a kind: flags, nonce, and a number in the remaining bytes. */
static void make_block(const struct ccm *ccm, uint8_t flags, size_t number, uint8_t block[AES128_BLOCK]) {
    memset(block, 0, AES128_BLOCK);
    block[0] = (uint8_t)(flags | (14 - ccm->nonce_n));
    memcpy(block + 1, ccm->nonce, ccm->nonce_n);
    block[14] = (uint8_t)(number >> 8);
    block[15] = (uint8_t)number;
}

static void mac_additional(const struct ccm *ccm, uint8_t mac[AES128_BLOCK]) {
    uint8_t block[AES128_BLOCK] = {(uint8_t)(ccm->aad_n >> 8), (uint8_t)ccm->aad_n};
    size_t used = 2;
    for (size_t i = 0; i < ccm->aad_n; i++) {
        block[used++] = ccm->aad[i];
        if (used == sizeof block) {
            mac_block(ccm, mac, block, used);
            used = 0;
        }
    }
    if (used > 0 && ccm->aad_n > 0) {
        mac_block(ccm, mac, block, used);
    }
}

static void authenticate(const struct ccm *ccm, const uint8_t *text, size_t n, uint8_t mac[AES128_BLOCK]) {
    uint8_t first[AES128_BLOCK];
    make_block(ccm, (uint8_t)((ccm->aad_n > 0 ? 0x40 : 0) | (ccm->tag_n - 2) / 2 << 3), n, first);
    memset(mac, 0, AES128_BLOCK);
    mac_block(ccm, mac, first, sizeof first);
    mac_additional(ccm, mac);
    for (size_t at = 0; at < n; at += AES128_BLOCK) {
        mac_block(ccm, mac, text + at, n - at < AES128_BLOCK ? n - at : AES128_BLOCK);
    }
}

static void key_stream(const struct ccm *ccm, size_t number, uint8_t stream[AES128_BLOCK]) {
    make_block(ccm, 0, number, stream);
    aes128_encrypt(ccm->aes, stream, stream);
}

static void crypt(const struct ccm *ccm, const uint8_t *in, size_t n, uint8_t *out) {
    uint8_t stream[AES128_BLOCK];
    for (size_t i = 0; i < n; i++) {
        if (i % AES128_BLOCK == 0) {
            key_stream(ccm, i / AES128_BLOCK + 1, stream);
        }
        out[i] = in[i] ^ stream[i % AES128_BLOCK];
    }
}

static void encrypt_tag(const struct ccm *ccm, uint8_t mac[AES128_BLOCK]) {
    uint8_t stream[AES128_BLOCK];
    key_stream(ccm, 0, stream);
    for (unsigned i = 0; i < AES128_BLOCK; i++) {
        mac[i] ^= stream[i];
    }
}

void ccm_seal(const struct ccm *ccm, const uint8_t *text, size_t n, uint8_t *out) {
    uint8_t mac[AES128_BLOCK];
    authenticate(ccm, text, n, mac);
    encrypt_tag(ccm, mac);
    crypt(ccm, text, n, out);
    memcpy(out + n, mac, ccm->tag_n);
}

bool ccm_open(const struct ccm *ccm, const uint8_t *sealed, size_t n, uint8_t *out) {
    uint8_t tag[AES128_BLOCK];
    uint8_t mac[AES128_BLOCK];
    uint8_t difference = 0;
    if (n < ccm->tag_n) {
        return false;
    }
    n -= ccm->tag_n;
    memcpy(tag, sealed + n, ccm->tag_n);
    crypt(ccm, sealed, n, out);
    authenticate(ccm, out, n, mac);
    encrypt_tag(ccm, mac);
    for (unsigned i = 0; i < ccm->tag_n; i++) {
        difference |= tag[i] ^ mac[i];
    }
    if (difference != 0) {
        memset(out, 0, n);
    }
    return difference == 0;
}
