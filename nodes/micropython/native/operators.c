/* Operators that the engine has: all of infer/ops, or with -DSTETHOS_DENSE_ONLY what a network of fully-connected
 * layers takes. */
#include "../../c_tflm/infer/op.h"

#ifdef STETHOS_DENSE_ONLY
#define OPERATORS(OP) OP(dequantize) OP(fully_connected) OP(quantize) OP(reshape) OP(softmax)
#else
#define OPERATORS(OP)                                                                                                  \
    OP(add)                                                                                                            \
    OP(average_pool_2d)                                                                                                \
    OP(conv_2d)                                                                                                        \
    OP(depthwise_conv_2d)                                                                                              \
    OP(dequantize)                                                                                                     \
    OP(fully_connected)                                                                                                \
    OP(logistic) OP(max_pool_2d) OP(mean) OP(pad) OP(padv2) OP(quantize) OP(reshape) OP(softmax)
#endif

#define DECLARE(name) extern const struct op_kind op_##name;
#define ADDRESS(name) &op_##name,

OPERATORS(DECLARE)

const struct op_kind *const ops[] = {OPERATORS(ADDRESS)};
const uint8_t ops_n = sizeof ops / sizeof ops[0];
