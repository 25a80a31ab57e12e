#include "codec.h"

#include <string.h>

#include "cbor.h"

enum { NIL = 0xF6, FALSE = 0xF4, TRUE = 0xF5, LONG = 0x1B, ELEMENTS_SHORT = 24 };

/* How an element is read and written. */
enum form { NOTHING, NUMBER, NUMBER_NIL, BLOCK, BLOCK_NIL, WORDS, LONG_NUMBER, FLAG };

/* A number lies within low..high, or -low..high with nil; blocks have as many bytes, WORDS as many values. */
static const struct rule {
    uint8_t form;
    uint8_t major; /* of a block */
    uint16_t low;
    uint32_t high;
} RULES[] = {
    [CODEC_U8] = {NUMBER, 0, 0, UINT8_MAX},
    [CODEC_U16] = {NUMBER, 0, 0, UINT16_MAX},
    [CODEC_U32] = {NUMBER, 0, 0, UINT32_MAX},
    [CODEC_SMALL] = {NUMBER, 0, 0, 23},
    [CODEC_COUNT_8] = {NUMBER, 0, 1, UINT8_MAX},
    [CODEC_VERSION] = {NUMBER, 0, 1, 23},
    [CODEC_CHANNELS] = {NUMBER, 0, 1, 9},
    [CODEC_SAMPLES] = {NUMBER, 0, 1, 1024},
    [CODEC_BIT] = {NUMBER, 0, 0, 1},
    [CODEC_STORE] = {NUMBER, 0, 0, 3},
    [CODEC_STATE] = {NUMBER, 0, 0, 7},
    [CODEC_PERCENT] = {NUMBER, 0, 0, 100},
    [CODEC_ID] = {NUMBER, 0, 1, UINT32_MAX},
    [CODEC_U16_NIL] = {NUMBER_NIL, 0, 0, UINT16_MAX},
    [CODEC_S16_NIL] = {NUMBER_NIL, 0, 0x8000, 0x7FFF},
    [CODEC_DBM_NIL] = {NUMBER_NIL, 0, 128, 0},
    [CODEC_TEXT] = {BLOCK, CODEC_STRING, 1, CODEC_TEXT_MAX},
    [CODEC_ID_8_NIL] = {BLOCK_NIL, CODEC_BYTES, 8, 8},
    [CODEC_BYTES_32] = {BLOCK, CODEC_BYTES, 32, 32},
    [CODEC_BYTES_64] = {BLOCK, CODEC_BYTES, 64, 64},
    [CODEC_DATA] = {BLOCK, CODEC_BYTES, 1, CODEC_DATA_MAX},
    [CODEC_VALUES] = {WORDS, CODEC_LIST, 1, CODEC_VALUES_MAX},
    [CODEC_U64] = {LONG_NUMBER, 0, 0, 0},
    [CODEC_BOOL] = {FLAG, 0, 0, 0},
};

size_t codec_head(uint8_t *out, uint8_t major, uint32_t value) {
    unsigned width = 0; /* bytes after the first */
    if (value < ELEMENTS_SHORT) {
        out[0] = (uint8_t)(major | value);
        return 1;
    }
    do {
        width = width == 0 ? 1 : 2 * width;
    } while (width < 4 && value >> 8 * width != 0);
    out[0] = (uint8_t)(major | (ELEMENTS_SHORT + width / 2));
    for (unsigned i = width; i > 0; i--, value >>= 8) {
        out[i] = (uint8_t)value;
    }
    return 1 + width;
}

static size_t put_int(uint8_t *out, int32_t value) {
    return value >= 0 ? codec_head(out, CODEC_UINT, (uint32_t)value)
                      : codec_head(out, CODEC_NEGATIVE, ~(uint32_t)value);
}

/* Bytes written; 0: the value is not within its rule. */
static size_t put_span(uint8_t *out, const struct rule *rule, const struct codec_span *span) {
    if (span->n < rule->low || span->n > rule->high) {
        return 0;
    }
    size_t n = codec_head(out, rule->major, span->n);
    if (rule->form != WORDS) {
        memcpy(out + n, span->at, span->n);
        return n + span->n;
    }
    for (uint32_t i = 0; i < span->n; i++) {
        n += put_int(out + n, ((const int32_t *)span->at)[i]);
    }
    return n;
}

