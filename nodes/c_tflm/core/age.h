/* The age code: how long before its transmission a thing happened, in one byte (nodes/wire/SPEC.md, "Age"). */
#ifndef STETHOS_AGE_H
#define STETHOS_AGE_H

#include <stdint.h>

/* The nearest code, the lower at a tie; 255 for 35 hours and more. */
uint8_t age_encode(uint64_t age_ms);
uint32_t age_decode_ms(uint8_t code);

#endif
