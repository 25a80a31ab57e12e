#include "slow.h"

#include "score.h"

enum {
    AROUND = 5, /* readings of which a point is compared with the median */
    WINDOWS_FIRST = 16,
    WINDOWS_MAX = 32,
    VISITS_MAX = 4096,
    DAYS_FIRST = 3,
    DAYS_MAX = 16,
    BIN_MINUTES = 180,
    POINT_TIMES = 6,
    POINT_LEAST = 8,
    CONTEXT_TIMES = 3,
    CONTEXT_LEAST = 16,
};

/* One channel of a window. */
struct course {
    const int16_t *samples;
    uint32_t n;
    uint32_t channels;
};

/* What speaks for a reason; the odder of two channels counts. */
struct finding {
    enum slow_why why;
    uint8_t score;
};

static int32_t reading(const struct course *x, uint32_t i) {
    return x->samples[i * x->channels];
}

static int32_t smallest(int32_t a, int32_t b) {
    return a < b ? a : b;
}

static int32_t size(int32_t x) {
    return x < 0 ? -x : x;
}

static void find(struct finding *f, enum slow_why why, int32_t found, int32_t bound) {
    const uint8_t score = score_encode((uint32_t)found, (uint32_t)bound);
    if (score > f->score) {
        *f = (struct finding){why, score};
    }
}

static void judge_limits(const struct slow_limits *limits, uint32_t channel, const struct course *x,
                         struct finding *f) {
    int32_t low = INT16_MAX;
    int32_t high = INT16_MIN;
    for (uint32_t i = 0; i < x->n; i++) {
        const int32_t value = reading(x, i);
        low = value < low ? value : low;
        high = value > high ? value : high;
    }
    const uint32_t set = limits->set >> 2 * channel;
    if ((set & 2) != 0 && high > limits->high[channel]) {
        find(f, SLOW_ABOVE, high - limits->high[channel] + 1, 1);
    } else if ((set & 1) != 0 && low < limits->low[channel]) {
        find(f, SLOW_BELOW, limits->low[channel] - low + 1, 1);
    }
}

