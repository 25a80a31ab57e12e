#include "learner_internal.h"

enum {
    STRANGE = 12 * 12,
    STEPS_MAX = 127,
    FARTHEST = 2047, /* beyond any twelve spreads */
    ANEW_MAX = 3,
};

/* An averaged feature in steps from the first window. */
static __attribute__((noinline)) int32_t in_steps(const struct learner_feature *f, int32_t average) {
    return ((average >> 8) - f->origin + (1 << f->exponent >> 1)) >> f->exponent;
}

/* Beyond twelve spreads of what has been learned so far. In sixteenths of a step. */
static bool strange(const struct learner_feature *f, int32_t average, int32_t rows) {
    int32_t steps = in_steps(f, average);
    steps = steps > FARTHEST ? FARTHEST : steps;
    steps = steps < -FARTHEST ? -FARTHEST : steps;
    const int32_t mean = 16 * f->sum / rows;
    const int32_t away = 16 * steps - mean;
    const uint32_t variance = 256 * f->squares / (uint32_t)rows - (uint32_t)(mean * mean);
    const uint32_t least = (UINT32_C(256) << learner_narrowest(f)) >> f->exponent >> f->exponent;
    return (uint32_t)(away * away) > STRANGE * (variance + (least < 256 ? 256 : least));
}

/* What is kept of a feature, without its `skipped` oldest windows, in steps of 2^coarser times the size. */
static void keep_anew(struct learner *l, uint32_t feature, uint32_t skipped, uint32_t coarser) {
    struct learner_feature *f = &l->room.features[feature];
    const uint32_t features = l->head.features;
    int8_t *to = learner_rows(l) + feature;
    const int8_t *from = to + skipped * features;
    f->exponent = (uint8_t)(f->exponent + coarser);
    f->sum = 0;
    f->squares = 0;
    for (uint32_t i = l->head.rows; i > 0; i--, to += features, from += features) {
        const int32_t steps = (*from + (int32_t)coarser) >> coarser;
        *to = (int8_t)steps;
        f->sum += steps;
        f->squares += (uint32_t)(steps * steps);
    }
}

static void keep(struct learner *l, const int32_t *averages) {
    struct learner_head *h = &l->head;
    int8_t *row = learner_rows(l) + h->rows * h->features;
    for (uint32_t j = 0; j < h->features; j++) {
        struct learner_feature *f = &l->room.features[j];
        if (h->rows == 0) {
            f->origin = averages[j] >> 8;
        }
        int32_t steps = in_steps(f, averages[j]);
        while (steps > STEPS_MAX || steps < -STEPS_MAX) {
            keep_anew(l, j, 0, 1);
            steps = in_steps(f, averages[j]);
        }
        f->average = averages[j];
        f->sum += steps;
        f->squares += (uint32_t)(steps * steps);
        row[j] = (int8_t)steps;
    }
    h->averaging = true;
    h->quiet = 0;
    h->rows++;
}

static void drop_first_chunk(struct learner *l) {
    const uint32_t n = l->head.windows / LEARNER_CHUNKS;
    l->head.rows = (uint8_t)(l->head.rows - n);
    for (uint32_t j = 0; j < l->head.features; j++) {
        keep_anew(l, j, n, 0);
    }
}

/* Where as many windows in a row are refused as are kept, those were the exception: the machine stood still, or the
 * sensor was still in somebody's hand. */
static void refuse(struct learner *l) {
    struct learner_head *h = &l->head;
    h->refused++;
    h->quiet++;
    if (h->quiet >= h->rows && h->jumps < ANEW_MAX) {
        h->jumps++;
        learner_begin(l);
    }
}

enum learner_reply learner_learn(struct learner *l, const int32_t *features) {
    struct learner_head *h = &l->head;
    int32_t averages[LEARNER_FEATURES_MAX];
    if (h->state != LEARNER_LEARNING) {
        return LEARNER_NOT_NOW;
    }
    learner_averages(l, features, averages);
    for (uint32_t j = 0; j < h->features && h->rows >= h->windows / LEARNER_CHUNKS; j++) {
        if (strange(&l->room.features[j], averages[j], h->rows)) {
            refuse(l);
            return LEARNER_ANOMALOUS;
        }
    }
    keep(l, averages);
    if (h->rows < h->windows) {
        return LEARNER_MORE;
    }
    if (learner_finish(l)) {
        return LEARNER_DONE;
    }
    drop_first_chunk(l);
    return LEARNER_MORE;
}
