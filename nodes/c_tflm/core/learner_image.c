#include "cbor.h"
#include "codec.h"
#include "learner_internal.h"

enum {
    VERSION = 1,
    ELEMENTS = 11, /* VERSION, what struct learner_known has, the features */
    KNOWN = sizeof(struct learner_known) / sizeof(int32_t),
    ROW = 5,
    SETTINGS = 3 * sizeof(int32_t), /* bytes of set, channels and average, with which it begins */
    HEAD_MAX = 5,
    FARTHEST = 256 * LEARNER_VALUE_MAX,
    VARIANCE_MAX = 12288,
};

_Static_assert(ELEMENTS == KNOWN + 2 && ROW - 1 == sizeof(struct learner_base) / sizeof(int32_t),
               "both structs are numbers in the order of an image");

/* --- writing: integers and arrays */

struct writer {
    uint8_t *out;
    size_t size;
    size_t n; /* may go beyond the size: then nothing is written any more */
};

static void put(struct writer *w, uint8_t major, uint32_t value) {
    uint8_t head[HEAD_MAX];
    const size_t n = codec_head(head, major, value);
    if (w->n + n <= w->size) {
        memcpy(w->out + w->n, head, n);
    }
    w->n += n;
}

static void put_integers(struct writer *w, const int32_t *values, uint32_t n) {
    for (; n > 0; n--, values++) {
        const bool negative = *values < 0;
        put(w, negative ? CODEC_NEGATIVE : CODEC_UINT, (uint32_t)(negative ? ~*values : *values));
    }
}

size_t learner_save(const struct learner *l, uint8_t *out, size_t size) {
    struct writer w = {.size = size};
    w.out = out;
    if (l->head.state < LEARNER_WATCHING) {
        return 0;
    }
    put(&w, CODEC_LIST, ELEMENTS);
    put(&w, CODEC_UINT, VERSION);
    put_integers(&w, (const int32_t *)&l->head.known, KNOWN);
    put(&w, CODEC_LIST, l->head.features);
    const struct learner_feature *f = l->room.features;
    for (const struct learner_feature *end = f + l->head.features; f < end; f++) {
        const int32_t followed = f->mean - learner_middle(f);
        put(&w, CODEC_LIST, ROW);
        put_integers(&w, (const int32_t *)&f->base, ROW - 1);
        put_integers(&w, &followed, 1);
    }
    return w.n <= size ? w.n : 0;
}

/* --- reading */

struct range {
    int32_t low;
    int32_t high;
};

/* Of struct learner_known, in its order. */
static const struct range RANGES[KNOWN] = {
    {0, UINT8_MAX},
    {1, 9},
    {1, 5},
    {0, 1},
    {1, LEARNER_BILLION},
    {LEARNER_WINDOWS_MIN, LEARNER_LEARNED_MAX},
    {LEARNER_WINDOWS_MIN / LEARNER_CHUNKS, LEARNER_WINDOWS_MAX / LEARNER_CHUNKS},
    {-LEARNER_LOC_MAX, LEARNER_LOC_MAX},
    {LEARNER_STEEPNESS_MIN, LEARNER_STEEPNESS_MAX},
};

static int32_t get(struct cbor *c, int32_t low, int32_t high) {
    const int32_t found = cbor_int(c);
    c->bad = c->bad || found < low || found > high;
    return found;
}

static void get_known(struct cbor *c, struct learner_known *out) {
    int32_t *to = (int32_t *)out;
    for (const struct range *range = RANGES; range < RANGES + KNOWN; range++) {
        *to++ = get(c, range->low, range->high);
    }
}

/* One feature; `average` takes how far the mean has followed, since what was averaged is of no use any more. */
static void get_feature(struct cbor *c, struct learner_feature *out) {
    (void)cbor_array(c, ROW, ROW);
    out->base.low = get(c, -LEARNER_VALUE_MAX, LEARNER_VALUE_MAX);
    out->base.high = get(c, out->base.low, LEARNER_VALUE_MAX);
    out->base.within = get(c, 0, VARIANCE_MAX);
    out->base.between = get(c, -8 * 256, VARIANCE_MAX);
    const int32_t middle = c->bad ? 0 : learner_middle(out);
    out->average = get(c, -FARTHEST - middle, FARTHEST - middle);
}

