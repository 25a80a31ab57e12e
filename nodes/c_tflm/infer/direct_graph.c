#include "direct_graph.h"

#include <stddef.h>

enum { SCHEMA_VERSION = 3, IDENTIFIER = 0x334C4654 /* "TFL3" */ };
enum { OPERATORS_MAX = 255, ELEMENTS_MAX = 1 << 24 };

/* What is read of the tables of the TensorFlow Lite schema, version 3: fields by their place in it. */
static const uint8_t MODEL[] = {FLATBUFFER_U32 | 0 /* version */, FLATBUFFER_VECTOR4 | 2 /* subgraphs */,
                                FLATBUFFER_VECTOR4 | 1 /* operator codes */, FLATBUFFER_VECTOR4 | 4 /* buffers */};
static const uint8_t SUBGRAPH[] = {FLATBUFFER_VECTOR4 | 0 /* tensors */, FLATBUFFER_VECTOR4 | 1 /* inputs */,
                                   FLATBUFFER_VECTOR4 | 2 /* outputs */, FLATBUFFER_VECTOR4 | 3 /* operators */};
static const uint8_t CODE[] = {FLATBUFFER_U8 | 0 /* deprecated */, FLATBUFFER_U32 | 3 /* builtin */};
static const uint8_t OPERATOR[] = {FLATBUFFER_U32 | 0 /* code */, FLATBUFFER_VECTOR4 | 1 /* inputs */,
                                   FLATBUFFER_VECTOR4 | 2 /* outputs */, FLATBUFFER_U8 | 3 /* type of options */,
                                   FLATBUFFER_TABLE | 4 /* options */};
static const uint8_t TENSOR[] = {FLATBUFFER_VECTOR4 | 0 /* shape */,
                                 FLATBUFFER_U8 | 1 /* type */,
                                 FLATBUFFER_U32 | 2 /* buffer */,
                                 FLATBUFFER_TABLE | 4 /* quantization */,
                                 FLATBUFFER_U8 | 5 /* is variable */,
                                 FLATBUFFER_U32 | 6 /* sparsity */,
                                 FLATBUFFER_U32 | 10 /* external buffer */};
static const uint8_t BUFFER[] = {FLATBUFFER_VECTOR1 | 0 /* data */, FLATBUFFER_U32 | 1 /* offset */};
static const uint8_t QUANTIZATION[] = {FLATBUFFER_VECTOR4 | 2 /* scale */, FLATBUFFER_VECTOR8 | 3 /* zero point */,
                                       FLATBUFFER_U32 | 6 /* dimension */};

#define READ(f, table, fields, out) flatbuffer_read(f, table, fields, sizeof(fields), out)

uint32_t graph_element(struct graph *g, struct flatbuffer_vector v, uint32_t i) {
    return i < v.count ? flatbuffer_u32(&g->f, v.first + 4 * i) : UINT32_MAX;
}

enum network_status graph_open(struct graph *g, const uint8_t *tflite, uint32_t size) {
    struct {
        uint32_t version;
        struct flatbuffer_vector subgraphs, codes, buffers;
    } model;
    struct flatbuffer *f = &g->f;
    f->data = tflite;
    f->size = size;
    f->bad = false;
    if (size < 8 || flatbuffer_u32(f, 4) != IDENTIFIER) {
        return NETWORK_NOT_TFLITE;
    }
    READ(f, flatbuffer_follow(f, 0), MODEL, &model);
    if (f->bad) {
        return NETWORK_TRUNCATED;
    }
    if (model.version != SCHEMA_VERSION) {
        return NETWORK_NOT_TFLITE;
    }
    if (model.subgraphs.count != 1) {
        return NETWORK_GRAPH;
    }
    g->codes = model.codes;
    g->buffers = model.buffers;
    READ(f, flatbuffer_element_table(f, model.subgraphs, 0), SUBGRAPH, &g->tensors);
    g->input = graph_element(g, g->inputs, 0);
    g->output = graph_element(g, g->outputs, 0);
    if (f->bad) {
        return NETWORK_TRUNCATED;
    }
    if (g->operators.count > OPERATORS_MAX) {
        return NETWORK_TOO_LARGE;
    }
    return g->inputs.count == 1 && g->outputs.count == 1 && g->operators.count != 0 ? NETWORK_OK : NETWORK_GRAPH;
}