/* The third of the five readings from `first` on. */
static int32_t median(const struct course *x, uint32_t first) {
    int32_t sorted[AROUND] = {0};
    for (uint32_t i = 0; i < AROUND; i++) {
        const int32_t value = reading(x, first + i);
        uint32_t at = i;
        for (; at > 0 && sorted[at - 1] > value; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = value;
    }
    return sorted[AROUND / 2];
}

/* The farthest that a reading is from the median around it. */
static int32_t residual(const struct course *x) {
    int32_t most = 0;
    for (uint32_t i = 0; i < x->n && x->n >= AROUND; i++) {
        const uint32_t last = x->n - AROUND;
        const uint32_t first = i < AROUND / 2 ? 0 : i - AROUND / 2 > last ? last : i - AROUND / 2;
        const int32_t away = size(reading(x, i) - median(x, first));
        most = away > most ? away : most;
    }
    return most;
}

static void judge_point(const struct slow *s, struct slow_channel *c, const struct course *x, struct finding *f) {
    const int32_t found = residual(x);
    const int32_t bound = POINT_TIMES * c->residual / 16 + POINT_LEAST;
    if (s->windows >= WINDOWS_FIRST && found > bound) {
        find(f, SLOW_POINT, found, bound);
    }
    const int32_t n = smallest(s->windows + 1, WINDOWS_MAX);
    c->residual += (16 * smallest(found, 2 * bound) - c->residual) / n;
}

/* How far a level may be from the mean of its bin: by this bin's days, but not less than all bins make usual. */
static int32_t context_bound(const struct slow_channel *c, const struct slow_bin *bin) {
    int32_t sum = 0;
    int32_t known = 0;
    for (const struct slow_bin *b = c->bins; b < c->bins + SLOW_BINS; b++) {
        if (b->days >= 2) {
            sum += b->spread;
            known++;
        }
    }
    const int32_t usual = known == 0 ? 0 : sum / known;
    return CONTEXT_TIMES * (bin->spread > usual ? bin->spread : usual) + CONTEXT_LEAST;
}

/* The floor of the mean of the last quarter. */
static int32_t level(const struct course *x) {
    const int32_t n = x->n < 4 ? 1 : (int32_t)x->n / 4;
    int32_t sum = 0;
    for (uint32_t i = x->n - (uint32_t)n; i < x->n; i++) {
        sum += reading(x, i);
    }
    return sum / n - (sum % n < 0);
}

static void judge_context(const struct slow *s, struct slow_channel *c, const struct course *x, struct finding *f) {
    const struct slow_bin *bin = &c->bins[s->bin - 1];
    const int32_t found = level(x);
    if (s->visits < VISITS_MAX) {
        c->total += found;
    }
    if (bin->days == 0) {
        return;
    }
    const int32_t away = size(found - bin->mean);
    const int32_t bound = context_bound(c, bin);
    if (bin->days >= DAYS_FIRST && away > bound) {
        find(f, SLOW_CONTEXT, away, bound);
    }
    const int32_t learned = smallest(away, 2 * bound);
    c->farthest = learned > c->farthest ? (uint16_t)learned : c->farthest;
}

/* What a bin has been like today goes into what it is like; an odd day does so within bounds. */
static void leave_bin(struct slow *s, struct slow_channel *c) {
    struct slow_bin *bin = &c->bins[s->bin - 1];
    const int32_t n = s->visits;
    const int32_t mean = c->total / n - (c->total % n < 0);
    if (bin->days < DAYS_MAX) {
        bin->days++;
    }
    if (bin->days == 1) {
        bin->mean = (int16_t)mean;
        return;
    }
    const int32_t bound = 2 * context_bound(c, bin);
    int32_t apart = mean - bin->mean;
    apart = apart > bound ? bound : apart < -bound ? -bound : apart;
    bin->mean = (int16_t)(bin->mean + apart / bin->days);
    bin->spread = (uint16_t)(bin->spread + ((int32_t)c->farthest - bin->spread) / (bin->days - 1));
}

static void enter_bin(struct slow *s, uint8_t channels, uint8_t bin) {
    for (struct slow_channel *c = s->channels; c < s->channels + channels; c++) {
        if (s->visits > 0) {
            leave_bin(s, c);
        }
        c->total = 0;
        c->farthest = 0;
    }
    s->visits = 0;
    s->bin = bin;
}

enum slow_why slow_judge(struct slow *s, const struct slow_limits *limits, const int16_t *samples, uint16_t n,
                         uint8_t channels, int16_t minute_of_day, const struct learner_verdict *collective,
                         uint8_t *score) {
    struct finding found[4] = {{SLOW_QUIET, 0}};
    const uint8_t bin = minute_of_day < 0 ? 0 : (uint8_t)(minute_of_day / BIN_MINUTES % SLOW_BINS + 1);
    if (bin != 0 && bin != s->bin) {
        enter_bin(s, channels, bin);
    }
    for (uint32_t i = 0; i < channels; i++) {
        const struct course x = {samples + i, n, channels};
        struct slow_channel *c = &s->channels[i];
        if (limits != NULL) {
            judge_limits(limits, i, &x, &found[0]);
        }
        judge_point(s, c, &x, &found[1]);
        if (bin != 0) {
            judge_context(s, c, &x, &found[2]);
        }
    }
    s->windows = (uint8_t)smallest(s->windows + 1, WINDOWS_MAX);
    s->visits = (uint16_t)(s->visits + (bin != 0 && s->visits < VISITS_MAX));
    if (collective != NULL && collective->latched) {
        found[3] = (struct finding){SLOW_COLLECTIVE,
                                    collective->score < SCORE_THRESHOLD ? SCORE_THRESHOLD : collective->score};
    }
    uint32_t first = 0;
    while (first < 3 && found[first].why == SLOW_QUIET) {
        first++;
    }
    *score = found[first].score;
    return found[first].why;
}