/* What an image begins with; `c` is at the features then, of which there are as many as this learner has. Looks at all
 * of it first. */
static enum learner_reply open_image(const struct learner *l, struct cbor *c, struct learner_known *known) {
    struct learner_feature feature;
    (void)cbor_array(c, ELEMENTS, ELEMENTS);
    (void)cbor_uint(c, VERSION, VERSION);
    get_known(c, known);
    const uint32_t features = cbor_array(c, 1, LEARNER_FEATURES_MAX);
    struct cbor ahead = *c;
    for (uint32_t j = 0; j < features; j++) {
        get_feature(&ahead, &feature);
    }
    if (ahead.bad || ahead.next != ahead.end) {
        return LEARNER_DAMAGED;
    }
    const bool fits = memcmp(known, &l->head.known, SETTINGS) == 0 && features == l->head.features;
    return fits ? LEARNER_OK : LEARNER_MISFIT;
}

enum learner_reply learner_load(struct learner *l, const uint8_t *in, size_t n) {
    struct cbor c = {in, in + n, false};
    struct learner_head *h = &l->head;
    struct learner_known known;
    const enum learner_reply reply = open_image(l, &c, &known);
    if (reply != LEARNER_OK) {
        return reply;
    }
    learner_keep(l);
    h->known = known;
    h->averaging = false;
    struct learner_feature *f = l->room.features;
    const struct learner_feature *end = f + h->features;
    for (; f < end; f++) {
        get_feature(&c, f);
    }
    learner_stand(l);
    for (f = l->room.features; f < end; f++) {
        f->mean += f->average;
    }
    learner_measure_drift(l);
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
    struct learner_known others;
    if (l->head.state < LEARNER_WATCHING) {
        return LEARNER_NOT_NOW;
    }
    const enum learner_reply reply = open_image(l, &c, &others);
    if (reply != LEARNER_OK) {
        return reply;
    }
    learner_keep(l);
    struct learner_feature *f = l->room.features;
    for (const struct learner_feature *end = f + l->head.features; f < end; f++) {
        struct learner_feature other;
        get_feature(&c, &other);
        f->base.low = smallest(f->base.low, other.base.low);
        f->base.high = largest(f->base.high, other.base.high);
        f->base.within = largest(f->base.within, other.base.within);
        f->base.between = largest(f->base.between, other.base.between);
    }
    struct learner_known *k = &l->head.known;
    k->loc =
        pooled(k->loc + LEARNER_LOC_MAX, k->learned, others.loc + LEARNER_LOC_MAX, others.learned) - LEARNER_LOC_MAX;
    k->steepness = pooled(k->steepness, k->learned, others.steepness, others.learned);
    k->chunk = smallest(k->chunk, others.chunk);
    k->learned = smallest(k->learned + others.learned, LEARNER_LEARNED_MAX);
    learner_stand(l);
    return LEARNER_OK;
}

/* --- the base to roll back to */

/* Each feature's base lies there twice, the one kept behind all features. */
static void copy_bases(struct learner *l, bool back) {
    struct learner_feature *f = l->room.features;
    const struct learner_feature *end = f + l->head.features;
    int8_t *kept = &l->room.bytes[l->head.features * sizeof *f];
    for (; f < end; f++, kept += sizeof f->base) {
        if (back) {
            memcpy(&f->base, kept, sizeof f->base);
        } else {
            memcpy(kept, &f->base, sizeof f->base);
        }
    }
}

void learner_keep(struct learner *l) {
    if (l->head.state >= LEARNER_WATCHING) {
        l->head.kept = l->head.known;
        copy_bases(l, false);
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
    copy_bases(l, true);
    learner_stand(l);
    return LEARNER_OK;
}
