#include "cbor.h"

enum { MAJOR_UINT = 0, MAJOR_NEGATIVE = 1, MAJOR_BYTES = 2, MAJOR_ARRAY = 4 };

static uint32_t fail(struct cbor *c) {
    c->bad = true;
    return 0;
}

/* The major type and the argument of the next item, which is at most 32 bits wide. */
static uint32_t head(struct cbor *c, uint8_t *major) {
    *major = UINT8_MAX;
    if (c->bad || c->next == c->end) {
        return fail(c);
    }
    const uint8_t first = *c->next++;
    *major = first >> 5;
    const uint8_t info = first & 0x1F;
    if (info < 24) {
        return info;
    }
    const uint8_t width = (uint8_t)(1u << (info - 24));
    if (info > 26 || c->end - c->next < width) {
        return fail(c);
    }
    uint32_t value = 0;
    for (uint8_t i = 0; i < width; i++) {
        value = value << 8 | *c->next++;
    }
    const uint32_t smallest = info == 24 ? 24 : info == 25 ? 0x100 : 0x10000;
    return value < smallest ? fail(c) : value;
}

uint32_t cbor_uint(struct cbor *c, uint32_t low, uint32_t high) {
    uint8_t major;
    const uint32_t value = head(c, &major);
    return major == MAJOR_UINT && value >= low && value <= high ? value : fail(c);
}

int32_t cbor_int(struct cbor *c) {
    uint8_t major;
    const uint32_t value = head(c, &major);
    if ((major != MAJOR_UINT && major != MAJOR_NEGATIVE) || value > INT32_MAX) {
        return (int32_t)fail(c);
    }
    return major == MAJOR_UINT ? (int32_t)value : -1 - (int32_t)value;
}

uint32_t cbor_array(struct cbor *c, uint32_t low, uint32_t high) {
    uint8_t major;
    const uint32_t value = head(c, &major);
    return major == MAJOR_ARRAY && value >= low && value <= high ? value : fail(c);
}

const uint8_t *cbor_bytes(struct cbor *c, size_t *size) {
    uint8_t major;
    const uint32_t length = head(c, &major);
    const uint8_t *bytes = c->next;
    *size = 0;
    if (c->bad || major != MAJOR_BYTES || (size_t)(c->end - c->next) < length) {
        fail(c);
        return bytes;
    }
    *size = length;
    c->next += length;
    return bytes;
}
