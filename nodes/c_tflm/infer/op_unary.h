/* What operators of one input have in common, whose output has as many values as it. */
#ifndef STETHOS_OP_UNARY_H
#define STETHOS_OP_UNARY_H

#include "op.h"

enum network_status op_unary_check(const struct op_read *r, uint8_t in_type, uint8_t out_type);

/* Is the output in steps of 1/256 from -128 on, as SOFTMAX and LOGISTIC give it? */
bool op_unary_gives_fractions(const struct op_read *r);

#endif
