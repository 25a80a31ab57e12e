/* Frames of a serial line: COBS over envelope and CRC-16, then a zero byte (nodes/wire/SPEC.md, "Links"). */
#ifndef STETHOS_FRAME_H
#define STETHOS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FRAME_MAX = 512, /* longest envelope */
    FRAME_CRC = 2,
    FRAME_ENCODED_MAX = FRAME_MAX + FRAME_CRC + (FRAME_MAX + FRAME_CRC) / 254 + 2,
};

/* Bytes written to `out`, which has room for FRAME_ENCODED_MAX; `n` at most FRAME_MAX. */
size_t frame_encode(const uint8_t *envelope, size_t n, uint8_t *out);

enum frame_event {
    FRAME_NOTHING, /* nothing complete yet, or an empty frame */
    FRAME_READY,   /* `data` holds `n` bytes of an envelope, until the next byte is pushed */
    FRAME_COBS,    /* dropped: the coding is broken */
    FRAME_BAD_CRC, /* dropped: checksum, or too short to have one */
    FRAME_OVERSIZE /* dropped: longer than FRAME_MAX */
};

struct frame_decoder {
    uint8_t data[FRAME_MAX + FRAME_CRC];
    uint16_t n;
    uint8_t left; /* bytes of the present block still to come */
    bool started; /* a byte has come since the last zero */
    bool zero;    /* the present block ends in a zero, if another follows */
    bool oversize;
};

void frame_decoder_init(struct frame_decoder *decoder);
enum frame_event frame_push(struct frame_decoder *decoder, uint8_t byte);

#endif
