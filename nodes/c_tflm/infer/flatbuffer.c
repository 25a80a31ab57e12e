#include "flatbuffer.h"

#include <stddef.h>

static const uint8_t *bytes_at(struct flatbuffer *f, uint32_t position, uint32_t n) {
    if (position >= f->size || f->size - position < n) {
        f->bad = true;
        return NULL;
    }
    return f->data + position;
}

uint8_t flatbuffer_u8(struct flatbuffer *f, uint32_t position) {
    const uint8_t *p = bytes_at(f, position, 1);
    return p == NULL ? 0 : *p;
}

static uint16_t read_u16(struct flatbuffer *f, uint32_t position) {
    const uint8_t *p = bytes_at(f, position, 2);
    return p == NULL ? 0 : (uint16_t)(p[0] | p[1] << 8);
}

uint32_t flatbuffer_u32(struct flatbuffer *f, uint32_t position) {
    const uint8_t *p = bytes_at(f, position, 4);
    return p == NULL ? 0 : p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t flatbuffer_field(struct flatbuffer *f, uint32_t table, uint16_t index) {
    /* A table starts with the signed distance back to its vtable: [size, table size, offset of field 0, 1, ...]. */
    const int64_t vtable = (int64_t)table - (int32_t)flatbuffer_u32(f, table);
    if (table == 0 || vtable < 0 || vtable >= f->size) {
        f->bad = true;
        return 0;
    }
    const uint32_t slot = 4 + 2 * (uint32_t)index;
    if (slot + 2 > read_u16(f, (uint32_t)vtable)) {
        return 0;
    }
    const uint16_t offset = read_u16(f, (uint32_t)vtable + slot);
    return offset == 0 ? 0 : table + offset;
}

uint8_t flatbuffer_field_u8(struct flatbuffer *f, uint32_t table, uint16_t index, uint8_t otherwise) {
    const uint32_t field = flatbuffer_field(f, table, index);
    return field == 0 ? otherwise : flatbuffer_u8(f, field);
}

uint32_t flatbuffer_field_u32(struct flatbuffer *f, uint32_t table, uint16_t index, uint32_t otherwise) {
    const uint32_t field = flatbuffer_field(f, table, index);
    return field == 0 ? otherwise : flatbuffer_u32(f, field);
}

uint32_t flatbuffer_follow(struct flatbuffer *f, uint32_t position) {
    const uint32_t offset = flatbuffer_u32(f, position);
    if (f->bad || offset >= f->size - position) {
        f->bad = true;
        return 0;
    }
    return position + offset;
}

uint32_t flatbuffer_field_table(struct flatbuffer *f, uint32_t table, uint16_t index) {
    const uint32_t field = flatbuffer_field(f, table, index);
    return field == 0 ? 0 : flatbuffer_follow(f, field);
}

struct flatbuffer_vector flatbuffer_field_vector(struct flatbuffer *f, uint32_t table, uint16_t index,
                                                 uint32_t element_size) {
    struct flatbuffer_vector vector = {0, 0};
    const uint32_t start = flatbuffer_field_table(f, table, index);
    if (start == 0) {
        return vector;
    }
    const uint32_t count = flatbuffer_u32(f, start);
    if (f->bad || (uint64_t)count * element_size > f->size - start - 4) {
        f->bad = true;
        return vector;
    }
    vector.first = start + 4;
    vector.count = count;
    return vector;
}

uint32_t flatbuffer_element_table(struct flatbuffer *f, struct flatbuffer_vector vector, uint32_t i) {
    if (i >= vector.count) {
        f->bad = true;
        return 0;
    }
    return flatbuffer_follow(f, vector.first + 4 * i);
}
