#include "learner_internal.h"

enum {
    NOBODY = LEARNER_CHUNKS,
    LEVEL_GAIN = 1024,
    GAIN_ROOT_MAX = 8192, /* 2^13 */
    HISTORY = 5,
};

static int32_t largest(int32_t a, int32_t b) {
    return a > b ? a : b;
}

int32_t learner_ratio(uint32_t a, uint32_t b) {
    return (fixed_log2(a) - fixed_log2(b)) >> 4;
}

/* log2(2^a + 2^b), all in Q8. */
static int32_t log_sum(int32_t a, int32_t b) {
    const int32_t apart = (a > b ? a - b : b - a) * 16;
    const uint64_t sum = 65536 + fixed_exp2(16 * FIXED_ONE - apart);
    return largest(a, b) + ((fixed_log2(sum) - 16 * FIXED_ONE) >> 4);
}

/* Spread and gain of a feature from its base. */
static void derive(struct learner_feature *f, const struct learner_base *base, uint32_t learned) {
    const bool level = f->kind == FEATURE_LEVEL;
    const int32_t reach = 2 * (fixed_log2((uint32_t)(base->high - base->low)) - FIXED_ONE) >> 4;
    const int32_t wide = log_sum(base->within, log_sum(base->between, reach) + 2 * 256);
    const int32_t spread = 8 * largest(wide, 256 * learner_narrowest(f)); /* log2, Q12 */
    f->shift = (uint8_t)(spread >> 12);
    f->mantissa = (uint16_t)fixed_exp2(15 * FIXED_ONE - (spread & (FIXED_ONE - 1)));
    const int32_t wanted = 16 * FIXED_ONE + 8 * (base->between - base->within - learner_ratio(50 * learned, 1));
    const uint32_t root = wanted >= 13 * FIXED_ONE ? GAIN_ROOT_MAX : (uint32_t)fixed_exp2(wanted);
    f->gain = level ? LEVEL_GAIN : (uint16_t)((root << 16) / (65536 + root));
}

struct sums {
    int32_t sum;
    uint32_t squares;
};

/* Of the steps of a feature in a chunk. */
static __attribute__((noinline)) struct sums add_up(struct learner *l, uint32_t feature, uint32_t chunk) {
    const uint32_t features = l->head.features;
    const uint32_t n = l->head.windows / LEARNER_CHUNKS;
    const int8_t *row = learner_rows(l) + chunk * n * features + feature;
    struct sums found = {0, 0};
    for (uint32_t i = n; i > 0; i--, row += features) {
        found.sum += *row;
        found.squares += (uint32_t)(*row * *row);
    }
    return found;
}

/* The base of a feature from all chunks but one; its mean and spread in steps, as its rows are judged by. */
static struct learner_base fit_feature(struct learner *l, uint32_t feature, uint32_t left_out) {
    struct learner_feature *f = &l->room.features[feature];
    const uint32_t n = l->head.windows / LEARNER_CHUNKS;
    const int32_t unit = 512 * f->exponent;
    struct sums out = {0, 0};
    uint32_t chunks = LEARNER_CHUNKS;
    if (left_out != NOBODY) {
        out = add_up(l, feature, left_out);
        chunks--;
    }
    const int32_t total = f->sum - out.sum;
    const uint32_t among = f->among - (uint32_t)(out.sum * out.sum);
    const uint32_t inside = n * (f->squares - out.squares) - among;
    const int32_t within = learner_ratio(inside, n * (n - 1) * chunks);
    const int32_t between = learner_ratio(chunks * among - (uint32_t)(total * total), n * n * chunks * (chunks - 1));
    f->mean = 256 * total / (int32_t)(n * chunks);
    const int32_t middle =
        f->origin + (f->exponent >= 8 ? f->mean * (1 << (f->exponent - 8)) : f->mean >> (8 - f->exponent));
    const struct learner_base base = {
        .low = middle,
        .high = middle,
        .within = largest(within, 0) + unit, /* a step at least */
        .between = largest(between, -8 * 256) + unit,
    };
    derive(f, &base, l->head.windows);
    f->shift = (uint8_t)(f->shift - f->exponent);
    return base;
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

/* How a chunk looks to the others. */
struct judged {
    uint32_t worst; /* the largest error, 1 at least, that three of five windows reach */
    uint32_t total; /* of all errors, in units of 32: 30 windows of 48 features stay within 32 bits */
};

static struct judged judge(struct learner *l, uint32_t chunk) {
    const uint32_t n = l->head.windows / LEARNER_CHUNKS;
    const int8_t *row = learner_rows(l) + chunk * n * l->head.features;
    uint32_t last[HISTORY] = {0};
    struct judged found = {1, 0};
    for (uint32_t j = 0; j < l->head.features; j++) {
        (void)fit_feature(l, j, chunk);
    }
    for (uint32_t i = 0; i < n; i++, row += l->head.features) {
        const uint32_t error = row_error(l, row);
        last[i % HISTORY] = error;
        found.total += error >> 5;
        const uint32_t third = reached(last);
        found.worst = third > found.worst ? third : found.worst;
    }
    return found;
}

/* Where the law of the worst errors lies, and how wide it is: a Gumbel law by its moments. */
static void find_limit(struct learner *l, const int32_t *worst, int32_t sum) {
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

/* What the chunks' sums say beside those that are kept while it learns. */
static void add_up_chunks(struct learner *l) {
    for (uint32_t j = 0; j < l->head.features; j++) {
        uint32_t among = 0;
        for (uint32_t k = 0; k < LEARNER_CHUNKS; k++) {
            const int32_t sum = add_up(l, j, k).sum;
            among += (uint32_t)(sum * sum);
        }
        l->room.features[j].among = among;
    }
}

bool learner_finish(struct learner *l) {
    int32_t worst[LEARNER_CHUNKS];
    int32_t sum = 0;
    uint32_t first = 0;
    uint32_t late = 0;
    add_up_chunks(l);
    for (uint32_t k = 0; k < LEARNER_CHUNKS; k++) {
        const struct judged found = judge(l, k);
        worst[k] = fixed_log2(found.worst);
        sum += worst[k];
        first = k == 0 ? found.total : first;
        late = k >= LEARNER_CHUNKS / 2 && found.total > late ? found.total : late;
    }
    if (first > 2 * late) {
        return false;
    }
    find_limit(l, worst, sum);
    for (uint32_t j = 0; j < l->head.features; j++) {
        l->room.features[j].base = fit_feature(l, j, NOBODY);
    }
    learner_stand(l);
    return true;
}

void learner_stand(struct learner *l) {
    struct learner_feature *f = l->room.features;
    for (const struct learner_feature *end = f + l->head.features; f < end; f++) {
        derive(f, &f->base, (uint32_t)l->head.known.learned);
        f->mean = learner_middle(f);
    }
    l->head.state = LEARNER_WATCHING;
    l->head.drift = 0;
    learner_calm(l);
    learner_threshold(l);
}

void learner_threshold(struct learner *l) {
    struct learner_head *h = &l->head;
    const uint32_t chunk = (uint32_t)h->known.chunk;
    const uint32_t events = (uint32_t)h->known.events_ppb;
    const uint32_t x = events > LEARNER_BILLION / 2 / chunk ? LEARNER_BILLION / 2 : events * chunk;
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
