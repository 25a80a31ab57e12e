/* What the parts of the learner share. Names and units: nodes/wire/SPEC.md, "Learner". */
#ifndef STETHOS_LEARNER_INTERNAL_H
#define STETHOS_LEARNER_INTERNAL_H

#include <string.h>

#include "fixed.h"
#include "learner.h"

enum {
    LEARNER_CHUNKS = 8,
    LEARNER_WINDOWS_MIN = 24,
    LEARNER_LEARNED_MAX = 65535,
    LEARNER_VALUE_MAX = (1 << 22) - 1,
    LEARNER_EVENTS = 200000,
    LEARNER_BILLION = 1000000000,
    LEARNER_LOC_MAX = 131072,
    LEARNER_STEEPNESS_MIN = 886, /* .15 / ln 2 */
    LEARNER_STEEPNESS_MAX = 16384,
};

/* log2 of x >= 1 in Q12, by one parabola an octave: .01 octave off at most. */
static inline int32_t learner_log2(uint32_t x) {
    const uint32_t k = 31 - (uint32_t)__builtin_clz(x);
    const uint32_t f = (x << (31 - k) >> 16) & 32767;
    return (int32_t)(4096 * k + ((4096 * f + 1408 * (f * (32768 - f) >> 15)) >> 15));
}

/* A difference in Q8 of the feature's unit, in spreads of that feature, Q8. */
static inline int32_t learner_spreads(const struct learner_feature *f, int32_t difference) {
    int32_t x = difference >> f->shift;
    if ((uint32_t)(x + 32767) > 2 * 32767) { /* one comparison where there are mostly none to make */
        x = x < 0 ? -32767 : 32767;
    }
    return x * f->mantissa >> 15;
}

/* log2 of the least variance: a spread of one sample unit, or of 1/64 octave. */
static inline int32_t learner_narrowest(const struct learner_feature *f) {
    return f->kind == FEATURE_LEVEL ? 8 : 12;
}

/* What a difference adds to an error: its spreads squared, Q10; nothing where the feature is a level. */
uint32_t learner_term(const struct learner_feature *f, int32_t difference);

/* The middle of a base, Q8 of the unit. */
static inline int32_t learner_middle(const struct learner_feature *f) {
    return (f->base.low + f->base.high) * 128;
}

/* Where the windows to learn from lie, one after the other, a byte a feature. */
static inline int8_t *learner_rows(struct learner *l) {
    return &l->room.bytes[l->head.features * (sizeof(struct learner_feature) + sizeof(struct learner_base))];
}

/* log2 of a / b, Q8. */
int32_t learner_ratio(uint32_t a, uint32_t b);

/* The features as they are averaged with those before, Q8 of the unit; the caller decides whether they are kept. */
void learner_averages(const struct learner *l, const int32_t *features, int32_t *out);

/* Nothing is kept of what it was to learn from. */
void learner_begin(struct learner *l);

/* The last window has been learned: base and limit. False, and nothing has changed, if the first chunk is not like the
 * last ones: it was the machine's start. */
bool learner_finish(struct learner *l);

/* The threshold from limit and sensitivity. */
void learner_threshold(struct learner *l);

/* All that follows from base and limit; latches nothing, has followed nothing. */
void learner_stand(struct learner *l);

/* How far the means are from the base: the drift. */
void learner_measure_drift(struct learner *l);

/* No alarm, no history. */
void learner_calm(struct learner *l);

/* Keeps the base for a roll-back, if there is one. */
void learner_keep(struct learner *l);

#endif
