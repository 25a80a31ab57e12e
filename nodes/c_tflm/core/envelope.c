#include "envelope.h"

#include <string.h>

#include "ccm.h"
#include "codec.h"

static const uint8_t AAD[] = {0x83, 0x68, 'E', 'n', 'c', 'r', 'y', 'p', 't', '0', 0x43, 0xA1, 0x01, 0x0A, 0x40};
static const uint8_t PROTECTED[] = {0x83, 0x43, 0xA1, 0x01, 0x0A}; /* array of three, and its first element */

enum { MAP = 0xA0, BSTR = 0x40, BSTR_1 = 0x58, BSTR_2 = 0x59, KID = 4, PARTIAL_IV = 6, KID_CONTEXT = 10 };

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
    struct aes128 aes;
    uint8_t *at = out + sizeof PROTECTED;
    memcpy(out, PROTECTED, sizeof PROTECTED);
    *at++ = MAP | 2;
    *at++ = KID;
    *at++ = BSTR | KEYS_KID;
    memcpy(at, keys->kid, KEYS_KID);
    at = put_partial_iv(at + KEYS_KID, partial_iv);
    at += codec_head(at, CODEC_BYTES, (uint32_t)(n + ENVELOPE_TAG));
    make_nonce(keys->iv_up, partial_iv, nonce);
    aes128_init(&aes, keys->up, cipher->hardware, cipher->context);
    const struct ccm ccm = make_ccm(&aes, nonce);
    ccm_seal(&ccm, plaintext, n, at);
    return (size_t)(at - out) + n + ENVELOPE_TAG;
}

/* Reads forward; `bad` once anything was not as expected, and for good. */
struct reader {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static const uint8_t *take(struct reader *reader, size_t n) {
    static const uint8_t NOTHING[KEYS_KID] = {0};
    if (reader->bad || n > reader->left) {
        reader->bad = true;
        return NOTHING;
    }
    const uint8_t *taken = reader->at;
    reader->at += n;
    reader->left -= n;
    return taken;
}

static uint8_t take_byte(struct reader *reader) {
    return *take(reader, 1);
}

static void expect(struct reader *reader, uint8_t byte) {
    if (take_byte(reader) != byte) {
        reader->bad = true;
    }
}

static uint32_t take_partial_iv(struct reader *reader) {
    uint32_t value = 0;
    const uint8_t length = take_byte(reader) ^ BSTR;
    if (length < 1 || length > 4) {
        reader->bad = true;
        return 0;
    }
    const uint8_t *bytes = take(reader, length);
    for (unsigned i = 0; i < length && !reader->bad; i++) {
        value = value << 8 | bytes[i];
    }
    if (length > 1 && value >> 8 * (length - 1) == 0) {
        reader->bad = true; /* leading zero */
    }
    return value;
}

static size_t take_length(struct reader *reader) {
    const uint8_t head = take_byte(reader);
    if (head >= BSTR && head < BSTR_1) {
        return head ^ BSTR;
    }
    size_t length = take_byte(reader);
    size_t least = 24;
    if (head == BSTR_2) {
        length = length << 8 | take_byte(reader);
        least = UINT8_MAX + 1;
    } else if (head != BSTR_1) {
        reader->bad = true;
    }
    if (length < least) {
        reader->bad = true; /* not the shortest form */
    }
    return length;
}

struct parsed {
    const uint8_t *kid;
    const uint8_t *sealed;
    size_t n;
    uint32_t partial_iv;
    uint16_t epoch;
};

static bool parse(const uint8_t *frame, size_t n, struct parsed *out) {
    struct reader reader = {frame, n, n > ENVELOPE_MAX};
    for (size_t i = 0; i < sizeof PROTECTED; i++) {
        expect(&reader, PROTECTED[i]);
    }
    expect(&reader, MAP | 3);
    expect(&reader, KID);
    expect(&reader, BSTR | KEYS_KID);
    out->kid = take(&reader, KEYS_KID);
    expect(&reader, PARTIAL_IV);
    out->partial_iv = take_partial_iv(&reader);
    expect(&reader, KID_CONTEXT);
    expect(&reader, BSTR | 2);
    const uint8_t *epoch = take(&reader, 2);
    out->epoch = (uint16_t)(epoch[0] << 8 | epoch[1]);
    out->n = take_length(&reader);
    out->sealed = take(&reader, out->n);
    return !reader.bad && reader.left == 0 && out->n >= ENVELOPE_TAG;
}

enum verdict envelope_open_down(const struct keys *keys, const struct cipher *cipher, struct downlink *downlink,
                                const uint8_t *frame, size_t n, uint8_t *out, size_t *out_n) {
    struct parsed envelope;
    uint8_t key[KEYS_KEY];
    uint8_t nonce[KEYS_IV];
    struct aes128 aes;
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
    aes128_init(&aes, key, cipher->hardware, cipher->context);
    make_nonce(keys->iv_down, envelope.partial_iv, nonce);
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
