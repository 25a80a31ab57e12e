#include "cbor.h"
#include "learner_internal.h"

enum { NEGATIVE = 1, ARRAY = 4 };
enum { VERSION = 1, FIELDS = 11, ROW = 5, VARIANCE_MAX = 12288, SETTINGS = 3 }; /* SETTINGS: set, channels, average */
enum { F_VERSION, F_SET, F_CHANNELS, F_AVERAGE, F_FROZEN, F_EVENTS, F_LEARNED, F_CHUNK, F_LOC, F_STEEPNESS, F_ROWS };

struct range {
    int32_t low;
    int32_t high;
};

static const struct range HEAD[F_ROWS] = {
    [F_VERSION] = {VERSION, VERSION},
    [F_SET] = {0, UINT8_MAX},
    [F_CHANNELS] = {1, 9},
    [F_AVERAGE] = {1, 5},
    [F_FROZEN] = {0, 1},
    [F_EVENTS] = {1, LEARNER_BILLION},
    [F_LEARNED] = {LEARNER_WINDOWS_MIN, LEARNER_LEARNED_MAX},
    [F_CHUNK] = {LEARNER_WINDOWS_MIN / LEARNER_CHUNKS, LEARNER_WINDOWS_MAX / LEARNER_CHUNKS},
    [F_LOC] = {-LEARNER_LOC_MAX, LEARNER_LOC_MAX},
    [F_STEEPNESS] = {LEARNER_STEEPNESS_MIN, LEARNER_STEEPNESS_MAX},
};

static const struct range FEATURE[ROW] = {
    {-LEARNER_VALUE_MAX, LEARNER_VALUE_MAX},
    {-LEARNER_VALUE_MAX, LEARNER_VALUE_MAX},
    {0, VARIANCE_MAX},
    {-8 * 256, VARIANCE_MAX},
    {-INT32_MAX, INT32_MAX},
};

/* --- CBOR, of which a learner-image needs integers and arrays */

struct writer {
    uint8_t *out;
    size_t size;
    size_t n; /* may go beyond the size: then nothing is written any more */
};

static void put(struct writer *w, uint32_t byte) {
    if (w->n < w->size) {
        w->out[w->n] = (uint8_t)byte;
    }
    w->n++;
}

static void put_head(struct writer *w, uint32_t major, uint32_t value) {
    uint32_t bytes = value < 24 ? 0 : value <= UINT8_MAX ? 1 : value <= UINT16_MAX ? 2 : 4;
    const uint32_t code = bytes == 0 ? value : bytes == 4 ? 26 : 23 + bytes;
    put(w, major << 5 | code);
    while (bytes-- > 0) {
        put(w, value >> 8 * bytes);
    }
}

static void put_integer(struct writer *w, int32_t value) {
    const bool negative = value < 0;
    put_head(w, negative ? NEGATIVE : 0, (uint32_t)(negative ? -1 - value : value));
}

/* A number within a range. */
static int32_t get(struct cbor *c, const struct range *range) {
    const int32_t found = cbor_int(c);
    c->bad = c->bad || found < range->low || found > range->high;
    return found;
}

/* --- the whole */

static void put_array(struct writer *w, const int32_t *values, uint32_t n) {
    while (n-- > 0) {
        put_integer(w, *values++);
    }
}

size_t learner_save(const struct learner *l, uint8_t *out, size_t size) {
    int32_t head[F_ROWS] = {VERSION};
    int32_t row[ROW];
    struct writer w = {.size = size};
    w.out = out;
    if (l->head.state < LEARNER_WATCHING) {
        return 0;
    }
    memcpy(head + 1, &l->head.known, sizeof l->head.known);
    put_head(&w, ARRAY, FIELDS);
    put_array(&w, head, F_ROWS);
    put_head(&w, ARRAY, l->head.features);
    const struct learner_feature *f = l->room.features;
    for (const struct learner_feature *end = f + l->head.features; f < end; f++) {
        memcpy(row, &f->base, sizeof f->base);
        row[ROW - 1] = f->mean - learner_middle(f);
        put_head(&w, ARRAY, ROW);
        put_array(&w, row, ROW);
    }
    return w.n <= size ? w.n : 0;
}

/* One feature; `average` takes how far the mean has followed, since what was averaged is of no use any more. */
static void get_feature(struct cbor *c, struct learner_feature *out) {
    int32_t value[ROW];
    (void)cbor_array(c, ROW, ROW);
    for (uint32_t i = 0; i < ROW; i++) {
        value[i] = get(c, &FEATURE[i]);
    }
    memcpy(&out->base, value, sizeof out->base);
    out->average = value[ROW - 1];
    const int64_t mean = (int64_t)128 * (value[0] + value[1]) + value[4];
    const int64_t farthest = (int64_t)256 * LEARNER_VALUE_MAX;
    c->bad = c->bad || value[0] > value[1] || mean > farthest || mean < -farthest;
}

