#include "learner.h"

#include "learner_internal.h"
#include "score.h"

enum {
    ALL = 31,   /* a history has five windows */
    QUIET = 10, /* so many quiet ones end an alarm */
    JUMP = 8 * 256,
    DRIFT_EVERY = 8, /* windows followed */
    AVERAGE_MAX = 5,
    NO_AVERAGE = 65536,
    HEAD = sizeof(struct learner_head),
    EACH = sizeof(struct learner_feature) + sizeof(struct learner_base),
};

_Static_assert(HEAD == 108 && EACH == 32 + 16 && sizeof(struct learner) == LEARNER_BYTES,
               "how many windows fit depends on these");

static const uint32_t MANY = 0xfee8e880;

enum learner_reply learner_init(struct learner *l, const struct learner_setup *setup) {
    memset(l, 0, sizeof *l);
    const uint8_t features = feature_set_size(setup->feature_set, setup->channels);
    if (features == 0 || features > LEARNER_FEATURES_MAX || setup->average > AVERAGE_MAX) {
        return LEARNER_MISFIT;
    }
    l->head.features = features;
    l->head.known.feature_set = setup->feature_set;
    l->head.known.channels = setup->channels;
    l->head.known.average = setup->average == 0 ? 1 : setup->average;
    const enum learner_reply reply = learner_relearn(l, setup->windows);
    if (reply == LEARNER_OK) {
        (void)learner_sensitivity(l, setup->events_ppb);
    }
    return reply;
}

enum learner_reply learner_relearn(struct learner *l, uint16_t windows) {
    struct learner_head *h = &l->head;
    if (h->features == 0) {
        return LEARNER_NOT_NOW;
    }
    const int32_t fit = (LEARNER_BYTES - HEAD) / h->features - EACH;
    int32_t wanted = windows == 0 ? h->windows : windows;
    wanted = wanted == 0 || wanted > LEARNER_WINDOWS_MAX ? LEARNER_WINDOWS_MAX : wanted;
    wanted = (wanted > fit ? fit : wanted) & ~(LEARNER_CHUNKS - 1);
    if (wanted < LEARNER_WINDOWS_MIN) {
        return LEARNER_MISFIT;
    }
    learner_keep(l);
    h->windows = (uint8_t)wanted;
    h->state = LEARNER_LEARNING;
    h->known.frozen = false;
    h->least_similarity = 100;
    learner_calm(l);
    learner_begin(l);
    return LEARNER_OK;
}

void learner_begin(struct learner *l) {
    struct learner_head *h = &l->head;
    h->rows = 0;
    h->quiet = 0;
    h->averaging = false;
    memset(l->room.features, 0, h->features * sizeof(struct learner_feature));
    for (uint8_t j = 0; j < h->features; j++) {
        const uint8_t kind = (uint8_t)feature_kind((uint8_t)h->known.feature_set, (uint8_t)h->known.channels, j);
        l->room.features[j].kind = kind;
    }
}

uint32_t learner_term(const struct learner_feature *f, int32_t difference) {
    const int32_t spreads = learner_spreads(f, difference);
    return f->kind == FEATURE_LEVEL ? 0 : (uint32_t)(spreads * spreads) >> 6;
}

static uint32_t size(int32_t spreads) {
    return (uint32_t)(spreads < 0 ? -spreads : spreads);
}

/* A feature as it is judged, in Q8 of its unit. One sample unit more where its logarithm is taken: below that there is
 * no telling factors apart. */
static int32_t judged(const struct learner_feature *f, int32_t value) {
    if (f->kind == FEATURE_SCALE) {
        return learner_log2((value < 0 ? 0 : (uint32_t)value) + 16) * 256;
    }
    if ((uint32_t)value + LEARNER_VALUE_MAX > 2 * LEARNER_VALUE_MAX) {
        value = value < 0 ? -LEARNER_VALUE_MAX : LEARNER_VALUE_MAX;
    }
    return value * 256;
}

void learner_averages(const struct learner *l, const int32_t *features, int32_t *out) {
    /* The weight of the newest in an exponential mean as long as so many windows: 2 / (windows + 1), rounded. */
    const uint32_t reach = (uint32_t)l->head.known.average + 1;
    const uint32_t newest = l->head.averaging ? (2 * NO_AVERAGE + reach / 2) / reach : NO_AVERAGE;
    const struct learner_feature *f = l->room.features;
    for (const struct learner_feature *end = f + l->head.features; f < end; f++) {
        const int32_t y = judged(f, *features++);
        *out++ = newest == NO_AVERAGE ? y : f->average + (int32_t)((int64_t)(y - f->average) * newest >> 16);
    }
}

/* Whether at least three of the last five are set: bit h of MANY says so of the history h. */
static bool many(uint8_t history) {
    return (MANY >> history & 1) != 0;
}

static void remember(struct learner_head *h, bool anomalous, bool jumped) {
    h->history = (uint8_t)((h->history << 1 | anomalous) & ALL);
    h->jumps = (uint8_t)((h->jumps << 1 | jumped) & ALL);
    h->moved |= many(h->jumps);
    if (anomalous) {
        h->quiet = 0;
    } else if (h->quiet < QUIET) {
        h->quiet++;
    }
    if (h->quiet == QUIET) {
        h->latched = false;
    }
    h->latched |= many(h->history);
}

