/* PAD: zeros around a tensor. */
#include "op_pad.h"

const struct op_kind op_pad = {
    .builtin = 34, .options_type = 0, .check = op_pad_check, .prepare = op_pad_prepare, .run = op_pad_run};
