/* The envelope: untagged COSE_Encrypt0 with AES-CCM-16-64-128 (nodes/wire/SPEC.md, "Envelope"). */
#ifndef STETHOS_ENVELOPE_H
#define STETHOS_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aes128.h"
#include "keys.h"
#include "replay.h"

enum {
    ENVELOPE_MAX = 512,
    ENVELOPE_TAG = 8,
    ENVELOPE_HEAD = 5 + 1 + 6 + 6 + 3, /* upward, before the ciphertext, at most */
    ENVELOPE_OVERHEAD = ENVELOPE_HEAD + ENVELOPE_TAG,
    PLAINTEXT_MAX = ENVELOPE_MAX - ENVELOPE_OVERHEAD,
};

/* What becomes of a frame from the gateway: the names of nodes/wire/SPEC.md. */
enum verdict {
    ACCEPTED,
    MALFORMED,
    UNKNOWN_NODE,
    BAD_TAG,
    REPLAYED,
    UNDECODABLE, /* never said by the envelope: its opener cannot read the plaintext */
    VERDICTS,
};

/* The port's AES, or none. */
struct cipher {
    aes128_hardware hardware;
    void *context;
};

/* What a node remembers of the downward direction. */
struct downlink {
    struct replay replay;
    uint16_t epoch;
};

/* Bytes written to `out`, which has room for `n` + ENVELOPE_OVERHEAD; `n` at most PLAINTEXT_MAX. The plaintext may lie
 * at `out` + ENVELOPE_HEAD. The caller sees to it that no `partial_iv` is ever used twice. */
size_t envelope_seal_up(const struct keys *keys, const struct cipher *cipher, uint32_t partial_iv,
                        const uint8_t *plaintext, size_t n, uint8_t *out);

/* ACCEPTED: the plaintext is in `out` (room for ENVELOPE_MAX, or `frame` itself), its length in `out_n`, and `downlink`
 * has moved on; a raised epoch must be kept durably before the plaintext is acted on. Otherwise `downlink` is as it
 * was. */
enum verdict envelope_open_down(const struct keys *keys, const struct cipher *cipher, struct downlink *downlink,
                                const uint8_t *frame, size_t n, uint8_t *out, size_t *out_n);

#endif
