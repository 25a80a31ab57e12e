#include "ring.h"

#include <string.h>

#include "age.h"
#include "codec.h"

static struct ring_entry entry_at(const struct ring *ring, size_t at) {
    struct ring_entry entry;
    memcpy(&entry, ring->bytes + at, sizeof entry);
    return entry;
}

static size_t size_of(const struct ring_entry *entry) {
    return sizeof *entry + entry->n;
}

static void take_out(struct ring *ring, size_t at, size_t size) {
    ring->used = (uint16_t)(ring->used - size);
    ring->count--;
    memmove(ring->bytes + at, ring->bytes + at + size, ring->used - at);
}

uint32_t ring_add(struct ring *ring, uint8_t type, uint32_t seq, uint64_t at_ms, const uint8_t *message, size_t n) {
    uint8_t number[5];
    uint32_t dropped = 0;
    const size_t head = 1 + codec_head(number, CODEC_UINT, seq & UINT16_MAX) + 1; /* array, seq, age */
    const struct ring_entry entry = {
        .at_ms = at_ms, .seq = seq, .n = (uint16_t)(n - head), .type = type, .array = message[0]};
    while (ring->used + size_of(&entry) > RING_BYTES) {
        const struct ring_entry oldest = entry_at(ring, 0);
        take_out(ring, 0, size_of(&oldest));
        dropped++;
    }
    memcpy(ring->bytes + ring->used, &entry, sizeof entry);
    memcpy(ring->bytes + ring->used + sizeof entry, message + head, entry.n);
    ring->used = (uint16_t)(ring->used + size_of(&entry));
    ring->count++;
    ring->dropped += dropped;
    return dropped;
}

bool ring_next(const struct ring *ring, size_t *at, struct ring_entry *entry) {
    if (*at >= ring->used) {
        return false;
    }
    *entry = entry_at(ring, *at);
    *at += size_of(entry);
    return true;
}

size_t ring_message(const struct ring *ring, size_t at, const struct ring_entry *entry, uint64_t now_ms, uint8_t *out) {
    size_t n = 0;
    out[n++] = entry->type;
    out[n++] = entry->array;
    n += codec_head(out + n, CODEC_UINT, entry->seq & UINT16_MAX);
    n += codec_head(out + n, CODEC_UINT, age_encode(now_ms > entry->at_ms ? now_ms - entry->at_ms : 0));
    memcpy(out + n, ring->bytes + at - entry->n, entry->n);
    return n + entry->n;
}

void ring_sent(struct ring *ring, size_t at, const struct ring_entry *entry) {
    const uint16_t sends = (uint16_t)(entry->sends + (entry->sends < UINT16_MAX));
    memcpy(ring->bytes + at - size_of(entry) + offsetof(struct ring_entry, sends), &sends, sizeof sends);
}

static bool covers(uint16_t base, uint32_t bitmap, uint32_t seq) {
    const uint16_t after = (uint16_t)(seq - base);
    return after == 0 || (after <= 32 && (bitmap >> (after - 1) & 1) != 0);
}

uint32_t ring_acknowledge(struct ring *ring, uint16_t base, uint32_t bitmap) {
    struct ring_entry entry;
    uint32_t acknowledged = 0;
    size_t at = 0;
    while (ring_next(ring, &at, &entry)) {
        if (covers(base, bitmap, entry.seq)) {
            at -= size_of(&entry);
            take_out(ring, at, size_of(&entry));
            acknowledged++;
        }
    }
    return acknowledged;
}
