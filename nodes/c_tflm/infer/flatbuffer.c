#include "flatbuffer.h"

#include <stddef.h>

/* `n` bytes, at most 4, as one number. */
static uint32_t number(struct flatbuffer *f, uint32_t position, uint32_t n) {
    if (position >= f->size || f->size - position < n) {
        f->bad = true;
        return 0;
    }
    uint32_t value = 0;
    while (n-- != 0) {
        value = value << 8 | f->data[position + n];
    }
    return value;
}

uint32_t flatbuffer_u32(struct flatbuffer *f, uint32_t position) {
    return number(f, position, 4);
}

/* Position of a table's field, or 0 if the table does not have it. */
static uint32_t field(struct flatbuffer *f, uint32_t table, uint32_t index) {
    if (table == 0) {
        return 0;
    }
    /* A table starts with the signed distance back to its vtable: [size, table size, offset of field 0, 1, ...]. Both
     * are inside the file or too large, whatever the distance. */
    const uint32_t vtable = table - flatbuffer_u32(f, table);
    const uint32_t slot = 4 + 2 * index;
    if (slot + 2 > number(f, vtable, 2)) {
        return 0;
    }
    const uint32_t offset = number(f, vtable + slot, 2);
    return offset == 0 ? 0 : table + offset;
}

uint32_t flatbuffer_follow(struct flatbuffer *f, uint32_t position) {
    const uint32_t offset = flatbuffer_u32(f, position);
    if (f->bad || offset >= f->size - position) {
        f->bad = true;
        return 0;
    }
    return position + offset;
}

uint32_t flatbuffer_element_table(struct flatbuffer *f, struct flatbuffer_vector vector, uint32_t i) {
    if (i >= vector.count) {
        f->bad = true;
        return 0;
    }
    return flatbuffer_follow(f, vector.first + 4 * i);
}

void flatbuffer_read(struct flatbuffer *f, uint32_t table, const uint8_t *fields, uint32_t n, void *out) {
    uint32_t *next = out;
    for (; n != 0; n--) {
        const uint32_t kind = *fields & 0xF0u;
        uint32_t value = field(f, table, *fields++ & 0x0Fu);
        if (value != 0) {
            value = kind < FLATBUFFER_TABLE ? number(f, value, kind >> 4) : flatbuffer_follow(f, value);
        }
        if (kind <= FLATBUFFER_TABLE) {
            *next++ = value;
        } else {
            /* A vector's length comes before its elements. */
            uint32_t count = value == 0 ? 0 : flatbuffer_u32(f, value);
            value += 4;
            if (count > (f->size - value) >> ((kind - FLATBUFFER_VECTOR1) >> 4)) {
                f->bad = true;
                count = 0;
            }
            *next++ = value;
            *next++ = count;
        }
    }
}

uint8_t flatbuffer_field_u8(struct flatbuffer *f, uint32_t table, uint16_t index, uint8_t otherwise) {
    const uint32_t position = field(f, table, index);
    return position == 0 ? otherwise : (uint8_t)number(f, position, 1);
}

uint32_t flatbuffer_field_u32(struct flatbuffer *f, uint32_t table, uint16_t index, uint32_t otherwise) {
    const uint32_t position = field(f, table, index);
    return position == 0 ? otherwise : number(f, position, 4);
}