void learner_measure_drift(struct learner *l) {
    struct learner_head *h = &l->head;
    h->drift = 0;
    const struct learner_feature *f = l->room.features;
    for (const struct learner_feature *end = f + h->features; f < end; f++) {
        h->drift += learner_term(f, f->mean - learner_middle(f));
    }
}

/* The mean goes after what is normal now, but not so far that the base itself would be lost sight of. */
static void follow(struct learner *l) {
    struct learner_head *h = &l->head;
    const bool far = h->drift > h->threshold >> 1;
    struct learner_feature *f = l->room.features;
    for (const struct learner_feature *end = f + h->features; f < end; f++) {
        const int32_t apart = f->average - f->mean;
        const int32_t step = (int32_t)((int64_t)apart * f->gain >> 16);
        if (far && f->kind != FEATURE_LEVEL && (step < 0) == (f->mean < learner_middle(f))) {
            continue; /* farther away yet */
        }
        f->mean += step;
    }
    h->followed++;
    if (h->followed % DRIFT_EVERY == 0) {
        learner_measure_drift(l);
        h->drifted = h->drift > h->threshold >> (h->drifted ? 2 : 1);
    }
}

static __attribute__((noinline)) uint8_t similarity(const struct learner_head *h, uint32_t error, bool anomalous) {
    const int32_t least = anomalous ? 0 : 50;
    const int32_t most = anomalous ? 49 : 100;
    const int32_t beyond = learner_log2(error == 0 ? 1 : error) - h->known.loc;
    const int32_t found = 100 - 50 * beyond / (h->limit_log - h->known.loc);
    return (uint8_t)(found < least ? least : found > most ? most : found);
}

enum learner_reply learner_detect(struct learner *l, const int32_t *features, struct learner_verdict *out) {
    struct learner_head *h = &l->head;
    if (h->state < LEARNER_WATCHING) {
        return LEARNER_NOT_NOW;
    }
    int32_t averages[LEARNER_FEATURES_MAX];
    learner_averages(l, features, averages);
    h->averaging = true;
    uint32_t error = 0;
    uint32_t most = 0;
    const int32_t *average = averages;
    struct learner_feature *leading = NULL;
    bool jumped = false;
    struct learner_feature *f = l->room.features;
    for (const struct learner_feature *end = f + h->features; f < end; f++) {
        f->average = *average++;
        const int32_t spreads = learner_spreads(f, f->average - f->mean);
        if (f->kind == FEATURE_LEVEL) {
            jumped |= size(spreads) > JUMP;
            continue;
        }
        const uint32_t term = (uint32_t)(spreads * spreads) >> 6;
        error += term;
        if (term + 1 > most) { /* the first in any case */
            most = term + 1;
            leading = f;
        }
    }
    const bool anomalous = error > h->threshold;
    remember(h, anomalous, jumped);
    if (h->known.frozen == 0 && !anomalous && !jumped && !h->latched && !h->moved) {
        follow(l);
    }
    *out = (struct learner_verdict){
        .error = error,
        .threshold = h->threshold,
        .similarity = similarity(h, error, anomalous),
        .score = score_encode(error, h->threshold),
        .leading = (uint8_t)(leading - l->room.features),
        .anomalous = anomalous,
        .latched = h->latched,
        .moved = h->moved,
        .drifted = h->drifted,
    };
    h->least_similarity = out->similarity < h->least_similarity ? out->similarity : h->least_similarity;
    return LEARNER_OK;
}

void learner_calm(struct learner *l) {
    struct learner_head *h = &l->head;
    h->history = h->jumps = h->quiet = 0;
    h->latched = h->moved = h->drifted = false;
}

void learner_freeze(struct learner *l, bool frozen) {
    l->head.known.frozen = frozen && l->head.state >= LEARNER_WATCHING;
}

void learner_acknowledge(struct learner *l) {
    if (l->head.state < LEARNER_WATCHING) {
        return;
    }
    if (l->head.moved) {
        (void)learner_relearn(l, 0);
    } else {
        learner_calm(l);
    }
}

void learner_diagnose(const struct learner *l, struct learner_diagnosis *out) {
    const struct learner_head *h = &l->head;
    out->state = (enum learner_state)(h->state + h->known.frozen);
    out->learned = (uint16_t)(h->state == LEARNER_LEARNING ? h->rows : h->known.learned);
    out->wanted = h->windows;
    out->refused = h->refused;
    out->followed = h->followed;
    out->events_ppb = (uint32_t)h->known.events_ppb;
    out->drift_q8 = 0;
    out->least_similarity = h->least_similarity;
    if (h->state < LEARNER_WATCHING) {
        return;
    }
    const int32_t way = fixed_log2(h->drift == 0 ? 1 : h->drift) - fixed_log2(h->threshold);
    const uint64_t drift = fixed_exp2((way >> 1) + 8 * FIXED_ONE);
    out->drift_q8 = drift > UINT16_MAX ? UINT16_MAX : (uint16_t)drift;
}
