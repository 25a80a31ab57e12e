#include "learner_internal.h"

enum {
    NOBODY = LEARNER_CHUNKS,
    LEVEL_GAIN = 1024,
    GAIN_ROOT_MAX = 8192,
    HISTORY = 5,
};

static int32_t largest(int32_t a, int32_t b) {
    return a > b ? a : b;
}

/* log2(2^a + 2^b), all in Q8. */
static int32_t log_sum(int32_t a, int32_t b) {
    const int32_t apart = (a > b ? a - b : b - a) * 16;
    const uint64_t sum = 65536 + fixed_exp2(16 * FIXED_ONE - apart);
    return largest(a, b) + ((fixed_log2(sum) - 16 * FIXED_ONE) >> 4);
}

void learner_derive(struct learner_feature *f, uint32_t learned, uint32_t unit) {
    const bool level = f->kind == FEATURE_LEVEL;
    const int32_t reach = 2 * (fixed_log2((uint32_t)(f->base.high - f->base.low)) - FIXED_ONE) >> 4;
    const int32_t wide = log_sum(f->base.within, log_sum(f->base.between, reach) + 2 * 256);
    const int32_t narrowest = (level ? LEARNER_NARROWEST_LEVEL : LEARNER_NARROWEST) - 512 * (int32_t)unit;
    const int32_t spread = 8 * largest(wide, narrowest); /* log2, Q12 */
    f->shift = (uint8_t)(spread >> 12);
    f->mantissa = (uint16_t)fixed_exp2(15 * FIXED_ONE - (spread & (FIXED_ONE - 1)));
    const int32_t ratio = f->base.between - f->base.within - (fixed_log2(50 * learned) >> 4);
    const uint64_t wanted = fixed_exp2(16 * FIXED_ONE + 8 * ratio);
    const uint32_t root = wanted > GAIN_ROOT_MAX ? GAIN_ROOT_MAX : (uint32_t)wanted;
    f->gain = level ? LEVEL_GAIN : (uint16_t)((root << 16) / (65536 + root));
}

/* Mean, W and B of a feature, in its steps, from all chunks but one. */
static void fit_feature(struct learner *l, uint8_t feature, uint32_t left_out) {
    struct learner_feature *f = &l->room.features[feature];
    const uint32_t n = l->head.windows / LEARNER_CHUNKS;
    const uint32_t chunks = left_out == NOBODY ? LEARNER_CHUNKS : LEARNER_CHUNKS - 1;
    uint32_t inside = 0;
    uint32_t among = 0;
    int32_t total = 0;
    const int8_t *row = learner_rows(l) + feature;
    for (uint32_t k = 0; k < LEARNER_CHUNKS; k++) {
        int32_t sum = 0;
        int32_t squares = 0;
        for (uint32_t i = 0; i < n; i++, row += l->head.features) {
            sum += *row;
            squares += *row * *row;
        }
        if (k != left_out) {
            total += sum;
            among += (uint32_t)(sum * sum);
            inside += n * (uint32_t)squares - (uint32_t)(sum * sum);
        }
    }
    among = chunks * among - (uint32_t)(total * total);
    const int32_t within = (fixed_log2(inside) - fixed_log2(n * (n - 1) * chunks)) >> 4;
    const int32_t between = (fixed_log2(among) - fixed_log2(n * n * chunks * (chunks - 1))) >> 4;
    f->base.within = largest(within, 0); /* a step at least */
    f->base.between = largest(between, -8 * 256);
    f->base.high = f->base.low;
    f->mean = 256 * total / (int32_t)(n * chunks);
    learner_derive(f, l->head.windows, f->exponent);
}

static void fit(struct learner *l, uint32_t left_out) {
    for (uint8_t j = 0; j < l->head.features; j++) {
        fit_feature(l, j, left_out);
    }
}

static uint32_t row_error(const struct learner *l, const int8_t *row) {
    uint32_t error = 0;
    const struct learner_feature *f = l->room.features;
    for (const struct learner_feature *end = f + l->head.features; f < end; f++) {
        error += learner_term(f, *row++ * 256 - f->mean);
    }
    return error;
}

/* The largest that three of the last five errors reach. */
static uint32_t reached(const uint32_t *last) {
    uint32_t found = 0;
    for (uint32_t i = 0; i < HISTORY; i++) {
        uint32_t as_large = 0;
        for (uint32_t k = 0; k < HISTORY; k++) {
            as_large += last[k] >= last[i];
        }
        found = as_large >= 3 && last[i] > found ? last[i] : found;
    }
    return found;
}

