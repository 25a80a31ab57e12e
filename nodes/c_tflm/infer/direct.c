#include "direct.h"

#include <stdalign.h>

#include "direct_layer.h"

/* Fields of the tables of the TensorFlow Lite schema, version 3, by their position in it. */
enum { MODEL_VERSION = 0, MODEL_OPERATOR_CODES = 1, MODEL_SUBGRAPHS = 2, MODEL_BUFFERS = 4 };
enum { SUBGRAPH_TENSORS = 0, SUBGRAPH_INPUTS = 1, SUBGRAPH_OUTPUTS = 2, SUBGRAPH_OPERATORS = 3 };

enum { SCHEMA_VERSION = 3, LAYERS_MAX = 255 };

/* Before all else: the name of an operator says more than what its tensors look like. */
static enum direct_status check_codes(struct direct *d) {
    enum direct_status status = DIRECT_OK;
    for (uint32_t i = 0; i < d->layers_n && status == DIRECT_OK; i++) {
        d->refused_layer = (uint8_t)i;
        status = direct_check_operator(d, i);
    }
    return status;
}

static bool row_multiplier(struct direct *d, const struct layer_plan *plan, uint32_t row,
                           struct quantized_multiplier *out) {
    const uint32_t scale = direct_element(&d->file, plan->weight_scales, row);
    return multiplier_of_scales(plan->input_scale, scale, plan->output_scale, plan->layer.per_row, out);
}

static enum direct_status check_layers(struct direct *d, uint32_t input, uint32_t output) {
    uint32_t expected = input;
    for (uint32_t i = 0; i < d->layers_n; i++) {
        struct layer_plan plan;
        d->refused_layer = (uint8_t)i;
        const enum direct_status status = direct_read_layer(d, i, &plan);
        if (status != DIRECT_OK) {
            return status;
        }
        if (plan.input != expected || plan.output == expected) {
            return DIRECT_GRAPH;
        }
        for (uint32_t row = 0; row < plan.weight_scales.count; row++) {
            struct quantized_multiplier unused;
            if (!row_multiplier(d, &plan, row, &unused)) {
                return DIRECT_QUANTIZATION;
            }
        }
        expected = plan.output;
        d->multipliers_n += plan.weight_scales.count;
        if (i == 0) {
            d->inputs = plan.layer.inputs;
            d->input_scale = plan.input_scale;
            d->input_zero_point = (int8_t)plan.layer.input_zero_point;
        }
        if (i + 1u < d->layers_n && plan.layer.outputs > d->buffer_size[i & 1]) {
            d->buffer_size[i & 1] = plan.layer.outputs;
        }
        d->outputs = plan.layer.outputs;
        d->output_scale = plan.output_scale;
        d->output_zero_point = (int8_t)plan.layer.output_zero_point;
    }
    return expected == output ? DIRECT_OK : DIRECT_GRAPH;
}

enum direct_status direct_open(struct direct *d, const uint8_t *tflite, size_t size) {
    static const uint32_t identifier = 0x334C4654; /* "TFL3" */
    const struct direct empty = {.refused_op = -1, .file = {tflite, (uint32_t)size, false}};
    *d = empty;
    struct flatbuffer *f = &d->file;
    if (size < 8 || size > INT32_MAX || flatbuffer_u32(f, 4) != identifier) {
        return DIRECT_NOT_TFLITE;
    }
    const uint32_t model = flatbuffer_follow(f, 0);
    if (!f->bad && flatbuffer_field_u32(f, model, MODEL_VERSION, 0) != SCHEMA_VERSION) {
        return f->bad ? DIRECT_TRUNCATED : DIRECT_NOT_TFLITE;
    }
    const struct flatbuffer_vector subgraphs = flatbuffer_field_vector(f, model, MODEL_SUBGRAPHS, 4);
    if (f->bad || subgraphs.count != 1) {
        return f->bad ? DIRECT_TRUNCATED : DIRECT_GRAPH;
    }
    const uint32_t graph = flatbuffer_element_table(f, subgraphs, 0);
    const struct flatbuffer_vector inputs = flatbuffer_field_vector(f, graph, SUBGRAPH_INPUTS, 4);
    const struct flatbuffer_vector outputs = flatbuffer_field_vector(f, graph, SUBGRAPH_OUTPUTS, 4);
    d->codes = flatbuffer_field_vector(f, model, MODEL_OPERATOR_CODES, 4);
    d->buffers = flatbuffer_field_vector(f, model, MODEL_BUFFERS, 4);
    d->tensors = flatbuffer_field_vector(f, graph, SUBGRAPH_TENSORS, 4);
    d->operators = flatbuffer_field_vector(f, graph, SUBGRAPH_OPERATORS, 4);
    if (f->bad) {
        return DIRECT_TRUNCATED;
    }
    if (d->operators.count > LAYERS_MAX) {
        return DIRECT_TOO_LARGE;
    }
    d->layers_n = (uint8_t)d->operators.count;
    const enum direct_status status = check_codes(d);
    if (status != DIRECT_OK) {
        return status;
    }
    if (inputs.count != 1 || outputs.count != 1 || d->layers_n == 0) {
        return DIRECT_GRAPH;
    }
    return check_layers(d, direct_element(f, inputs, 0), direct_element(f, outputs, 0));
}

