/* The ring of messages that the gateway has not acknowledged, oldest first; bounded, and kept through sleep.
 *
 * A message lies here without its age, which is encoded anew at every transmission. When there is no room the oldest
 * are given up and counted. */
#ifndef STETHOS_RING_H
#define STETHOS_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef RING_BYTES
#define RING_BYTES 2048 /* a board may do with less: 1,000 hold 8 Flags with 18 features of any size */
#endif

struct ring_entry {
    uint64_t at_ms; /* when it happened, on the node's clock */
    uint32_t seq;
    uint16_t n; /* bytes of the rest, which follow */
    uint16_t sends;
    uint8_t type;
    uint8_t array; /* head of the message's CBOR array */
};

struct ring {
    uint32_t dropped;
    uint16_t used;
    uint16_t count;
    uint8_t bytes[RING_BYTES];
};

/* `message` is the message's CBOR array with a `seq` of 16 bits and an age of 0, as the codec made it. Returns how many
 * older messages were given up for it. */
uint32_t ring_add(struct ring *ring, uint8_t type, uint32_t seq, uint64_t at_ms, const uint8_t *message, size_t n);

/* Walk: `*at` starts at 0. False at the end. */
bool ring_next(const struct ring *ring, size_t *at, struct ring_entry *entry);

/* The plaintext of the entry that ring_next has just returned, with its age now; `out` has room for the message and
 * two bytes. Returns its length. */
size_t ring_message(const struct ring *ring, size_t at, const struct ring_entry *entry, uint64_t now_ms, uint8_t *out);

/* Count one more transmission of the entry that ring_next has just returned. */
void ring_sent(struct ring *ring, size_t at, const struct ring_entry *entry);

/* Take out what an Ack covers: `base`, and base + 1 + i for every bit i. Returns how many that were. */
uint32_t ring_acknowledge(struct ring *ring, uint16_t base, uint32_t bitmap);

#endif
