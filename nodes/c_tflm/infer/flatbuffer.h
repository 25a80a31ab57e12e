/* Reads a FlatBuffers file in place. No position is trusted: what would lie outside the file reads as 0, and a vector
 * that would has no elements; both set `refused`, which stays set, so a caller may look once at the end of a run of
 * reads. Positions count from the start of the file; position 0 means "absent", and what is absent reads as 0 by right.
 * The file need not be aligned. */
#ifndef STETHOS_FLATBUFFER_H
#define STETHOS_FLATBUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "network.h"

enum { FLATBUFFER_MIN = 8 };

struct flatbuffer {
    const uint8_t *data;
    uint32_t size;               /* at least FLATBUFFER_MIN */
    enum network_status refused; /* for an offset, an index, or a field that has to be unused; or NETWORK_OK */
};

struct flatbuffer_vector {
    uint32_t at;    /* position of its length, which its elements lie behind */
    uint32_t count; /* 0 if absent */
};

/* What is read of a table, in one byte each: a kind plus the field's place in the table. Behind the last one stands
 * FLATBUFFER_END. (The 2 is the place of field 0 in a vtable.) */
enum flatbuffer_kind {
    FLATBUFFER_END = 0,
    FLATBUFFER_U8 = 0x12, /* a number of so many bytes, into a uint32_t */
    FLATBUFFER_U32 = 0x42,
    FLATBUFFER_UNUSED = 0x20,  /* plus one of these: it has to be 0 or absent, and goes nowhere */
    FLATBUFFER_TABLE = 0x82,   /* position of a table; the fields that follow are those of it */
    FLATBUFFER_FIRST = 0xA2,   /* a vector of tables; the fields that follow are those of the first one */
    FLATBUFFER_VECTOR1 = 0xC2, /* a vector with elements of 1, 4 or 8 bytes, all inside the file */
    FLATBUFFER_VECTOR4 = 0xE2,
    FLATBUFFER_VECTOR8 = 0xF2,
};

/* Four bytes, little-endian, wherever they lie. */
static inline __attribute__((always_inline)) uint32_t little_u32(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Reads fields of a table into a struct of uint32_t and struct flatbuffer_vector. */
void flatbuffer_read(struct flatbuffer *f, uint32_t table, const uint8_t *fields, void *out);

/* Element `i` of a vector of 32-bit numbers that has been read, and has as many. */
static inline __attribute__((always_inline)) uint32_t flatbuffer_element(const struct flatbuffer *f,
                                                                         struct flatbuffer_vector v, uint32_t i) {
    return little_u32(f->data + v.at + 4 * (size_t)i + 4);
}

/* Table number `i` of a vector of tables. */
uint32_t flatbuffer_table(struct flatbuffer *f, struct flatbuffer_vector v, uint32_t i);

/* One scalar field, or `otherwise` if the table does not have it. */
uint8_t flatbuffer_field_u8(struct flatbuffer *f, uint32_t table, uint16_t index, uint8_t otherwise);
uint32_t flatbuffer_field_u32(struct flatbuffer *f, uint32_t table, uint16_t index, uint32_t otherwise);

#endif
