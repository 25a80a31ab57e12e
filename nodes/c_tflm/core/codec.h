/* The bytes of messages, by table: nodes/wire/wire.cddl, in preferred serialisation and nothing else.
 *
 * Upward messages are written, downward ones read; a node needs neither the other way round. */
#ifndef STETHOS_CODEC_H
#define STETHOS_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CODEC_NIL INT32_MIN /* in the place of a number: there is none */

enum { CODEC_DATA_MAX = 384, CODEC_VALUES_MAX = 64, CODEC_TEXT_MAX = 24 };

/* Bytes, text or int32 values that lie elsewhere; `at` NULL: nil. */
struct codec_span {
    const void *at;
    uint32_t n;
};

/* What an element may be. The first have no value of their own: `where` is a number of elements, or of words up to a
 * flag. */
enum codec_kind {
    CODEC_END,
    CODEC_ARRAY, /* the next `where` elements are an array in the array */
    CODEC_TAIL,  /* what follows is there if the uint32_t at word `where` is not 0 */
    /* uint32_t */
    CODEC_U8,
    CODEC_U16,
    CODEC_U32,
    CODEC_SMALL,    /* 0..23 */
    CODEC_COUNT_8,  /* 1..255 */
    CODEC_VERSION,  /* 1..23 */
    CODEC_CHANNELS, /* 1..9 */
    CODEC_SAMPLES,  /* 1..1024 */
    CODEC_BIT,      /* 0..1 */
    CODEC_STORE,    /* 0..3 */
    CODEC_STATE,    /* 0..7 */
    CODEC_PERCENT,  /* 0..100 */
    CODEC_ID,       /* 1..4294967295 */
    /* int32_t, CODEC_NIL for nil */
    CODEC_U16_NIL,
    CODEC_S16_NIL,
    CODEC_DBM_NIL, /* -128..0 */
    /* struct codec_span */
    CODEC_TEXT,     /* 1..24 bytes of UTF-8, which is not looked at; written only */
    CODEC_ID_8_NIL, /* 8 bytes, or nil */
    CODEC_BYTES_32, /* so many bytes */
    CODEC_BYTES_64, /* so many bytes */
    CODEC_DATA,     /* 1..384 bytes */
    CODEC_VALUES,   /* an array of 1..64 int32_t; written only */
    CODEC_U64,      /* uint64_t; read only */
    CODEC_BOOL,     /* uint32_t, 0 or 1; read only */
};

/* One element of a message: what it is, and at which word of the message's struct it lies. */
struct codec_field {
    uint8_t kind;
    uint8_t where;
};

/* By the message's type: codec_table.c. NULL if there is none of this direction. */
const struct codec_field *codec_up(uint8_t type);
const struct codec_field *codec_down(uint8_t type);

/* Bytes of the array, written to `out`, which has room for MESSAGE_MAX; 0 if an element is none that may be there. */
size_t codec_write(const struct codec_field *fields, const void *message, uint8_t *out);

/* Reads all `n` bytes; false if they are not this array. Spans point into `in`. The message was zeroed by the caller.
 */
bool codec_read(const struct codec_field *fields, const uint8_t *in, size_t n, void *message);

/* The head of a CBOR item: up to 5 bytes, at `out`. Returns how many. */
enum { CODEC_UINT = 0x00, CODEC_NEGATIVE = 0x20, CODEC_BYTES = 0x40, CODEC_STRING = 0x60, CODEC_LIST = 0x80 };
size_t codec_head(uint8_t *out, uint8_t major, uint32_t value);

#endif