/* Reads all of a learner-image, and says whether it can be taken; then `r` stands before its features. */
static enum learner_reply open_state(const struct learner *l, struct cbor *c, int32_t *head) {
    struct learner_feature feature;
    (void)cbor_array(c, FIELDS, FIELDS);
    for (uint32_t i = 0; i < F_ROWS; i++) {
        head[i] = get(c, &HEAD[i]);
    }
    head[F_ROWS] = (int32_t)cbor_array(c, 1, LEARNER_FEATURES_MAX);
    struct cbor ahead = *c;
    for (int32_t j = 0; j < head[F_ROWS] && !ahead.bad; j++) {
        get_feature(&ahead, &feature);
    }
    if (ahead.bad || ahead.next != ahead.end) {
        return LEARNER_DAMAGED;
    }
    const bool fits =
        memcmp(head + F_SET, &l->head.known, SETTINGS * sizeof *head) == 0 && head[F_ROWS] == l->head.features;
    return fits ? LEARNER_OK : LEARNER_MISFIT;
}

enum learner_reply learner_load(struct learner *l, const uint8_t *in, size_t n) {
    struct cbor c = {in, in + n, false};
    int32_t head[FIELDS];
    const enum learner_reply reply = open_state(l, &c, head);
    if (reply != LEARNER_OK) {
        return reply;
    }
    struct learner_head *h = &l->head;
    learner_keep(l);
    memcpy(&h->known, head + F_SET, sizeof h->known);
    struct learner_feature *f = l->room.features;
    const struct learner_feature *end = f + h->features;
    for (; f < end; f++) {
        get_feature(&c, f);
    }
    learner_stand(l);
    for (f = l->room.features; f < end; f++) {
        f->mean += f->average;
        h->drift += learner_term(f, f->average);
    }
    h->averaging = false;
    return LEARNER_OK;
}

/* --- what two nodes know, together */

/* The mean of two values that are not negative, each weighted with the windows behind it. */
static int32_t pooled(int32_t a, int32_t a_windows, int32_t b, int32_t b_windows) {
    const uint64_t sum = (uint64_t)a * (uint32_t)a_windows + (uint64_t)b * (uint32_t)b_windows;
    return (int32_t)fixed_divide(sum, (uint32_t)(a_windows + b_windows));
}

static int32_t smallest(int32_t a, int32_t b) {
    return a < b ? a : b;
}

static int32_t largest(int32_t a, int32_t b) {
    return a > b ? a : b;
}

enum learner_reply learner_merge(struct learner *l, const uint8_t *in, size_t n) {
    struct cbor c = {in, in + n, false};
    int32_t head[FIELDS];
    if (l->head.state < LEARNER_WATCHING) {
        return LEARNER_NOT_NOW;
    }
    const enum learner_reply reply = open_state(l, &c, head);
    if (reply != LEARNER_OK) {
        return reply;
    }
    learner_keep(l);
    for (uint8_t j = 0; j < l->head.features; j++) {
        struct learner_base *base = &l->room.features[j].base;
        struct learner_feature other;
        get_feature(&c, &other);
        base->low = smallest(base->low, other.base.low);
        base->high = largest(base->high, other.base.high);
        base->within = largest(base->within, other.base.within);
        base->between = largest(base->between, other.base.between);
    }
    struct learner_known *k = &l->head.known;
    const int32_t windows = head[F_LEARNED];
    k->loc = pooled(k->loc + LEARNER_LOC_MAX, k->learned, head[F_LOC] + LEARNER_LOC_MAX, windows) - LEARNER_LOC_MAX;
    k->steepness = pooled(k->steepness, k->learned, head[F_STEEPNESS], windows);
    k->chunk = smallest(k->chunk, head[F_CHUNK]);
    k->learned = smallest(k->learned + windows, LEARNER_LEARNED_MAX);
    learner_stand(l);
    return LEARNER_OK;
}

/* --- the base to roll back to */

static int8_t *kept(struct learner *l, uint8_t feature) {
    return &l->room.bytes[l->head.features * sizeof(struct learner_feature) + feature * sizeof(struct learner_base)];
}

void learner_keep(struct learner *l) {
    if (l->head.state < LEARNER_WATCHING) {
        return;
    }
    l->head.kept = l->head.known;
    for (uint8_t j = 0; j < l->head.features; j++) {
        memcpy(kept(l, j), &l->room.features[j].base, sizeof(struct learner_base));
    }
}

enum learner_reply learner_rollback(struct learner *l) {
    struct learner_head *h = &l->head;
    if (h->kept.learned == 0) {
        return LEARNER_NOT_NOW;
    }
    h->known = h->kept;
    h->kept.learned = 0;
    h->averaging = false;
    for (uint8_t j = 0; j < h->features; j++) {
        memcpy(&l->room.features[j].base, kept(l, j), sizeof(struct learner_base));
    }
    learner_stand(l);
    return LEARNER_OK;
}
