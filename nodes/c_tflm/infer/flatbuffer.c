#include "flatbuffer.h"

enum { SLOT = 0x0F, KIND_SHIFT = 4, SIZE = 5, LOG_OF_SIZE = 3 };

/* `n` bytes, at most 4, as one number. */
static __attribute__((noinline)) uint32_t number(struct flatbuffer *f, uint32_t position, uint32_t n) {
    uint32_t value = 0;
    if (position > f->size - n) {
        f->refused = NETWORK_TRUNCATED;
    } else if (position != 0) {
        while (n-- != 0) {
            value = value << 8 | f->data[position + n];
        }
    }
    return value;
}

/* Position of a table's field, or 0 if the table does not have it. A table starts with the signed distance back to its
 * vtable, numbers of 16 bits: [size, table size, offset of field 0, 1, ...]. Wherever that leads, only what is inside
 * the file is read. */
static inline __attribute__((always_inline)) uint32_t field_here(struct flatbuffer *f, uint32_t table, uint32_t slot) {
    const uint32_t vtable = table - number(f, table, 4);
    if (2 * slot >= number(f, vtable, 2)) {
        return 0;
    }
    const uint32_t offset = number(f, vtable + 2 * slot, 2);
    return offset == 0 ? 0 : table + offset;
}

uint32_t flatbuffer_table(struct flatbuffer *f, struct flatbuffer_vector v, uint32_t i) {
    if (i >= v.count) {
        f->refused = NETWORK_GRAPH;
        return 0;
    }
    return v.at + 4 + 4 * i + flatbuffer_element(f, v, i);
}

void flatbuffer_read(struct flatbuffer *f, uint32_t table, const uint8_t *fields, void *out) {
    uint32_t *next = out;
    for (uint32_t kind; (kind = *fields++) != FLATBUFFER_END;) {
        const uint32_t at = field_here(f, table, kind & SLOT);
        uint32_t value;
        if (kind < FLATBUFFER_TABLE) {
            value = number(f, at, kind >> KIND_SHIFT & SIZE);
            if ((kind & FLATBUFFER_UNUSED) != 0) {
                if (value != 0) {
                    f->refused = NETWORK_OPTIONS;
                }
                continue;
            }
            *next = value;
        } else {
            value = at + number(f, at, 4);
            *next = value;
            if (kind >= FLATBUFFER_FIRST) {
                uint32_t count = number(f, value, 4);
                if (count > (f->size - 4 - value) >> (kind >> KIND_SHIFT & LOG_OF_SIZE)) {
                    f->refused = NETWORK_TRUNCATED;
                    count = 0;
                }
                *++next = count;
            }
            if (kind < FLATBUFFER_VECTOR1) {
                table = kind < FLATBUFFER_FIRST ? value : value + 4 + number(f, value + 4, 4);
            }
        }
        next++;
    }
}

static __attribute__((noinline)) uint32_t field(struct flatbuffer *f, uint32_t table, uint32_t index) {
    return field_here(f, table, index + 2);
}

uint8_t flatbuffer_field_u8(struct flatbuffer *f, uint32_t table, uint16_t index, uint8_t otherwise) {
    const uint32_t position = field(f, table, index);
    return position == 0 ? otherwise : (uint8_t)number(f, position, 1);
}

uint32_t flatbuffer_field_u32(struct flatbuffer *f, uint32_t table, uint16_t index, uint32_t otherwise) {
    const uint32_t position = field(f, table, index);
    return position == 0 ? otherwise : number(f, position, 4);
}
