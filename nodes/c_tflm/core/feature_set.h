/* Features of one window of samples: nodes/wire/SPEC.md, "Feature sets" and "Why". (Not named features.h: with this
 * folder on the include path, that would hide the C library's own <features.h>.) */
#ifndef STETHOS_FEATURE_SET_H
#define STETHOS_FEATURE_SET_H

#include <stdint.h>

#include "fft.h"

enum {
    FEATURE_SET_STATISTICS = 1,
    FEATURE_SET_INVARIANT = 2,
    FEATURE_SET_SLOW = 3,
    FEATURE_SET_PRINCIPAL = 5, /* 4: features_mel.h */
    FEATURES_MAX = 48,         /* what the largest set gives for nine channels */
    FEATURES_PER_CHANNEL = 3,
};

/* The sets that this firmware computes. A board that names fewer on the compiler's command line, such as
 * -DFEATURE_SETS=FEATURE_SET_BIT_STATISTICS, does not contain the others. */
enum {
    FEATURE_SET_BIT_STATISTICS = 1 << FEATURE_SET_STATISTICS,
    FEATURE_SET_BIT_INVARIANT = 1 << FEATURE_SET_INVARIANT,
    FEATURE_SET_BIT_SLOW = 1 << FEATURE_SET_SLOW,
    FEATURE_SET_BIT_PRINCIPAL = 1 << FEATURE_SET_PRINCIPAL,
};
#ifndef FEATURE_SETS
#define FEATURE_SETS                                                                                                   \
    (FEATURE_SET_BIT_STATISTICS | FEATURE_SET_BIT_INVARIANT | FEATURE_SET_BIT_SLOW | FEATURE_SET_BIT_PRINCIPAL)
#endif

/* What a feature is to whoever learns what is normal. */
enum feature_kind {
    FEATURE_LEVEL, /* says how the sensor lies or what it is near: never part of a score */
    FEATURE_SCALE, /* a size, at least 0, that varies by factors: its logarithm is judged */
    FEATURE_LOG,   /* judged as it is: a logarithm, or a number that may be negative */
};

/* Working memory of features_compute: the caller's, and of no meaning before or after. */
struct feature_scratch {
    struct fft_bin bins[FFT_SIZE_MAX];
};

/* How many features a set gives for 1 to 9 channels; 0 if this firmware does not compute that set. */
uint8_t feature_set_size(uint8_t set, uint8_t channels);

/* The kind of feature i of a set. */
enum feature_kind feature_kind(uint8_t set, uint8_t channels, uint8_t i);

/* Computes a set. samples: interleaved [n][channels], n in 32..1024, channels in 1..9;
 * out: feature_set_size(set, channels) values, none of a set that is not computed here. */
void features_compute(uint8_t set, const int16_t *samples, uint16_t n, uint8_t channels,
                      struct feature_scratch *scratch, int32_t *out);

/* Set 1 alone; n in 1..4096. */
void features_statistics(const int16_t *samples, uint16_t n, uint8_t channels, int32_t *out);

/* 0, or the "why" code of the sensor fault that the samples show: 4 stuck (never of set 3, whose readings may stand
 * still), 5 saturated. A stuck channel is named before a saturated one, whichever channel comes first. */
uint8_t features_sensor_fault(uint8_t set, const int16_t *samples, uint16_t n, uint8_t channels);

#endif
