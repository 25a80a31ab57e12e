#include "direct_layer.h"

/* Fields of the tables of the TensorFlow Lite schema, version 3, by their position in it. */
enum { CODE_DEPRECATED = 0, CODE_BUILTIN = 3 };
enum { OPERATOR_CODE = 0, OPERATOR_INPUTS = 1, OPERATOR_OUTPUTS = 2, OPERATOR_OPTIONS_TYPE = 3, OPERATOR_OPTIONS = 4 };
enum { TENSOR_SHAPE = 0, TENSOR_TYPE = 1, TENSOR_BUFFER = 2, TENSOR_QUANTIZATION = 4, TENSOR_IS_VARIABLE = 5 };
enum { TENSOR_SPARSITY = 6, TENSOR_EXTERNAL_BUFFER = 10 };
enum { QUANTIZATION_SCALE = 2, QUANTIZATION_ZERO_POINT = 3, QUANTIZATION_DIMENSION = 6 };
enum { BUFFER_DATA = 0, BUFFER_OFFSET = 1 };
enum { OPTIONS_ACTIVATION = 0, OPTIONS_WEIGHTS_FORMAT = 1 };

enum { WIDTH_MAX = 65535 };
enum { OP_FULLY_CONNECTED = 9, OPTIONS_FULLY_CONNECTED = 8 };
enum { TYPE_INT32 = 2, TYPE_INT8 = 9 };
enum { ACTIVATION_NONE = 0, ACTIVATION_RELU = 1, ACTIVATION_RELU_N1_TO_1 = 2, ACTIVATION_RELU6 = 3 };

struct tensor {
    uint32_t table;
    uint8_t type;
    struct flatbuffer_vector shape;
    struct flatbuffer_vector data; /* of bytes; empty for an activation */
    struct flatbuffer_vector scales;
    struct flatbuffer_vector zero_points;
    uint32_t dimension; /* to which several scales belong */
};

uint32_t direct_element(struct flatbuffer *f, struct flatbuffer_vector v, uint32_t i) {
    return i < v.count ? flatbuffer_u32(f, v.first + 4 * i) : UINT32_MAX;
}

static enum direct_status read_tensor(struct direct *d, uint32_t index, struct tensor *t) {
    struct flatbuffer *f = &d->file;
    if (index >= d->tensors.count) {
        return DIRECT_GRAPH;
    }
    t->table = flatbuffer_element_table(f, d->tensors, index);
    t->type = flatbuffer_field_u8(f, t->table, TENSOR_TYPE, 0);
    t->shape = flatbuffer_field_vector(f, t->table, TENSOR_SHAPE, 4);
    const uint32_t buffer_index = flatbuffer_field_u32(f, t->table, TENSOR_BUFFER, 0);
    const uint32_t buffer = flatbuffer_element_table(f, d->buffers, buffer_index);
    t->data = flatbuffer_field_vector(f, buffer, BUFFER_DATA, 1);
    const uint32_t quantization = flatbuffer_field_table(f, t->table, TENSOR_QUANTIZATION);
    const struct flatbuffer_vector none = {0, 0};
    t->scales = quantization == 0 ? none : flatbuffer_field_vector(f, quantization, QUANTIZATION_SCALE, 4);
    t->zero_points = quantization == 0 ? none : flatbuffer_field_vector(f, quantization, QUANTIZATION_ZERO_POINT, 8);
    t->dimension = quantization == 0 ? 0 : flatbuffer_field_u32(f, quantization, QUANTIZATION_DIMENSION, 0);
    if (f->bad) {
        return DIRECT_TRUNCATED;
    }
    /* Data kept outside the file's vectors, sparse or changed by running: none of this is ours to interpret. */
    if (flatbuffer_field(f, buffer, BUFFER_OFFSET) != 0 || flatbuffer_field(f, t->table, TENSOR_SPARSITY) != 0 ||
        flatbuffer_field_u32(f, t->table, TENSOR_EXTERNAL_BUFFER, 0) != 0 ||
        flatbuffer_field_u8(f, t->table, TENSOR_IS_VARIABLE, 0) != 0) {
        return DIRECT_OPTIONS;
    }
    return DIRECT_OK;
}

