/* AVERAGE_POOL_2D: the mean of what lies inside the image, rounded half away from zero. */
#include "op_pool.h"

static int32_t average(const struct op_pool_window *w) {
    int32_t sum = 0;
    uint32_t y = 0;
    do { /* there is at least one row, and one pixel in it */
        const int8_t *pixel = w->first + y * w->row_step;
        uint32_t x = 0;
        do {
            sum += *pixel;
            pixel += w->pixel_step;
        } while (++x < w->width);
    } while (++y < w->height);
    const int32_t n = (int32_t)(w->height * w->width);
    return (sum > 0 ? sum + n / 2 : sum - n / 2) / n;
}

static void run(const void *parameters, const struct op_buffers *b) {
    op_pool_run(parameters, b, average);
}

const struct op_kind op_average_pool_2d = {
    .builtin = 1, .options_type = 5, .check = op_pool_check, .prepare = op_pool_prepare, .run = run};
