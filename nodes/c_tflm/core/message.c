#include "message.h"

#include <string.h>

bool message_read_down(const uint8_t *plaintext, size_t n, struct down_message *out) {
    const struct codec_field *fields = n > 0 ? codec_down(plaintext[0]) : NULL;
    if (fields == NULL) {
        return false;
    }
    memset(out, 0, sizeof *out);
    out->type = (enum message_type)plaintext[0];
    return codec_read(fields, plaintext + 1, n - 1, &out->ack);
}