/* log2 of the largest error that three of five windows of a chunk reach, judged by the other chunks. */
static int32_t worst_of(struct learner *l, uint32_t chunk) {
    const uint32_t n = l->head.windows / LEARNER_CHUNKS;
    const int8_t *row = learner_rows(l) + chunk * n * l->head.features;
    uint32_t last[HISTORY] = {0};
    uint32_t worst = 1;
    fit(l, chunk);
    for (uint32_t i = 0; i < n; i++, row += l->head.features) {
        last[i % HISTORY] = row_error(l, row);
        const uint32_t third = reached(last);
        worst = third > worst ? third : worst;
    }
    return fixed_log2(worst);
}

/* Where the law of the worst errors lies, and how wide it is: a Gumbel law by its moments. */
static void find_limit(struct learner *l) {
    int32_t worst[LEARNER_CHUNKS];
    int32_t sum = 0;
    for (uint32_t k = 0; k < LEARNER_CHUNKS; k++) {
        worst[k] = worst_of(l, k);
        sum += worst[k];
    }
    const int32_t mean = sum / LEARNER_CHUNKS;
    uint32_t squares = 0;
    for (uint32_t k = 0; k < LEARNER_CHUNKS; k++) {
        const int32_t away = (worst[k] - mean) >> 3;
        squares += (uint32_t)(away * away);
    }
    const uint32_t deviation = 8 * fixed_root(squares / (LEARNER_CHUNKS - 1));
    uint32_t steepness = deviation * 3194 >> 12; /* sqrt(6) / pi */
    steepness = steepness < LEARNER_STEEPNESS_MIN ? LEARNER_STEEPNESS_MIN : steepness;
    steepness = steepness > LEARNER_STEEPNESS_MAX ? LEARNER_STEEPNESS_MAX : steepness;
    struct learner_known *known = &l->head.known;
    known->loc = mean - (int32_t)(steepness * 2364 >> 12); /* Euler's constant */
    known->steepness = (int32_t)steepness;
    known->learned = l->head.windows;
    known->chunk = l->head.windows / LEARNER_CHUNKS;
}

void learner_finish(struct learner *l) {
    find_limit(l);
    fit(l, NOBODY);
    struct learner_feature *f = l->room.features;
    for (const struct learner_feature *end = f + l->head.features; f < end; f++) {
        const int32_t mean = f->exponent >= 8 ? f->mean * (1 << (f->exponent - 8)) : f->mean >> (8 - f->exponent);
        f->base.low = f->base.high = f->origin + mean;
        f->base.within += 512 * f->exponent;
        f->base.between += 512 * f->exponent;
    }
    learner_stand(l);
}

void learner_stand(struct learner *l) {
    struct learner_feature *f = l->room.features;
    for (const struct learner_feature *end = f + l->head.features; f < end; f++) {
        learner_derive(f, (uint32_t)l->head.known.learned, 0);
        f->mean = learner_middle(f);
    }
    l->head.state = LEARNER_WATCHING;
    l->head.drift = 0;
    learner_calm(l);
    learner_threshold(l);
}

void learner_threshold(struct learner *l) {
    struct learner_head *h = &l->head;
    const uint64_t events = (uint64_t)h->known.events_ppb * (uint32_t)h->known.chunk;
    const uint32_t x = events > LEARNER_BILLION / 2 ? LEARNER_BILLION / 2 : (uint32_t)events;
    h->hazard = fixed_log2(x) - fixed_log2(UINT32_C(2) * LEARNER_BILLION - x) + FIXED_ONE;
    const int32_t steepness = h->known.steepness * 3011 >> 12; /* sqrt(1 + 1/8) ln 2 */
    h->limit_log = h->known.loc - (steepness * h->hazard >> 12);
    const uint64_t threshold = fixed_exp2(h->limit_log);
    h->threshold = threshold > UINT32_MAX ? UINT32_MAX : (uint32_t)threshold;
}

enum learner_reply learner_sensitivity(struct learner *l, uint32_t events_ppb) {
    if (l->head.state == LEARNER_EMPTY) {
        return LEARNER_NOT_NOW;
    }
    events_ppb = events_ppb == 0 ? LEARNER_EVENTS : events_ppb;
    l->head.known.events_ppb = (int32_t)(events_ppb > LEARNER_BILLION ? LEARNER_BILLION : events_ppb);
    if (l->head.state >= LEARNER_WATCHING) {
        learner_threshold(l);
    }
    return LEARNER_OK;
}

uint32_t learner_rate_ppb(const struct learner *l, uint8_t similarity) {
    const struct learner_head *h = &l->head;
    if (h->state < LEARNER_WATCHING) {
        return 0;
    }
    const int32_t hazard = (100 - (similarity > 100 ? 100 : similarity)) * h->hazard / 50;
    const uint64_t chance = fixed_exp2(30 * FIXED_ONE + hazard);
    const int32_t rate = fixed_log2(chance) + FIXED_ONE + fixed_log2(LEARNER_BILLION) -
                         fixed_log2((UINT64_C(1) << 31) + chance) - fixed_log2((uint32_t)h->known.chunk);
    return (uint32_t)fixed_exp2(rate);
}
