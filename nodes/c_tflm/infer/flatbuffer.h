/* Reads a FlatBuffers file in place. No position is trusted: what would lie outside the file reads as 0 and sets
 * `bad`, which stays set, so a caller may look once at the end of a run of reads.
 * Positions count from the start of the file; position 0 means "absent". The file need not be aligned. */
#ifndef STETHOS_FLATBUFFER_H
#define STETHOS_FLATBUFFER_H

#include <stdbool.h>
#include <stdint.h>

struct flatbuffer {
    const uint8_t *data;
    uint32_t size;
    bool bad;
};

struct flatbuffer_vector {
    uint32_t first; /* position of element 0 */
    uint32_t count; /* 0 if absent */
};

/* What a table is read for, in one byte each: a kind, and in the lower four bits the field's place in the table. */
enum flatbuffer_kind {
    FLATBUFFER_U8 = 0x10, /* bytes of a number */
    FLATBUFFER_U32 = 0x40,
    FLATBUFFER_TABLE = 0x80,   /* position of the table that it points to */
    FLATBUFFER_VECTOR1 = 0x90, /* a struct flatbuffer_vector with elements of 1, 4 or 8 bytes, all inside the file */
    FLATBUFFER_VECTOR4 = 0xB0,
    FLATBUFFER_VECTOR8 = 0xC0,
};

/* Four bytes, little-endian, wherever they lie. */
static inline uint32_t little_u32(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t flatbuffer_u32(struct flatbuffer *f, uint32_t position);

/* Reads `n` fields of a table into a struct of uint32_t and vectors. Fields that the table does not have are 0, and all
 * are if `table` is 0. */
void flatbuffer_read(struct flatbuffer *f, uint32_t table, const uint8_t *fields, uint32_t n, void *out);

/* One scalar field, or `otherwise` if the table does not have it. */
uint8_t flatbuffer_field_u8(struct flatbuffer *f, uint32_t table, uint16_t index, uint8_t otherwise);
uint32_t flatbuffer_field_u32(struct flatbuffer *f, uint32_t table, uint16_t index, uint32_t otherwise);

/* Position of what the offset at `position` points to. */
uint32_t flatbuffer_follow(struct flatbuffer *f, uint32_t position);

/* Table number `i` of a vector of tables; `bad` if there are not as many. */
uint32_t flatbuffer_element_table(struct flatbuffer *f, struct flatbuffer_vector vector, uint32_t i);

#endif
