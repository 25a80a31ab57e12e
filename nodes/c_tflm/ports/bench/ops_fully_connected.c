/* `direct` with one operator alone, as a firmware for small fully-connected models has it. */
#include "op.h"

extern const struct op_kind op_fully_connected;

const struct op_kind *const ops[] = {&op_fully_connected};
const uint8_t ops_n = 1;