void graph_operator(struct graph *g, uint32_t at, struct graph_operator *o) {
    READ(&g->f, flatbuffer_element_table(&g->f, g->operators, at), OPERATOR, o);
}

int32_t graph_builtin(struct graph *g, const struct graph_operator *o) {
    struct {
        uint32_t deprecated, builtin;
    } code;
    READ(&g->f, flatbuffer_element_table(&g->f, g->codes, o->code), CODE, &code);
    /* Numbers up to 127 may stand in the old, 8-bit field alone; the interpreter takes the larger. */
    const int32_t old = (int8_t)code.deprecated;
    const int32_t now = (int32_t)code.builtin;
    return old > now ? old : now;
}

uint32_t graph_last_use(struct graph *g, uint32_t tensor) {
    uint32_t last = 0;
    for (uint32_t at = 1; at < g->operators.count; at++) {
        struct graph_operator o;
        graph_operator(g, at, &o);
        for (uint32_t i = 0; i < o.inputs.count; i++) {
            if (graph_element(g, o.inputs, i) == tensor) {
                last = at;
            }
        }
    }
    return last;
}

static bool read_shape(struct flatbuffer *f, struct flatbuffer_vector shape, struct op_tensor *t) {
    uint32_t elements = 1;
    for (uint32_t i = 0; i < OP_RANK_MAX; i++) {
        const uint32_t n = i < shape.count ? flatbuffer_u32(f, shape.first + 4 * i) : 1;
        if (n - 1 >= ELEMENTS_MAX / elements) {
            return false; /* none, or too many */
        }
        t->shape[i] = n;
        elements *= n;
    }
    t->elements = elements;
    t->rank = (uint8_t)shape.count;
    return shape.count <= OP_RANK_MAX;
}

/* Bytes of a value by its type; 0: not supported. */
static const uint8_t BYTES[OP_INT8 + 1] = {[OP_FLOAT32] = 4, [OP_INT32] = 4, [OP_INT64] = 8, [OP_INT8] = 1};

/* int8: a usable scale and a zero point within int8, 64 bits wide, so that its upper half repeats its sign; or a scale
 * for each slice of a constant, and zero points of 0. */
static bool quantization_fits(struct flatbuffer *f, struct flatbuffer_vector zero_points, const struct op_tensor *t) {
    const uint32_t n = t->scales.count;
    if (n != 1 && (n == 0 || t->data.count == 0 || t->dimension >= t->rank || t->shape[t->dimension] != n)) {
        return false;
    }
    bool fits = zero_points.count == n;
    for (uint32_t i = 0; fits && i < n; i++) {
        const int32_t low = (int32_t)flatbuffer_u32(f, zero_points.first + 8 * i);
        const int32_t high = (int32_t)flatbuffer_u32(f, zero_points.first + 8 * i + 4);
        fits = scale_is_usable(flatbuffer_u32(f, t->scales.first + 4 * i)) && low == (n == 1 ? (int8_t)low : 0) &&
               high == -(low < 0);
    }
    return fits;
}

