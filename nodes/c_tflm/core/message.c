#include "message.h"

#include <wire_decode.h>

bool message_read_down(const uint8_t *plaintext, size_t n, struct down_message *out) {
    size_t read = 0;
    if (n < 1) {
        return false;
    }
    out->type = (enum message_type)plaintext[0];
    switch (out->type) {
    case MESSAGE_ACK:
        return cbor_decode_ack(plaintext + 1, n - 1, &out->ack, &read) == 0 && read == n - 1;
    case MESSAGE_COMMAND:
        return cbor_decode_command(plaintext + 1, n - 1, &out->command, &read) == 0 && read == n - 1 &&
               out->command.command_id != 0;
    default:
        return false;
    }
}