size_t direct_memory_size(const struct direct *d) {
    return d->layers_n * sizeof(struct direct_layer) + d->multipliers_n * sizeof(struct quantized_multiplier) +
           d->buffer_size[0] + d->buffer_size[1];
}

enum direct_status direct_attach(struct direct *d, void *memory, size_t size) {
    if (size < direct_memory_size(d) || (uintptr_t)memory % alignof(struct direct_layer) != 0) {
        return DIRECT_NO_MEMORY;
    }
    d->layers = memory;
    struct quantized_multiplier *multipliers = (struct quantized_multiplier *)(d->layers + d->layers_n);
    d->buffer[0] = (int8_t *)(multipliers + d->multipliers_n);
    d->buffer[1] = d->buffer[0] + d->buffer_size[0];
    for (uint32_t i = 0; i < d->layers_n; i++) {
        struct layer_plan plan;
        const enum direct_status status = direct_read_layer(d, i, &plan);
        if (status != DIRECT_OK) {
            return status;
        }
        plan.layer.multipliers = multipliers;
        for (uint32_t row = 0; row < plan.weight_scales.count; row++) {
            (void)row_multiplier(d, &plan, row, multipliers++);
        }
        d->layers[i] = plan.layer;
    }
    return DIRECT_OK;
}

static void run_layer(const struct direct_layer *layer, const int8_t *in, int8_t *out) {
    const int8_t *weights = layer->weights;
    const uint8_t *bias = layer->bias;
    const struct quantized_multiplier *multiplier = layer->multipliers;
    const int32_t zero_point = layer->input_zero_point;
    for (uint32_t row = 0; row < layer->outputs; row++) {
        int32_t sum = 0; /* 65535 products of at most 255 * 128 fit */
        for (uint32_t i = 0; i < layer->inputs; i++) {
            sum += weights[i] * (in[i] - zero_point);
        }
        weights += layer->inputs;
        if (bias != NULL) {
            const uint32_t b = bias[0] | (uint32_t)bias[1] << 8 | (uint32_t)bias[2] << 16 | (uint32_t)bias[3] << 24;
            sum = (int32_t)((uint32_t)sum + b); /* wraps, as the interpreter's does */
            bias += 4;
        }
        sum = multiply_twice_rounded(sum, *multiplier);
        sum = (int32_t)((uint32_t)sum + (uint32_t)(int32_t)layer->output_zero_point);
        sum = sum < layer->low ? layer->low : sum;
        out[row] = (int8_t)(sum > layer->high ? layer->high : sum);
        multiplier += layer->per_row;
    }
}

void direct_run(const struct direct *d, const int8_t *in, int8_t *out) {
    for (uint32_t i = 0; i < d->layers_n; i++) {
        int8_t *result = i + 1u < d->layers_n ? d->buffer[i & 1] : out;
        run_layer(&d->layers[i], in, result);
        in = result;
    }
}