static enum network_status read_tensor(struct graph *g, uint32_t index, struct op_tensor *t) {
    struct {
        struct flatbuffer_vector shape;
        uint32_t type, buffer, quantization, is_variable, sparsity, external;
    } tensor;
    struct {
        struct flatbuffer_vector data;
        uint32_t offset;
    } buffer;
    struct {
        struct flatbuffer_vector scales, zero_points;
        uint32_t dimension;
    } quantization;
    struct flatbuffer *f = &g->f;
    if (index >= g->tensors.count) {
        return NETWORK_GRAPH;
    }
    READ(f, flatbuffer_element_table(f, g->tensors, index), TENSOR, &tensor);
    READ(f, flatbuffer_element_table(f, g->buffers, tensor.buffer), BUFFER, &buffer);
    READ(f, tensor.quantization, QUANTIZATION, &quantization);
    /* Data kept outside the file's vectors, sparse or changed by running: none of this is ours to interpret. */
    if ((tensor.is_variable | tensor.sparsity | tensor.external | buffer.offset) != 0) {
        return NETWORK_OPTIONS;
    }
    const uint32_t bytes = tensor.type > OP_INT8 ? 0 : BYTES[tensor.type];
    if (bytes == 0) {
        return NETWORK_TYPE;
    }
    if (!read_shape(f, tensor.shape, t)) {
        return NETWORK_SHAPE;
    }
    t->type = (uint8_t)tensor.type;
    t->data = buffer.data;
    if (buffer.data.count != 0 && buffer.data.count != t->elements * bytes) {
        return NETWORK_SHAPE;
    }
    t->scales = quantization.scales;
    t->dimension = quantization.dimension;
    t->scale = 0;
    t->zero_point = 0;
    if (quantization.scales.count != 0 && quantization.zero_points.count != 0) {
        t->scale = flatbuffer_u32(f, quantization.scales.first);
        t->zero_point = (int32_t)flatbuffer_u32(f, quantization.zero_points.first);
    }
    const bool fits = t->type != OP_INT8 || quantization_fits(f, quantization.zero_points, t);
    return fits ? NETWORK_OK : NETWORK_QUANTIZATION;
}

enum network_status graph_read(struct graph *g, const struct graph_operator *o, uint8_t options_type,
                               struct op_read *r) {
    r->f = &g->f;
    r->options = options_type == 0 ? 0 : o->options;
    if (o->inputs.count - 1 >= OP_INPUTS_MAX || o->outputs.count != 1) {
        return NETWORK_GRAPH;
    }
    r->inputs_n = (uint8_t)o->inputs.count;
    r->outputs_n = 1;
    enum network_status status = read_tensor(g, graph_element(g, o->outputs, 0), r->out);
    for (uint32_t i = 0; i < OP_INPUTS_MAX && status == NETWORK_OK; i++) {
        const uint32_t tensor = graph_element(g, o->inputs, i);
        r->has_in[i] = tensor != UINT32_MAX;
        if (r->has_in[i]) {
            status = read_tensor(g, tensor, &r->in[i]);
        }
    }
    if (status == NETWORK_OK && options_type != 0 && (o->options_type != options_type || o->options == 0)) {
        status = NETWORK_OPTIONS;
    }
    if (status == NETWORK_OK && (r->out[0].data.count != 0 || !r->has_in[0])) {
        status = NETWORK_GRAPH;
    }
    return status;
}

bool op_row_multipliers(struct op_read *r, const struct op_tensor *weights, struct quantized_multiplier *out) {
    bool fits = true;
    for (uint32_t i = 0; i < weights->scales.count; i++) {
        struct quantized_multiplier m;
        const uint32_t scale = flatbuffer_u32(r->f, weights->scales.first + 4 * i);
        fits = multiplier_of_scales(r->in[0].scale, scale, r->out[0].scale, true, &m) && fits;
        if (out != NULL) {
            out[i] = m;
        }
    }
    return fits;
}

enum network_status op_activation_range(struct op_read *r, uint8_t fused, int16_t *low, int16_t *high) {
    const int32_t zero = r->out[0].zero_point;
    int32_t least = INT8_MIN, most = INT8_MAX;
    if (fused > OP_RELU6) {
        return NETWORK_OPTIONS;
    }
    if (fused == OP_RELU) {
        least = zero;
    } else if (fused != OP_ACTIVATION_NONE) {
        int32_t up;
        if (!quantize_whole(fused == OP_RELU6 ? 6 : 1, r->out[0].scale, &up)) {
            return NETWORK_QUANTIZATION;
        }
        most = zero + up < most ? zero + up : most;
        least = fused == OP_RELU6 ? zero : zero - up > least ? zero - up : least;
    }
    *low = (int16_t)least;
    *high = (int16_t)most;
    return NETWORK_OK;
}
