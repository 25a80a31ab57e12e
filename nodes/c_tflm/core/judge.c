#include "judge.h"

#include <string.h>

#include "score.h"

enum { WHY_ANOMALOUS = 1, WHY_FEATURE = 64 };

static void add(struct judgement *verdict, bool anomalous, uint8_t score, uint8_t why) {
    verdict->judged = true;
    if (anomalous && score <= SCORE_THRESHOLD) {
        score = SCORE_THRESHOLD + 1; /* an anomaly that stands outlasts a window that is not so bad */
    }
    if (anomalous && (!verdict->anomalous || score > verdict->score)) {
        verdict->why = why;
    }
    verdict->score = score > verdict->score ? score : verdict->score;
    verdict->anomalous |= anomalous;
}

static void ask_model(const struct judge *judge, const struct look *look, struct judgement *out) {
    struct model_score score;
    judge->model->score(judge->model, look->features, &score);
    add(out, score.anomalous, score.score, score.why != 0 ? score.why : WHY_ANOMALOUS);
}

/* True if there is a verdict. */
static bool ask_learner(const struct judge *judge, const struct look *look, struct learner_verdict *found,
                        struct judgement *out) {
    if (learner_detect(judge->learner, look->features, found) != LEARNER_OK) {
        return false;
    }
    out->similarity = found->similarity;
    out->moved = found->moved;
    out->drifted = found->drifted;
    return true;
}

static void ask_slow(const struct judge *judge, const struct look *look, const struct learner_verdict *found,
                     struct judgement *out) {
    uint8_t score = 0;
    const enum slow_why why = judge->judge_slow(judge->slow, judge->limits, look->samples, look->samples_n,
                                                look->channels, look->minute_of_day, found, &score);
    add(out, why != SLOW_QUIET, score, (uint8_t)why);
}

void judge_window(const struct judge *judge, const struct look *look, struct judgement *out) {
    struct learner_verdict found;
    memset(out, 0, sizeof *out);
    const bool watched = judge->learner != NULL && ask_learner(judge, look, &found, out);
    if (judge->model != NULL) {
        ask_model(judge, look, out);
    }
    if (judge->slow != NULL) {
        ask_slow(judge, look, watched ? &found : NULL, out);
    } else if (watched) {
        add(out, found.latched, found.score, (uint8_t)(WHY_FEATURE + found.leading));
    }
    out->hindered = judge->learner != NULL && !watched && out->anomalous;
    if (judge->learner != NULL && !watched && !out->anomalous) {
        const enum learner_reply reply = learner_learn(judge->learner, look->features);
        out->learned = reply == LEARNER_DONE;
        out->taught = out->learned || reply == LEARNER_MORE;
    }
}
