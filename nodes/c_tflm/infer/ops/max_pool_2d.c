/* MAX_POOL_2D: the largest of what lies inside the image. */
#include "op_pool.h"

static int32_t largest(const struct op_pool_window *w) {
    int32_t most = INT8_MIN;
    const int8_t *row = w->first;
    for (uint32_t y = 0; y < w->height; y++, row += w->row_step) {
        const int8_t *pixel = row;
        for (uint32_t x = 0; x < w->width; x++, pixel += w->pixel_step) {
            most = *pixel > most ? *pixel : most;
        }
    }
    return most;
}

static void run(const void *parameters, const struct op_buffers *b) {
    op_pool_run(parameters, b, largest);
}

const struct op_kind op_max_pool_2d = {
    .builtin = 17, .options_type = 5, .check = op_pool_check, .prepare = op_pool_prepare, .run = run};
