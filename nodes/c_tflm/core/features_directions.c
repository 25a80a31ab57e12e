/* Energies of a sensor's vectors along their own principal directions: eigenvalues of a matrix of three rows, in whole
 * numbers. */
#include "features_sets.h"
#include "fixed.h"

enum { TRACE_BITS = 30, LEAST = 4 };

/* high * 2^32 + low: the product of three numbers of 30 bits. */
struct wide {
    int64_t high;
    uint32_t low;
};

/* t^3 - e1 t^2 + e2 t + last */
struct characteristic {
    int32_t e1;
    int64_t e2;
    struct wide last;
};

/* Halves are rounded away from zero, so that an axis turned round has the same values with the other sign. */
void feature_group_at(struct feature_group *g, const int16_t *samples, uint16_t n, uint8_t channels, uint32_t first) {
    g->samples = samples + first;
    g->end = samples + (uint32_t)n * channels;
    g->n = n;
    g->channels = channels;
    g->axes = channels - first < GROUP_AXES ? channels - first : GROUP_AXES;
    for (uint32_t a = 0; a < g->axes; a++) {
        int32_t sum = 0;
        for (const int16_t *sample = g->samples; sample < g->end; sample += channels) {
            sum += sample[a];
        }
        const uint32_t size = sum < 0 ? (uint32_t)-sum : (uint32_t)sum;
        const int32_t mean = (int32_t)((16 * size + g->n / 2) / g->n);
        g->mean[a] = sum < 0 ? -mean : mean;
    }
}

int64_t feature_group_product(const struct feature_group *g, bool change, uint32_t a, uint32_t b) {
    static const int16_t NOTHING[GROUP_AXES] = {0};
    const int32_t mean_a = change ? 0 : g->mean[a];
    const int32_t mean_b = change ? 0 : g->mean[b];
    const uint32_t step = change ? g->channels : 0;
    const int16_t *before = change ? g->samples : NOTHING;
    int64_t sum = 0;
    for (const int16_t *sample = g->samples + step; sample < g->end; sample += g->channels) {
        sum += (int64_t)(16 * (sample[a] - before[a]) - mean_a) * (16 * (sample[b] - before[b]) - mean_b);
        before += step;
    }
    return sum;
}

static void add_product(struct wide *w, int64_t x, int32_t factor) {
    const int64_t low = (int64_t)w->low + (int64_t)(uint32_t)x * factor;
    w->high += (x >> 32) * factor + (low >> 32);
    w->low = (uint32_t)low;
}

static int64_t minor(int32_t a, int32_t b, int32_t c, int32_t d) {
    return (int64_t)a * d - (int64_t)b * c;
}

/* The products are shortened towards zero, so that the sign of an axis does not matter. */
static void find_characteristic(int64_t products[GROUP_AXES][GROUP_AXES], uint32_t shift, struct characteristic *p) {
    int32_t s[GROUP_AXES][GROUP_AXES];
    *p = (struct characteristic){0};
    for (uint32_t a = 0; a < GROUP_AXES; a++) {
        for (uint32_t b = 0; b <= a; b++) {
            const int64_t x = products[a][b];
            const int32_t size = (int32_t)((uint64_t)(x < 0 ? -x : x) >> shift);
            s[a][b] = x < 0 ? -size : size;
        }
        p->e1 += s[a][a];
        for (uint32_t b = 0; b < a; b++) {
            p->e2 += minor(s[b][b], s[a][b], s[a][b], s[a][a]);
        }
    }
    add_product(&p->last, minor(s[1][1], s[2][1], s[2][1], s[2][2]), -s[0][0]);
    add_product(&p->last, minor(s[1][0], s[2][1], s[2][0], s[2][2]), s[1][0]);
    add_product(&p->last, minor(s[1][0], s[1][1], s[2][0], s[2][1]), -s[2][0]);
}

/* By halving: the largest t in [low, high] up to which the polynomial is negative, or is not. */
static int32_t root_between(const struct characteristic *p, int32_t low, int32_t high, bool negative) {
    for (high++; high - low > 1;) {
        const int32_t t = low + (high - low) / 2;
        struct wide polynomial = p->last;
        add_product(&polynomial, (int64_t)(t - p->e1) * t + p->e2, t);
        if ((polynomial.high < 0) == negative) {
            low = t;
        } else {
            high = t;
        }
    }
    return low;
}

/* A root lies before, between and behind the two places where the polynomial turns. */
uint64_t feature_group_directions(const struct feature_group *g, bool change, uint32_t floor, int32_t *out) {
    int64_t products[GROUP_AXES][GROUP_AXES] = {{0}};
    uint64_t energy = 0;
    for (uint32_t a = 0; a < g->axes; a++) {
        for (uint32_t b = 0; b <= a; b++) {
            products[a][b] = feature_group_product(g, change, a, b);
        }
        energy += (uint64_t)products[a][a];
    }
    const uint32_t bits = fixed_bits(energy);
    const uint32_t shift = bits > TRACE_BITS ? bits - TRACE_BITS : 0;
    struct characteristic p;
    find_characteristic(products, shift, &p);
    const int32_t reach = (int32_t)fixed_root((uint64_t)((int64_t)p.e1 * p.e1 - 3 * p.e2));
    const int32_t turns[] = {p.e1, (p.e1 + reach) / 3, reach < p.e1 ? (p.e1 - reach) / 3 : 0, 0};
    const int32_t log_n = fixed_log2(change ? g->n - 1 : g->n);
    for (uint32_t a = 0; a < g->axes; a++) {
        const uint32_t root = (uint32_t)root_between(&p, turns[a + 1], turns[a], a != 1);
        out[a] = (fixed_log2(root + LEAST + (floor >> shift)) + (int32_t)shift * FIXED_ONE - log_n) >> 1;
    }
    return energy;
}
