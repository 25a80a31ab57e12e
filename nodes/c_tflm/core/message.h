/* Message types (nodes/wire/wire.cddl), and reading what comes from the gateway. The bodies' codecs are generated. */
#ifndef STETHOS_MESSAGE_H
#define STETHOS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wire_types.h>

enum { WIRE_VERSION = 1 };

enum message_type {
    MESSAGE_BIRTH = 1,
    MESSAGE_FLAG = 2,
    MESSAGE_WINDOW = 3,
    MESSAGE_HEALTH = 4,
    MESSAGE_ACK = 5,
    MESSAGE_COMMAND = 6,
    MESSAGE_RESULT = 7,
};

struct down_message {
    enum message_type type; /* MESSAGE_ACK or MESSAGE_COMMAND */
    union {
        struct ack ack;
        struct command command;
    };
};

/* Reads a downward plaintext to its last byte; false if it is no message of this direction. */
bool message_read_down(const uint8_t *plaintext, size_t n, struct down_message *out);

#endif
