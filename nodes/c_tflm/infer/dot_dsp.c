/* For processors with the DSP extension of Armv7E-M or Armv8-M: two products an instruction, four rows at a time. */
#include "dot.h"

#include <string.h>

enum { GROUP = 4 };

static inline uint32_t load(const int8_t *p) {
    uint32_t four;
    memcpy(&four, p, sizeof four); /* unaligned is allowed, and one instruction */
    return four;
}

/* A group of four lies in the order in which its weights come out of their word: 0 and 2, then 1 and 3. */
void dot_unpack(int16_t *x, const int8_t *in, uint32_t n, int32_t zero_point) {
    const uint32_t both = (uint32_t)zero_point << 16 | ((uint32_t)zero_point & 0xFFFF);
    const int8_t *end = in + n;
    if (n % GROUP != 0) {
        memset(x, 0, GROUP * sizeof *x);
        for (uint32_t at = GROUP - n % GROUP; at < GROUP; at++) {
            x[at == 3 ? 3 : 3 - at] = (int16_t)(*in++ - zero_point);
        }
        x += GROUP;
    }
    while (in != end) {
        uint32_t even, odd;
        __asm__("sxtb16 %0, %2\n\t"
                "sxtb16 %1, %2, ror #8\n\t"
                "ssub16 %0, %0, %3\n\t"
                "ssub16 %1, %1, %3"
                : "=&r"(even), "=r"(odd)
                : "r"(load(in)), "r"(both));
        memcpy(x, &even, sizeof even);
        memcpy(x + 2, &odd, sizeof odd);
        in += GROUP;
        x += GROUP;
    }
}

/* Sums k of `sums` for a group: unpack the weights of row k by pairs, multiply and add. The compiler has names for
 * these instructions (arm_acle.h), but not for the rotation, and lacks a register where it chooses the addresses. */
#define ROW(sum, address)                                                                                              \
    "ldr %[four], " address "\n\t"                                                                                     \
    "sxtb16 %[pair], %[four]\n\t"                                                                                      \
    "smlad %[" sum "], %[pair], %[even], %[" sum "]\n\t"                                                               \
    "sxtb16 %[pair], %[four], ror #8\n\t"                                                                              \
    "smlad %[" sum "], %[pair], %[odd], %[" sum "]\n\t"

void dot_rows(const int8_t *weights, uint32_t stride, const int16_t *x, uint32_t n, int32_t sums[DOT_ROWS]) {
    int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    const int8_t *end = weights + n;
    weights -= (0 - n) % GROUP;
    do {
        uint32_t even, odd, four, pair;
        __asm__("ldrd %[even], %[odd], [%[x]], #8\n\t" /* clang-format off */
                ROW("sum1", "[%[weights], %[stride]]")
                ROW("sum2", "[%[weights], %[stride], lsl #1]")
                ROW("sum3", "[%[weights], %[stride3]]")
                ROW("sum0", "[%[weights]], #4") /* clang-format on */
                : [sum0] "+r"(sum0), [sum1] "+r"(sum1), [sum2] "+r"(sum2), [sum3] "+r"(sum3), [x] "+r"(x),
                  [weights] "+r"(weights), [even] "=&r"(even), [odd] "=&r"(odd), [four] "=&r"(four), [pair] "=&r"(pair)
                : [stride] "r"(stride), [stride3] "r"(3 * stride)
                : "memory");
    } while (weights != end);
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}