static size_t put(uint8_t *out, const struct rule *rule, const uint32_t *word) {
    const int32_t number = (int32_t)*word;
    const struct codec_span *span = (const void *)word;
    const bool nil = rule->form == NUMBER_NIL ? number == CODEC_NIL : rule->form == BLOCK_NIL && span->at == NULL;
    if (nil) {
        out[0] = NIL;
        return 1;
    }
    switch (rule->form) {
    case NUMBER:
        return *word >= rule->low && *word <= rule->high ? codec_head(out, CODEC_UINT, *word) : 0;
    case NUMBER_NIL:
        return number >= -(int32_t)rule->low && number <= (int32_t)rule->high ? put_int(out, number) : 0;
    default:
        return put_span(out, rule, span);
    }
}

size_t codec_write(const struct codec_field *fields, const void *message, uint8_t *out) {
    const uint32_t *words = message;
    uint32_t elements = 0; /* of the outer array: always fewer than 24 */
    uint32_t inner = 0;    /* that still belong to an array in it */
    size_t n = 1;
    for (; fields->kind != CODEC_END; fields++) {
        if (fields->kind == CODEC_TAIL) {
            if (words[fields->where] == 0) {
                break;
            }
            continue;
        }
        size_t size;
        elements += inner == 0;
        if (fields->kind == CODEC_ARRAY) {
            size = codec_head(out + n, CODEC_LIST, fields->where);
            inner = fields->where;
        } else {
            size = put(out + n, &RULES[fields->kind], words + fields->where);
            inner -= inner > 0;
        }
        if (size == 0) {
            return 0;
        }
        n += size;
    }
    out[0] = (uint8_t)(CODEC_LIST | elements);
    return n;
}

/* The next byte, if it is this one. */
static bool skip(struct cbor *c, uint8_t byte) {
    if (c->next == c->end || *c->next != byte) {
        return false;
    }
    c->next++;
    return true;
}

static uint64_t get_long(struct cbor *c) {
    uint64_t value = 0;
    if (c->end - c->next < 9 || !skip(c, LONG)) {
        return cbor_uint(c, 0, UINT32_MAX);
    }
    for (unsigned i = 0; i < 8; i++) {
        value = value << 8 | *c->next++;
    }
    if (value <= UINT32_MAX) {
        c->bad = true; /* not the shortest form */
    }
    return value;
}

static void get_block(struct cbor *c, const struct rule *rule, struct codec_span *span) {
    size_t n;
    span->at = cbor_bytes(c, &n);
    span->n = (uint32_t)n;
    if (n < rule->low || n > rule->high) {
        c->bad = true;
    }
}

static void get(struct cbor *c, const struct rule *rule, uint32_t *word) {
    if (rule->form == NUMBER) {
        *word = cbor_uint(c, rule->low, rule->high);
    } else if (rule->form == NUMBER_NIL) {
        *word = skip(c, NIL) ? (uint32_t)CODEC_NIL : cbor_uint(c, rule->low, rule->high);
    } else if (rule->form == FLAG) {
        *word = skip(c, TRUE);
        if (*word == 0 && !skip(c, FALSE)) {
            c->bad = true;
        }
    } else if (rule->form == LONG_NUMBER) {
        const uint64_t value = get_long(c);
        memcpy(word, &value, sizeof value);
    } else {
        get_block(c, rule, (void *)word);
    }
}

bool codec_read(const struct codec_field *fields, const uint8_t *in, size_t n, void *message) {
    struct cbor c = {in, in + n, false};
    uint32_t *words = message;
    uint32_t left = cbor_array(&c, 1, ELEMENTS_SHORT - 1);
    for (; fields->kind != CODEC_END; fields++) {
        if (fields->kind == CODEC_TAIL) {
            if (left == 0) {
                break;
            }
            words[fields->where] = 1;
            continue;
        }
        if (left == 0) {
            return false;
        }
        left--;
        get(&c, &RULES[fields->kind], words + fields->where);
    }
    return !c.bad && left == 0 && c.next == c.end;
}
