#include "op_window.h"

enum { SAME = 0, VALID = 1 };

static enum network_status fit(struct op_axis *axis, uint8_t padding, const uint32_t size[5]) {
    for (uint32_t i = 0; i < 5; i++) {
        if (size[i] == 0 || size[i] > UINT16_MAX) {
            return i < 2 ? NETWORK_TOO_LARGE : NETWORK_OPTIONS;
        }
    }
    const uint32_t in = size[0], out = size[1], taps = size[2], stride = size[3], dilation = size[4];
    const uint64_t reach = (uint64_t)(taps - 1) * dilation + 1;
    if (padding > VALID || reach > UINT16_MAX) {
        return NETWORK_OPTIONS;
    }
    const uint32_t covered = padding == SAME ? 1 : (uint32_t)reach;
    if (in < covered || out != (in - covered) / stride + 1) {
        return NETWORK_SHAPE;
    }
    const uint32_t spanned = (out - 1) * stride + (uint32_t)reach;
    const struct op_axis a = {(uint16_t)in,     (uint16_t)out,      (uint16_t)taps,
                              (uint16_t)stride, (uint16_t)dilation, (uint16_t)(spanned > in ? (spanned - in) / 2 : 0)};
    *axis = a;
    return NETWORK_OK;
}

enum network_status op_window_read(struct op_read *r, uint32_t height, uint32_t width, uint16_t dilation,
                                   struct op_axis axis[2]) {
    const struct op_tensor *in = r->in[0];
    const struct op_tensor *out = r->out;
    if (in->type != OP_INT8 || out->type != OP_INT8) {
        return NETWORK_TYPE;
    }
    if (in->sizes.count != 4 || out->sizes.count != 4 || in->shape[0] != out->shape[0]) {
        return NETWORK_SHAPE;
    }
    const uint8_t padding = flatbuffer_field_u8(r->f, r->options, WINDOW_PADDING, SAME);
    enum network_status status = NETWORK_OK;
    for (uint16_t i = 0; i < 2 && status == NETWORK_OK; i++) {
        const uint16_t last = (uint16_t)(1 - i); /* the options name the width first */
        const uint32_t size[5] = {
            in->shape[1 + i],
            out->shape[1 + i],
            i == 0 ? height : width,
            flatbuffer_field_u32(r->f, r->options, (uint16_t)(WINDOW_STRIDE + last), 0),
            dilation == 0 ? 1 : flatbuffer_field_u32(r->f, r->options, (uint16_t)(dilation + last), 1),
        };
        status = fit(&axis[i], padding, size);
    }
    return status;
}

struct op_span op_axis_span(const struct op_axis *axis, uint32_t out) {
    const int32_t origin = (int32_t)(out * axis->stride) - axis->pad;
    const uint32_t first = origin < 0 ? (uint32_t)(axis->dilation - 1 - origin) / axis->dilation : 0;
    const uint32_t end = (uint32_t)(axis->in - 1 - origin) / axis->dilation + 1;
    const struct op_span span = {first, end < axis->taps ? end : axis->taps,
                                 (uint32_t)(origin + (int32_t)(first * axis->dilation))};
    return span;
}
