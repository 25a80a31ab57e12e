#include "frame.h"

#include <string.h>

#include "crc.h"

size_t frame_encode(const uint8_t *envelope, size_t n, uint8_t *out) {
    const uint16_t crc = crc16(envelope, n);
    size_t code_at = 0;
    size_t used = 1;
    uint8_t code = 1;
    for (size_t i = 0; i < n + FRAME_CRC; i++) {
        const uint8_t byte = i < n ? envelope[i] : (uint8_t)(i == n ? crc >> 8 : crc);
        if (code == 0xFF) { /* a full block, and something follows it */
            out[code_at] = code;
            code_at = used++;
            code = 1;
        }
        if (byte != 0) {
            out[used++] = byte;
            code++;
        } else {
            out[code_at] = code;
            code_at = used++;
            code = 1;
        }
    }
    out[code_at] = code;
    out[used++] = 0;
    return used;
}

void frame_decoder_init(struct frame_decoder *decoder) {
    memset(decoder, 0, sizeof *decoder);
}

static void store(struct frame_decoder *decoder, uint8_t byte) {
    if (decoder->n == sizeof decoder->data) {
        decoder->oversize = true;
    } else {
        decoder->data[decoder->n++] = byte;
    }
}

static enum frame_event finish(struct frame_decoder *decoder) {
    if (!decoder->started) {
        return FRAME_NOTHING;
    }
    if (decoder->oversize) {
        return FRAME_OVERSIZE;
    }
    if (decoder->left > 0) {
        return FRAME_COBS;
    }
    if (decoder->n < FRAME_CRC) {
        return FRAME_BAD_CRC;
    }
    decoder->n -= FRAME_CRC;
    const uint16_t sent = (uint16_t)(decoder->data[decoder->n] << 8 | decoder->data[decoder->n + 1]);
    return sent == crc16(decoder->data, decoder->n) ? FRAME_READY : FRAME_BAD_CRC;
}

static void next_block(struct frame_decoder *decoder, uint8_t code) {
    if (decoder->started && decoder->zero) {
        store(decoder, 0);
    }
    decoder->started = true;
    decoder->left = code - 1;
    decoder->zero = code != 0xFF;
}

enum frame_event frame_push(struct frame_decoder *decoder, uint8_t byte) {
    if (byte == 0) {
        const enum frame_event event = finish(decoder);
        decoder->started = decoder->zero = decoder->oversize = false;
        decoder->left = 0;
        return event;
    }
    if (!decoder->started) {
        decoder->n = 0;
    }
    if (decoder->left == 0) {
        next_block(decoder, byte);
    } else {
        store(decoder, byte);
        decoder->left--;
    }
    return FRAME_NOTHING;
}
