/* The score code: how far an error lies from its threshold, on a logarithmic scale (nodes/wire/SPEC.md, "Score"). */
#ifndef STETHOS_SCORE_H
#define STETHOS_SCORE_H

#include <stdint.h>

enum {
    SCORE_THRESHOLD = 128, /* the code of an error that equals its threshold */
};

/* 16 steps are a factor of two; SCORE_THRESHOLD where error and threshold are equal; held within 0..255. */
uint8_t score_encode(uint32_t error, uint32_t threshold);

#endif