/* An activation: int8, [1, n], one scale, one zero point, no data. */
static enum direct_status read_activation(struct direct *d, uint32_t index, uint16_t *width, uint32_t *scale,
                                          int16_t *zero_point) {
    struct flatbuffer *f = &d->file;
    struct tensor t;
    const enum direct_status status = read_tensor(d, index, &t);
    if (status != DIRECT_OK) {
        return status;
    }
    if (t.type != TYPE_INT8) {
        return DIRECT_TYPE;
    }
    const uint32_t n = direct_element(f, t.shape, 1);
    if (t.shape.count != 2 || direct_element(f, t.shape, 0) != 1 || n == 0) {
        return DIRECT_SHAPE;
    }
    if (n > WIDTH_MAX) {
        return DIRECT_TOO_LARGE;
    }
    if (t.data.count != 0) {
        return DIRECT_GRAPH;
    }
    if (t.scales.count != 1 || t.zero_points.count != 1) {
        return DIRECT_QUANTIZATION;
    }
    /* A zero point is 64 bits wide; the upper half of one that is in range repeats its sign. */
    const int32_t low_half = (int32_t)flatbuffer_u32(f, t.zero_points.first);
    const uint32_t high_half = flatbuffer_u32(f, t.zero_points.first + 4);
    *scale = flatbuffer_u32(f, t.scales.first);
    if (low_half < INT8_MIN || low_half > INT8_MAX || high_half != (low_half < 0 ? UINT32_MAX : 0) ||
        !scale_is_usable(*scale)) {
        return DIRECT_QUANTIZATION;
    }
    *width = (uint16_t)n;
    *zero_point = (int16_t)low_half;
    return DIRECT_OK;
}

static enum direct_status read_weights(struct direct *d, uint32_t index, struct layer_plan *plan) {
    struct flatbuffer *f = &d->file;
    struct tensor t;
    const enum direct_status status = read_tensor(d, index, &t);
    if (status != DIRECT_OK) {
        return status;
    }
    struct direct_layer *layer = &plan->layer;
    if (t.type != TYPE_INT8) {
        return DIRECT_TYPE;
    }
    if (t.shape.count != 2 || direct_element(f, t.shape, 0) != layer->outputs ||
        direct_element(f, t.shape, 1) != layer->inputs || t.data.count != (uint32_t)layer->outputs * layer->inputs) {
        return DIRECT_SHAPE;
    }
    layer->weights = (const int8_t *)(f->data + t.data.first);
    layer->per_row = t.scales.count > 1;
    plan->weight_scales = t.scales;
    if (t.scales.count != (layer->per_row ? layer->outputs : 1) || t.zero_points.count != t.scales.count ||
        (layer->per_row && t.dimension != 0)) {
        return DIRECT_QUANTIZATION;
    }
    for (uint32_t i = 0; i < t.scales.count; i++) {
        const uint32_t zero_point = t.zero_points.first + 8 * i;
        if (!scale_is_usable(direct_element(f, t.scales, i)) || flatbuffer_u32(f, zero_point) != 0 ||
            flatbuffer_u32(f, zero_point + 4) != 0) {
            return DIRECT_QUANTIZATION;
        }
    }
    return DIRECT_OK;
}

static enum direct_status read_bias(struct direct *d, uint32_t index, struct layer_plan *plan) {
    struct flatbuffer *f = &d->file;
    struct tensor t;
    const enum direct_status status = read_tensor(d, index, &t);
    if (status != DIRECT_OK) {
        return status;
    }
    if (t.type != TYPE_INT32) {
        return DIRECT_TYPE;
    }
    if (t.shape.count != 1 || direct_element(f, t.shape, 0) != plan->layer.outputs ||
        t.data.count != 4 * (uint32_t)plan->layer.outputs) {
        return DIRECT_SHAPE;
    }
    plan->layer.bias = f->data + t.data.first;
    /* The interpreter checks the scale of the bias only where there is one scale for all weights. */
    if (plan->layer.per_row) {
        return DIRECT_OK;
    }
    const uint32_t scale = t.scales.count != 0 && t.zero_points.count != 0 ? direct_element(f, t.scales, 0) : 0;
    const uint32_t weight_scale = direct_element(f, plan->weight_scales, 0);
    const bool fits = bias_scale_fits(plan->input_scale, weight_scale, scale, plan->output_scale);
    return fits ? DIRECT_OK : DIRECT_QUANTIZATION;
}

static int16_t clamp_int8(int32_t x) {
    return (int16_t)(x < INT8_MIN ? INT8_MIN : x > INT8_MAX ? INT8_MAX : x);
}

