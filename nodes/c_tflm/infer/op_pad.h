/* PAD and PADV2 differ in nothing but their number; the interpreter takes both for either. */
#ifndef STETHOS_OP_PAD_H
#define STETHOS_OP_PAD_H

#include "op.h"

enum network_status op_pad_check(struct op_read *r);
void op_pad_prepare(struct op_read *r, void *parameters);
void op_pad_run(const void *parameters, const struct op_buffers *b);

#endif
