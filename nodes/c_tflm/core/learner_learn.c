#include "learner_internal.h"

enum { STRANGE = 12 * 12, STEPS_MAX = 127, FARTHEST = 2047 }; /* FARTHEST: beyond any twelve spreads */

/* An averaged feature in steps from the first window. */
static int32_t in_steps(const struct learner_feature *f, int32_t average) {
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
    const uint32_t narrowest = f->kind == FEATURE_LEVEL ? LEARNER_NARROWEST_LEVEL : LEARNER_NARROWEST;
    const uint32_t least = (UINT32_C(256) << narrowest / 256) >> f->exponent >> f->exponent;
    return (uint32_t)(away * away) > STRANGE * (variance + (least < 256 ? 256 : least));
}

static void add(struct learner_feature *f, int32_t steps) {
    f->sum += steps;
    f->squares += (uint32_t)(steps * steps);
}

/* Steps of twice the size, for what is there and what comes. */
static void double_steps(struct learner *l, uint8_t feature) {
    struct learner_feature *f = &l->room.features[feature];
    f->exponent++;
    f->sum = 0;
    f->squares = 0;
    int8_t *row = learner_rows(l) + feature;
    for (uint8_t i = 0; i < l->head.rows; i++, row += l->head.features) {
        *row = (int8_t)((*row + 1) >> 1);
        add(f, *row);
    }
}

enum learner_reply learner_learn(struct learner *l, const int32_t *features) {
    struct learner_head *h = &l->head;
    if (h->state != LEARNER_LEARNING) {
        return LEARNER_NOT_NOW;
    }
    int32_t averages[LEARNER_FEATURES_MAX];
    learner_averages(l, features, averages);
    struct learner_feature *f = l->room.features;
    const bool judged = h->rows >= h->windows / LEARNER_CHUNKS;
    for (uint8_t j = 0; j < h->features; j++) {
        if (judged && strange(&f[j], averages[j], h->rows)) {
            h->refused++;
            return LEARNER_ANOMALOUS;
        }
    }
    int8_t *row = learner_rows(l) + h->rows * h->features;
    for (uint8_t j = 0; j < h->features; j++, f++) {
        if (h->rows == 0) {
            f->origin = averages[j] >> 8;
        }
        int32_t steps = in_steps(f, averages[j]);
        while (steps > STEPS_MAX || steps < -STEPS_MAX) {
            double_steps(l, j);
            steps = in_steps(f, averages[j]);
        }
        f->average = averages[j];
        row[j] = (int8_t)steps;
        add(f, steps);
    }
    h->averaging = true;
    h->rows++;
    if (h->rows < h->windows) {
        return LEARNER_MORE;
    }
    learner_finish(l);
    return LEARNER_DONE;
}
