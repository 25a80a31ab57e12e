/* Learns on the node what is normal at its place, and says how far a window is from it: nodes/wire/SPEC.md, "Learner".
 *
 * All state is in struct learner, the caller's; it may be copied and kept as a whole. No floats, no heap. */
#ifndef STETHOS_LEARNER_H
#define STETHOS_LEARNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "feature_set.h"

#ifndef LEARNER_BYTES
#define LEARNER_BYTES 4096 /* a board may do with less: fewer windows are kept while it learns */
#endif

enum {
    LEARNER_FEATURES_MAX = FEATURES_MAX,
    LEARNER_WINDOWS_MAX = 240,
    LEARNER_IMAGE_MAX = 1152, /* what learner_save needs for 48 features at most */
};

enum learner_state { LEARNER_EMPTY, LEARNER_LEARNING, LEARNER_WATCHING, LEARNER_FROZEN };

enum learner_reply {
    LEARNER_OK,
    LEARNER_MORE,      /* learned, and it needs more windows */
    LEARNER_DONE,      /* learned, and it watches from now on */
    LEARNER_ANOMALOUS, /* not learned: it looks anomalous */
    LEARNER_NOT_NOW,   /* not in this state */
    LEARNER_MISFIT,    /* of another feature set, or more than fits */
    LEARNER_DAMAGED,   /* no learner-image of nodes/wire/wire.cddl */
};

struct learner_setup {
    uint8_t feature_set;
    uint8_t channels;
    uint8_t average;     /* windows that are averaged before they are judged, 1 to 5; 0: 1 */
    uint16_t windows;    /* to learn from, 24 or more; 0, or more than fit: as many as fit */
    uint32_t events_ppb; /* wanted false alarms in 10^9 windows: the sensitivity; 0: one in 5,000 windows */
};

/* The inside of a learner is for learner*.c only. */
struct learner_known { /* beside the features; as a learner-image has it, in this order */
    int32_t feature_set;
    int32_t channels;
    int32_t average;
    int32_t frozen;
    int32_t events_ppb;
    int32_t learned;
    int32_t chunk;
    int32_t loc;
    int32_t steepness;
};

struct learner_base { /* of one feature; likewise */
    int32_t low;
    int32_t high;
    int32_t within;
    int32_t between;
};

struct learner_feature {
    union {
        struct learner_base base;
        struct {
            int32_t origin;
            int32_t sum;
            uint32_t squares;
            uint32_t among;
        }; /* while it learns */
    };
    int32_t mean;
    int32_t average;
    uint16_t mantissa;
    uint16_t gain;
    uint8_t shift;
    uint8_t kind;
    uint8_t exponent;
};

struct learner_head {
    uint8_t state; /* LEARNER_FROZEN is WATCHING, and known.frozen */
    uint8_t features;
    uint8_t windows;
    uint8_t rows;    /* learned so far */
    uint8_t history; /* of the last five windows: anomalous */
    uint8_t jumps;   /* of the last five windows: a level had jumped; while it learns: how often it has begun anew */
    uint8_t quiet;   /* windows in a row that were not anomalous; while it learns: that were refused */
    uint8_t least_similarity;
    bool averaging;
    bool latched;
    bool moved;
    bool drifted;
    struct learner_known known;
    struct learner_known kept; /* to roll back to; learned == 0: nothing */
    uint32_t refused;
    uint32_t followed;
    uint32_t threshold;
    uint32_t drift;
    int32_t hazard;
    int32_t limit_log;
};

struct learner {
    struct learner_head head;
    union {
        struct learner_feature features[LEARNER_FEATURES_MAX];
        int8_t bytes[LEARNER_BYTES - sizeof(struct learner_head)]; /* features, bases kept, windows to learn from */
    } room;
};

struct learner_verdict {
    uint32_t error;
    uint32_t threshold;
    uint8_t similarity; /* 100: as learned; below 50: anomalous; learner_rate_ppb says what it promises */
    uint8_t score;      /* SPEC, "Score" */
    uint8_t leading;    /* the feature farthest from normal */
    bool anomalous;     /* this window */
    bool latched;       /* 3 of the last 5 were anomalous, and there have not been 10 quiet ones since */
    bool moved;         /* a level has jumped: the sensor lies otherwise than when it learned; set 2 cannot tell */
    bool drifted;       /* what is usual now is half-way to what was anomalous when it learned */
};

struct learner_diagnosis {
    enum learner_state state;
    uint16_t learned; /* windows it stands on; while it learns: so far */
    uint16_t wanted;
    uint32_t refused;
    uint32_t followed;
    uint32_t events_ppb;
    uint16_t drift_q8; /* way from the frozen base to the threshold; 256: there, 181: it counts as drifted */
    uint8_t least_similarity;
};

/* Begins to learn. MISFIT if the set is not computed here, or the windows do not fit; the learner is EMPTY then. */
enum learner_reply learner_init(struct learner *l, const struct learner_setup *setup);

/* Begins to learn anew, from `windows` windows (0: as many as before); what it knew is kept for learner_rollback. */
enum learner_reply learner_relearn(struct learner *l, uint16_t windows);

/* features: of one window without a sensor fault. MORE, DONE or ANOMALOUS; NOT_NOW unless it learns. Where the machine
 * only starts while it learns, or what is refused lasts, it takes more windows than wanted: see SPEC. */
enum learner_reply learner_learn(struct learner *l, const int32_t *features);

/* Judges one window. NOT_NOW, and no verdict, unless it watches or is frozen. */
enum learner_reply learner_detect(struct learner *l, const int32_t *features, struct learner_verdict *out);

/* Another rate of false alarms; 0: one in 5,000 windows. */
enum learner_reply learner_sensitivity(struct learner *l, uint32_t events_ppb);

/* How often in 10^9 normal windows three of five have this similarity or less. */
uint32_t learner_rate_ppb(const struct learner *l, uint8_t similarity);

/* A learner-image of wire.cddl: its size, 0 if there is nothing to save or no room. */
size_t learner_save(const struct learner *l, uint8_t *out, size_t size);

/* Takes the place of what it knew. Of the same feature set, channels and average, else MISFIT. On DAMAGED and MISFIT
 * nothing has changed. */
enum learner_reply learner_load(struct learner *l, const uint8_t *in, size_t n);

/* As load, but adds another node's: what is normal for either is normal then. */
enum learner_reply learner_merge(struct learner *l, const uint8_t *in, size_t n);

/* The base as it was before the last relearn, load or merge; NOT_NOW if none is kept. */
enum learner_reply learner_rollback(struct learner *l);

/* Frozen, it judges and does not follow. */
void learner_freeze(struct learner *l, bool frozen);

/* Someone has seen the alarm: unlatched; after "moved" it learns anew. */
void learner_acknowledge(struct learner *l);

void learner_diagnose(const struct learner *l, struct learner_diagnosis *out);

#endif
