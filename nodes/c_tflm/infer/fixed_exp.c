#include "fixed_exp.h"

int32_t fixed_product(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}

int32_t fixed_divide_by_power(int32_t x, uint32_t n) {
    const int32_t mask = (int32_t)((UINT32_C(1) << n) - 1);
    return (x >> n) + ((x & mask) > (mask >> 1) + (x < 0));
}

/* x * 2^n, or the nearest number that there is. */
static int32_t saturating_shift(int32_t x, uint32_t n) {
    const int32_t most = INT32_MAX >> n;
    return x > most ? INT32_MAX : x < -most ? INT32_MIN : (int32_t)((uint32_t)x << n);
}

/* exp(x) for x from -1/4 to 0, all Q0: four terms of the series around -1/8. */
static int32_t exp_of_quarter(int32_t x) {
    const int32_t exp_eighth = 1895147668; /* exp(-1/8) */
    const int32_t third = 715827883;
    const int32_t d = x + (1 << 28); /* + 1/8 */
    const int32_t d2 = fixed_product(d, d);
    const int32_t d3 = fixed_product(d2, d);
    const int32_t d4 = fixed_product(d2, d2);
    const int32_t tail = fixed_product(fixed_divide_by_power(d4, 2) + d3, third) + d2;
    return exp_eighth + fixed_product(exp_eighth, d + fixed_divide_by_power(tail, 1));
}

int32_t fixed_exp(int32_t x, uint32_t m) {
    static const int32_t powers[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    if (x == 0) {
        return INT32_MAX;
    }
    /* x is a part from -1/4 to 0 and a sum of -1/4, -1/2, -1 ... -16, whose exp is in the table. */
    const uint32_t point = 31 - m;
    const int32_t quarter = 1 << (point - 2);
    const int32_t part = (x & (quarter - 1)) - quarter;
    const int32_t rest = part - x;
    int32_t result = exp_of_quarter((int32_t)((uint32_t)part << m));
    for (uint32_t i = 0; i < m + 2; i++) {
        if ((rest >> (point - 2 + i) & 1) != 0) {
            result = fixed_product(result, powers[i]);
        }
    }
    return result;
}

int32_t fixed_one_over_one_plus(int32_t x) {
    const int32_t one = 1 << 29;               /* Q2 */
    const int32_t first = 1515870810;          /* 48 / 17 as Q2 */
    const int32_t slope = -1010580540;         /* -32 / 17 as Q2 */
    const int32_t half = (x >> 1) + (1 << 30); /* of the denominator, Q0 */
    int32_t y = first + fixed_product(half, slope);
    for (uint32_t i = 0; i < 3; i++) { /* Newton's way to 1 / half, Q2 */
        const int32_t error = one - fixed_product(half, y);
        y += saturating_shift(fixed_product(y, error), 2);
    }
    return saturating_shift(y, 1); /* half of it as Q1, as Q0 */
}
