/* What is odd about slow readings, such as temperature and humidity: nodes/wire/SPEC.md, "Slow sensors". */
#ifndef STETHOS_SLOW_H
#define STETHOS_SLOW_H

#include <stdint.h>

#include "learner.h"

enum { SLOW_CHANNELS = 9, SLOW_BINS = 8 };

enum slow_why {
    SLOW_QUIET = 0,
    SLOW_ABOVE = 2,
    SLOW_BELOW = 3,
    SLOW_POINT = 12,      /* a reading unlike those around it */
    SLOW_CONTEXT = 13,    /* unusual at this time of day */
    SLOW_COLLECTIVE = 14, /* each reading may be, but not their course */
};

/* Fixed limits, in the unit of the samples. */
struct slow_limits {
    int16_t low[SLOW_CHANNELS];
    int16_t high[SLOW_CHANNELS];
    uint32_t set; /* bit 2c: low[c] holds; bit 2c + 1: high[c] */
};

/* Three hours of the day. */
struct slow_bin {
    int16_t mean;
    uint16_t spread;
    uint8_t days;
};

struct slow_channel {
    int32_t residual; /* usual, in sixteenths */
    int32_t total;    /* of the levels since the bin was entered */
    uint16_t farthest;
    struct slow_bin bins[SLOW_BINS];
};

/* All 0 to begin with. */
struct slow {
    struct slow_channel channels[SLOW_CHANNELS];
    uint16_t visits; /* levels since the bin was entered */
    uint8_t windows;
    uint8_t bin; /* the one that it is in, plus 1; 0: none yet */
};

/* Judges and learns one window of readings without a sensor fault: interleaved [n][channels], n at most 1024.
 * limits: NULL for none; minute_of_day: UTC, -1 if unknown; collective: what a learner says of this window's features,
 * NULL if none watches. What is first of limits, point, context, collective; `score` is how odd (SPEC, "Score"). */
enum slow_why slow_judge(struct slow *s, const struct slow_limits *limits, const int16_t *samples, uint16_t n,
                         uint8_t channels, int16_t minute_of_day, const struct learner_verdict *collective,
                         uint8_t *score);

#endif