static enum direct_status read_options(struct direct *d, uint32_t operator_table, struct layer_plan *plan) {
    struct flatbuffer *f = &d->file;
    const uint8_t type = flatbuffer_field_u8(f, operator_table, OPERATOR_OPTIONS_TYPE, 0);
    const uint32_t options = flatbuffer_field_table(f, operator_table, OPERATOR_OPTIONS);
    if (type != OPTIONS_FULLY_CONNECTED || options == 0) {
        return DIRECT_OPTIONS;
    }
    const uint8_t activation = flatbuffer_field_u8(f, options, OPTIONS_ACTIVATION, 0);
    if (activation > ACTIVATION_RELU6 || flatbuffer_field_u8(f, options, OPTIONS_WEIGHTS_FORMAT, 0) != 0) {
        return DIRECT_OPTIONS;
    }
    const int16_t zero = plan->layer.output_zero_point;
    int32_t up = activation == ACTIVATION_RELU6 ? 6 : activation == ACTIVATION_RELU_N1_TO_1 ? 1 : 0;
    if (up != 0 && !quantize_whole((uint32_t)up, plan->output_scale, &up)) {
        return DIRECT_QUANTIZATION;
    }
    const bool has_low = activation != ACTIVATION_NONE;
    const bool has_high = activation == ACTIVATION_RELU6 || activation == ACTIVATION_RELU_N1_TO_1;
    const int32_t down = activation == ACTIVATION_RELU_N1_TO_1 ? up : 0;
    plan->layer.low = has_low ? clamp_int8(zero - down) : INT8_MIN;
    plan->layer.high = has_high ? clamp_int8(zero + up) : INT8_MAX;
    return DIRECT_OK;
}

enum direct_status direct_check_operator(struct direct *d, uint32_t index) {
    struct flatbuffer *f = &d->file;
    const uint32_t operator_table = flatbuffer_element_table(f, d->operators, index);
    const uint32_t code_index = flatbuffer_field_u32(f, operator_table, OPERATOR_CODE, 0);
    const uint32_t code = flatbuffer_element_table(f, d->codes, code_index);
    /* Numbers up to 127 may stand in the old, 8-bit field alone; the interpreter takes the larger. */
    const int32_t old = (int8_t)flatbuffer_field_u8(f, code, CODE_DEPRECATED, 0);
    const int32_t now = (int32_t)flatbuffer_field_u32(f, code, CODE_BUILTIN, 0);
    if (f->bad) {
        return DIRECT_TRUNCATED;
    }
    const int32_t op = old > now ? old : now;
    if (op != OP_FULLY_CONNECTED) {
        d->refused_op = op;
        return DIRECT_OPERATOR;
    }
    return DIRECT_OK;
}

enum direct_status direct_read_layer(struct direct *d, uint32_t index, struct layer_plan *plan) {
    struct flatbuffer *f = &d->file;
    const struct layer_plan empty = {{0}, 0, 0, 0, 0, {0, 0}};
    *plan = empty;
    const uint32_t table = flatbuffer_element_table(f, d->operators, index);
    const struct flatbuffer_vector inputs = flatbuffer_field_vector(f, table, OPERATOR_INPUTS, 4);
    const struct flatbuffer_vector outputs = flatbuffer_field_vector(f, table, OPERATOR_OUTPUTS, 4);
    if (inputs.count < 2 || inputs.count > 3 || outputs.count != 1) {
        return f->bad ? DIRECT_TRUNCATED : DIRECT_GRAPH;
    }
    struct direct_layer *layer = &plan->layer;
    plan->input = direct_element(f, inputs, 0);
    plan->output = direct_element(f, outputs, 0);
    const uint32_t bias = direct_element(f, inputs, 2); /* absent, or -1: none */
    enum direct_status status =
        read_activation(d, plan->input, &layer->inputs, &plan->input_scale, &layer->input_zero_point);
    if (status == DIRECT_OK) {
        status = read_activation(d, plan->output, &layer->outputs, &plan->output_scale, &layer->output_zero_point);
    }
    if (status == DIRECT_OK) {
        status = read_weights(d, direct_element(f, inputs, 1), plan);
    }
    if (status == DIRECT_OK && bias != UINT32_MAX) {
        status = read_bias(d, bias, plan);
    }
    if (status == DIRECT_OK) {
        status = read_options(d, table, plan);
    }
    return f->bad ? DIRECT_TRUNCATED : status;
}
