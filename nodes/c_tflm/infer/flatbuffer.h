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

uint8_t flatbuffer_u8(struct flatbuffer *f, uint32_t position);
uint32_t flatbuffer_u32(struct flatbuffer *f, uint32_t position);

/* Position of a table's field, or 0 if the table does not have it. */
uint32_t flatbuffer_field(struct flatbuffer *f, uint32_t table, uint16_t index);

/* A scalar field's value, or `otherwise` if the table does not have it. */
uint8_t flatbuffer_field_u8(struct flatbuffer *f, uint32_t table, uint16_t index, uint8_t otherwise);
uint32_t flatbuffer_field_u32(struct flatbuffer *f, uint32_t table, uint16_t index, uint32_t otherwise);

/* Position of what the offset at `position` points to. */
uint32_t flatbuffer_follow(struct flatbuffer *f, uint32_t position);

/* Position of the table that a field points to, or 0. */
uint32_t flatbuffer_field_table(struct flatbuffer *f, uint32_t table, uint16_t index);

/* The vector that a field points to; all its elements lie inside the file. */
struct flatbuffer_vector flatbuffer_field_vector(struct flatbuffer *f, uint32_t table, uint16_t index,
                                                 uint32_t element_size);

/* Table number `i` of a vector of tables; `bad` if there are not as many. */
uint32_t flatbuffer_element_table(struct flatbuffer *f, struct flatbuffer_vector vector, uint32_t i);

#endif
