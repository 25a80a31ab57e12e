/* Whatever comes from the gateway's side: bytes of a serial line, an envelope, the plaintext of one. */
#include <stdlib.h>
#include <string.h>

#include "envelope.h"
#include "frame.h"
#include "message.h"

static void open_envelope(const uint8_t *data, size_t size) {
    static const uint8_t KID[KEYS_KID] = {0, 0, 0, 1};
    static const uint8_t SECRET[KEYS_SECRET] = {1, 2, 3};
    static struct keys keys;
    static bool derived;
    const struct cipher software = {NULL, NULL};
    struct downlink downlink = {.epoch = 1};
    uint8_t out[ENVELOPE_MAX];
    size_t n = 0;
    if (!derived) {
        keys_init(&keys, KID, SECRET);
        derived = true;
    }
    const enum verdict verdict = envelope_open_down(&keys, &software, &downlink, data, size, out, &n);
    if (verdict == ACCEPTED && n > ENVELOPE_MAX) {
        abort();
    }
}

static void read_line(const uint8_t *data, size_t size) {
    struct frame_decoder decoder;
    frame_decoder_init(&decoder);
    for (size_t i = 0; i < size; i++) {
        if (frame_push(&decoder, data[i]) == FRAME_READY) {
            uint8_t again[FRAME_ENCODED_MAX];
            if (decoder.n > FRAME_MAX || frame_encode(decoder.data, decoder.n, again) > FRAME_ENCODED_MAX) {
                abort();
            }
            open_envelope(decoder.data, decoder.n);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct down_message message;
    read_line(data, size);
    open_envelope(data, size);
    if (message_read_down(data, size, &message) && message.type == MESSAGE_COMMAND && message.command.id == 0) {
        abort();
    }
    return 0;
}
