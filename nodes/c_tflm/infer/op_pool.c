#include "op_pool.h"

#include "op_math.h"

enum { OPTIONS_WIDTH = 3, OPTIONS_HEIGHT = 4, OPTIONS_ACTIVATION = 5 };
enum { PIXELS_MAX = 1 << 23 }; /* so many values of an int8 add up in an int32 */

static enum network_status read_options(struct op_read *r, struct op_pool *p) {
    struct flatbuffer *f = r->f;
    const uint32_t height = flatbuffer_field_u32(f, r->options, OPTIONS_HEIGHT, 0);
    const uint32_t width = flatbuffer_field_u32(f, r->options, OPTIONS_WIDTH, 0);
    const enum network_status status = op_window_read(r, height, width, 0, p->axis);
    if (status != NETWORK_OK) {
        return status;
    }
    return op_activation_range(r, flatbuffer_field_u8(f, r->options, OPTIONS_ACTIVATION, 0), &p->low, &p->high);
}

enum network_status op_pool_check(struct op_read *r) {
    const struct op_tensor *in = r->in[0];
    const struct op_tensor *out = r->out;
    struct op_pool p;
    if (r->inputs.count != 1 || in->values != NULL) {
        return NETWORK_GRAPH;
    }
    const enum network_status status = read_options(r, &p);
    if (status != NETWORK_OK) {
        return status;
    }
    if (in->shape[3] != out->shape[3]) {
        return NETWORK_SHAPE;
    }
    if (in->scale != out->scale || in->zero_point != out->zero_point) {
        return NETWORK_QUANTIZATION; /* a pool does not rescale */
    }
    r->need.parameters = sizeof p;
    return in->elements <= PIXELS_MAX ? NETWORK_OK : NETWORK_TOO_LARGE;
}

void op_pool_prepare(struct op_read *r, void *parameters) {
    struct op_pool *p = parameters;
    (void)read_options(r, p);
    p->batches = r->in[0]->shape[0];
    p->channels = r->in[0]->shape[3];
}

static void run_position(const struct op_pool *p, const int8_t *image, const struct op_span *y, const struct op_span *x,
                         op_pool_value *value, int8_t *out) {
    const uint32_t row_step = p->axis[1].in * p->channels;
    struct op_pool_window w = {image + y->at * row_step + x->at * p->channels, y->end - y->first, x->end - x->first,
                               row_step, p->channels};
    for (uint32_t i = 0; i < p->channels; i++, w.first++) {
        out[i] = clamp(value(&w), p->low, p->high);
    }
}

void op_pool_run(const struct op_pool *p, const struct op_buffers *b, op_pool_value *value) {
    const int8_t *image = b->in[0];
    int8_t *out = b->out;
    for (uint32_t batch = 0; batch < p->batches; batch++) {
        for (uint32_t i = 0; i < p->axis[0].out; i++) {
            const struct op_span y = op_axis_span(&p->axis[0], i);
            for (uint32_t j = 0; j < p->axis[1].out; j++, out += p->channels) {
                const struct op_span x = op_axis_span(&p->axis[1], j);
                run_position(p, image, &y, &x, value, out);
            }
        }
        image += (uint32_t)p->axis[0].in * p->axis[1].in * p->channels;
    }
}
