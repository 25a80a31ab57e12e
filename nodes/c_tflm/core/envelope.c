#include "envelope.h"

#include <string.h>

#include "cbor.h"
#include "ccm.h"
#include "codec.h"

static const uint8_t AAD[] = {0x83, 0x68, 'E', 'n', 'c', 'r', 'y', 'p', 't', '0', 0x43, 0xA1, 0x01, 0x0A, 0x40};
static const uint8_t PROTECTED[] = {0x83, 0x43, 0xA1, 0x01, 0x0A}; /* array of three, and its first element */

enum { MAP = 0xA0, BSTR = 0x40, KID = 4, PARTIAL_IV = 6, KID_CONTEXT = 10 };

static void make_nonce(const uint8_t iv[KEYS_IV], uint32_t partial_iv, uint8_t nonce[KEYS_IV]) {
    memcpy(nonce, iv, KEYS_IV);
    for (unsigned i = 0; i < 4; i++) {
        nonce[KEYS_IV - 1 - i] ^= (uint8_t)(partial_iv >> 8 * i);
    }
}

static struct ccm make_ccm(const struct aes128 *aes, const uint8_t nonce[KEYS_IV]) {
    return (struct ccm){aes, nonce, KEYS_IV, ENVELOPE_TAG, AAD, sizeof AAD};
}

static uint8_t *put_partial_iv(uint8_t *at, uint32_t partial_iv) {
    unsigned n = 1;
    while (n < 4 && partial_iv >> 8 * n != 0) {
        n++;
    }
    *at++ = PARTIAL_IV;
    *at++ = (uint8_t)(BSTR | n);
    while (n-- > 0) {
        *at++ = (uint8_t)(partial_iv >> 8 * n);
    }
    return at;
}

size_t envelope_seal_up(const struct keys *keys, const struct cipher *cipher, uint32_t partial_iv,
                        const uint8_t *plaintext, size_t n, uint8_t *out) {
    uint8_t nonce[KEYS_IV];
    uint8_t *at = out + sizeof PROTECTED;
    memcpy(out, PROTECTED, sizeof PROTECTED);
    *at++ = MAP | 2;
    *at++ = KID;
    *at++ = BSTR | KEYS_KID;
    memcpy(at, keys->kid, KEYS_KID);
    at = put_partial_iv(at + KEYS_KID, partial_iv);
    at += codec_head(at, CODEC_BYTES, (uint32_t)(n + ENVELOPE_TAG));
    make_nonce(keys->iv_up, partial_iv, nonce);
    const struct aes128 aes = {keys->up, cipher->hardware, cipher->context};
    const struct ccm ccm = make_ccm(&aes, nonce);
    ccm_seal(&ccm, plaintext, n, at);
    return (size_t)(at - out) + n + ENVELOPE_TAG;
}

struct parsed {
    const uint8_t *kid;
    const uint8_t *sealed;
    size_t n;
    uint32_t partial_iv;
    uint16_t epoch;
};

/* A byte string of `least` to `most` bytes behind its label, as a number. */
static uint32_t labelled_number(struct cbor *c, uint8_t label, size_t least, size_t most) {
    size_t n;
    uint32_t value = 0;
    (void)cbor_uint(c, label, label);
    const uint8_t *bytes = cbor_bytes(c, &n);
    for (size_t i = 0; i < n; i++) {
        value = value << 8 | bytes[i];
    }
    if (n < least || n > most || (n > least && value >> 8 * (n - 1) == 0)) { /* or a leading zero */
        c->bad = true;
    }
    return value;
}

static bool parse(const uint8_t *frame, size_t n, struct parsed *out) {
    enum { HEAD = sizeof PROTECTED + 1 };
    if (n < HEAD || n > ENVELOPE_MAX || memcmp(frame, PROTECTED, sizeof PROTECTED) != 0 ||
        frame[HEAD - 1] != (MAP | 3)) {
        return false;
    }
    struct cbor c = {frame + HEAD, frame + n, false};
    size_t kid_n;
    (void)cbor_uint(&c, KID, KID);
    out->kid = cbor_bytes(&c, &kid_n);
    out->partial_iv = labelled_number(&c, PARTIAL_IV, 1, 4);
    out->epoch = (uint16_t)labelled_number(&c, KID_CONTEXT, 2, 2);
    out->sealed = cbor_bytes(&c, &out->n);
    return !c.bad && c.next == c.end && kid_n == KEYS_KID && out->n >= ENVELOPE_TAG;
}

enum verdict envelope_open_down(const struct keys *keys, const struct cipher *cipher, struct downlink *downlink,
                                const uint8_t *frame, size_t n, uint8_t *out, size_t *out_n) {
    struct parsed envelope;
    uint8_t key[KEYS_KEY];
    uint8_t nonce[KEYS_IV];
    if (!parse(frame, n, &envelope)) {
        return MALFORMED;
    }
    if (memcmp(envelope.kid, keys->kid, KEYS_KID) != 0) {
        return UNKNOWN_NODE;
    }
    if (envelope.epoch < downlink->epoch) {
        return BAD_TAG;
    }
    keys_down(keys, envelope.epoch, key);
    make_nonce(keys->iv_down, envelope.partial_iv, nonce);
    const struct aes128 aes = {key, cipher->hardware, cipher->context};
    const struct ccm ccm = make_ccm(&aes, nonce);
    if (!ccm_open(&ccm, envelope.sealed, envelope.n, out)) {
        return BAD_TAG;
    }
    if (envelope.epoch > downlink->epoch) {
        *downlink = (struct downlink){.epoch = envelope.epoch};
    }
    *out_n = envelope.n - ENVELOPE_TAG;
    return replay_accept(&downlink->replay, envelope.partial_iv) ? ACCEPTED : REPLAYED;
}
