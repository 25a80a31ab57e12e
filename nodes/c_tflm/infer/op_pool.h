/* What AVERAGE_POOL_2D and MAX_POOL_2D have in common: everything but the value of one window. */
#ifndef STETHOS_OP_POOL_H
#define STETHOS_OP_POOL_H

#include "op_window.h"

struct op_pool {
    struct op_axis axis[2];
    uint32_t batches;
    uint32_t channels;
    int8_t low; /* of the fused activation */
    int8_t high;
};

/* One channel of the part of a window that lies inside the image: `height` rows of `width` pixels, at least one. */
struct op_pool_window {
    const int8_t *first;
    uint32_t height;
    uint32_t width;
    uint32_t row_step;
    uint32_t pixel_step;
};

typedef int32_t op_pool_value(const struct op_pool_window *w);

enum network_status op_pool_check(struct op_read *r);
void op_pool_prepare(struct op_read *r, void *parameters);
void op_pool_run(const struct op_pool *p, const struct op_buffers *b, op_pool_value *value);

#endif
