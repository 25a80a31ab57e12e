/* One verdict on a window, whoever there is to judge it: the model, the learner, the limits of a slow sensor. */
#ifndef STETHOS_JUDGE_H
#define STETHOS_JUDGE_H

#include "learner.h"
#include "model.h"
#include "slow.h"

/* slow_judge, by a pointer: a firmware without slow sensors does not contain it. */
typedef enum slow_why slow_judgement(struct slow *s, const struct slow_limits *limits, const int16_t *samples,
                                     uint16_t n, uint8_t channels, int16_t minute_of_day,
                                     const struct learner_verdict *collective, uint8_t *score);

struct judge {
    const struct model *model; /* each of these may be NULL */
    struct learner *learner;
    struct slow *slow; /* the feature set is FEATURE_SET_SLOW then */
    slow_judgement *judge_slow;
    const struct slow_limits *limits;
};

/* A window, without a sensor fault. */
struct look {
    const int32_t *features;
    const int16_t *samples; /* [samples_n][channels] */
    uint16_t samples_n;
    uint8_t channels;
    int16_t minute_of_day; /* UTC; -1: unknown */
};

struct judgement {
    uint8_t score; /* SPEC, "Score": the highest of all; above SCORE_THRESHOLD while it is anomalous */
    uint8_t why;   /* SPEC, "Why": of the highest; 0 unless anomalous */
    bool anomalous;
    bool judged;        /* somebody has looked */
    bool moved;         /* the learner says so of what the sensor lies on */
    bool drifted;       /* and of what has become usual */
    bool taught;        /* the learner has learned from it */
    bool hindered;      /* it would have, but for what somebody else finds anomalous */
    bool learned;       /* and with it enough */
    uint8_t similarity; /* what the learner says */
};

/* Judges, and lets the learner learn what nobody else finds anomalous. */
void judge_window(const struct judge *judge, const struct look *look, struct judgement *out);

#endif
