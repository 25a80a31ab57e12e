/* Reads the few kinds of CBOR item that a model image is made of, in preferred serialisation only: a longer encoding
 * of the same value is refused. What does not fit sets `bad`, which stays set, and reads as 0. */
#ifndef STETHOS_CBOR_H
#define STETHOS_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cbor {
    const uint8_t *next;
    const uint8_t *end;
    bool bad;
};

uint32_t cbor_uint(struct cbor *c, uint32_t low, uint32_t high);
int32_t cbor_int(struct cbor *c);                                 /* within int32_t */
uint32_t cbor_array(struct cbor *c, uint32_t low, uint32_t high); /* its length; the elements follow */
const uint8_t *cbor_bytes(struct cbor *c, size_t *size);          /* a byte string, where it lies */

#endif
