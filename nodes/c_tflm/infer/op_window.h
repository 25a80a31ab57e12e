/* A window that slides over an image, for convolutions and pools: where it stands and which part of it lies inside. */
#ifndef STETHOS_OP_WINDOW_H
#define STETHOS_OP_WINDOW_H

#include "op.h"

/* One of the two axes. All sums of these fit in 32 bits. */
struct op_axis {
    uint16_t in; /* pixels */
    uint16_t out;
    uint16_t taps;
    uint16_t stride;
    uint16_t dilation;
    uint16_t pad; /* pixels that are imagined before the first */
};

/* The taps of one position that lie inside the image. */
struct op_span {
    uint32_t first;
    uint32_t end;
    uint32_t at; /* pixel under the first of them; means nothing if there are none */
};

/* Fields that come first in the options of convolutions and pools. */
enum { WINDOW_PADDING = 0, WINDOW_STRIDE = 1 };

/* Reads height (axis[0]) and width of in[0], out[0] and the options; `dilation` is the field of the width's dilation,
 * 0 if there is none. The output must have the size that padding SAME or VALID leaves. */
enum network_status op_window_read(struct op_read *r, uint32_t height, uint32_t width, uint16_t dilation,
                                   struct op_axis axis[2]);

struct op_span op_axis_span(const struct op_axis *axis, uint32_t out);

#endif
