/* exp and 1 / (1 + x) in fixed point, to the bits of gemmlowp's functions, with which TFLite Micro computes SOFTMAX and
 * LOGISTIC. Qm is a number with m bits before the point, 31 - m behind it and a sign. */
#ifndef STETHOS_FIXED_EXP_H
#define STETHOS_FIXED_EXP_H

#include <stdint.h>

/* a * b / 2^31, rounded; the product of a Qm and a Qn is a Q(m+n). Not for two times INT32_MIN. */
int32_t fixed_product(int32_t a, int32_t b);

/* x / 2^n, rounded half away from zero; n within 0..31. */
int32_t fixed_divide_by_power(int32_t x, uint32_t n);

/* exp(x) as Q0, for x <= 0 as Qm, m at most 5. */
int32_t fixed_exp(int32_t x, uint32_t m);

/* 1 / (1 + x) as Q0, for x from 0 to 1 as Q0. */
int32_t fixed_one_over_one_plus(int32_t x);

#endif
