/* The messages (nodes/wire/wire.cddl), as they are before they are written and after they are read. */
#ifndef STETHOS_MESSAGE_H
#define STETHOS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec.h"

enum {
    WIRE_VERSION = 1,
    MESSAGE_MAX = 408, /* bytes of the longest array that a node writes: `sampled` */
};

enum message_type {
    MESSAGE_BIRTH = 1,
    MESSAGE_FLAG = 2,
    MESSAGE_WINDOW = 3,
    MESSAGE_HEALTH = 4,
    MESSAGE_ACK = 5,
    MESSAGE_COMMAND = 6,
    MESSAGE_RESULT = 7,
    MESSAGE_CHUNK = 8,
    MESSAGE_SAMPLED = 9,
    MESSAGE_LEARNER_STATE = 10,
    MESSAGE_OFFER = 11,
};

struct birth {
    uint32_t seq, age, wire_version, full_seq, skipped, reset_cause;
    struct codec_span hardware, firmware;
    uint32_t feature_set, channels, generation;
    struct codec_span model;
    uint32_t wake_ms, heartbeat_ms, listen_ms, epoch, last_command;
    uint32_t has_more; /* the rest */
    uint32_t samples, rate_millihz, firmware_counter, slot;
    struct codec_span learner;
};

struct flag {
    uint32_t seq, age, score, why, generation;
    uint32_t has_features; /* the rest */
    uint32_t feature_set;
    struct codec_span values;
};

struct window {
    uint32_t seq, age, score, generation, feature_set;
    struct codec_span values;
};

struct health {
    uint32_t seq, age, score, why, battery_mv;
    int32_t temperature_cdeg, link_dbm; /* CODEC_NIL: not measured */
    uint32_t uptime_s, wakes, flags, resends, ring_drops, refused;
    uint32_t energy_uc[4];
    uint32_t has_more; /* the rest, as far as the learner */
    int32_t battery_load_mv;
    uint32_t deferred, stop_refused, restarts;
    uint32_t has_learner; /* the rest */
    uint32_t state, learned, similarity, drift, events_ppb;
};

struct result {
    uint32_t seq, age, id, code;
    uint32_t has_detail;
    uint32_t detail;
};

struct sampled {
    uint32_t seq, age, window_number, part, parts, channels, rate_millihz;
    struct codec_span data;
};

struct learner_part {
    uint32_t seq, age, part, parts;
    struct codec_span data;
};

struct ack {
    uint64_t time_ms;
    int32_t base; /* CODEC_NIL: nothing is durable */
    uint32_t bitmap, next_s, mail, birth_wanted;
};

struct command {
    uint32_t id, kind, has_argument, argument; /* without one it is 0 */
};

struct offer {
    uint32_t id, store, size;
    struct codec_span sha256;
    uint32_t counter;
    uint32_t has_signature;
    struct codec_span signature;
};

struct chunk {
    uint32_t transfer, offset;
    struct codec_span data;
};

struct down_message {
    enum message_type type;
    union {
        struct ack ack;
        struct command command;
        struct offer offer;
        struct chunk chunk;
    };
};

/* Reads a downward plaintext to its last byte; false if it is no message of this direction. Spans point into it. */
bool message_read_down(const uint8_t *plaintext, size_t n, struct down_message *out);

#endif
