#include "direct_graph.h"

#include <stddef.h>

enum { SCHEMA_VERSION = 3, IDENTIFIER = 0x334C4654 /* "TFL3" */ };
enum { OPERATORS_MAX = 255, ELEMENTS_MAX = 1 << 24 };

/* What is read of the tables of the TensorFlow Lite schema, version 3: fields by their place in it. */
static const uint8_t MODEL[] = {FLATBUFFER_U32 + 0 /* version */,
                                FLATBUFFER_VECTOR4 + 1 /* operator codes */,
                                FLATBUFFER_VECTOR4 + 4 /* buffers */,
                                FLATBUFFER_FIRST + 2 /* subgraphs */,
                                FLATBUFFER_VECTOR4 + 0 /* its tensors */,
                                FLATBUFFER_VECTOR4 + 1 /* inputs */,
                                FLATBUFFER_VECTOR4 + 2 /* outputs */,
                                FLATBUFFER_VECTOR4 + 3 /* operators */,
                                FLATBUFFER_END};
static const uint8_t CODE[] = {FLATBUFFER_U8 + 0 /* deprecated */, FLATBUFFER_U32 + 3 /* builtin */, FLATBUFFER_END};
static const uint8_t OPERATOR[] = {FLATBUFFER_U32 + 0 /* code */,        FLATBUFFER_VECTOR4 + 1 /* inputs */,
                                   FLATBUFFER_VECTOR4 + 2 /* outputs */, FLATBUFFER_U8 + 3 /* type of options */,
                                   FLATBUFFER_TABLE + 4 /* options */,   FLATBUFFER_END};
static const uint8_t INPUTS[] = {FLATBUFFER_VECTOR4 + 1 /* of an operator */, FLATBUFFER_END};
/* Data kept outside the file's vectors, sparse or changed by running: none of this is ours to interpret. */
static const uint8_t TENSOR[] = {FLATBUFFER_VECTOR4 + 0 /* shape */,
                                 FLATBUFFER_U8 + 1 /* type */,
                                 FLATBUFFER_U32 + 2 /* buffer */,
                                 FLATBUFFER_UNUSED + FLATBUFFER_U8 + 5 /* is variable */,
                                 FLATBUFFER_UNUSED + FLATBUFFER_U32 + 6 /* sparsity */,
                                 FLATBUFFER_UNUSED + FLATBUFFER_U32 + 10 /* external buffer */,
                                 FLATBUFFER_TABLE + 4 /* quantization */,
                                 FLATBUFFER_VECTOR4 + 2 /* its scales */,
                                 FLATBUFFER_VECTOR8 + 3 /* zero points */,
                                 FLATBUFFER_U32 + 6 /* dimension */,
                                 FLATBUFFER_END};
static const uint8_t BUFFER[] = {FLATBUFFER_VECTOR1 + 0 /* data */, FLATBUFFER_UNUSED + FLATBUFFER_U32 + 1 /* offset */,
                                 FLATBUFFER_END};

enum network_status graph_open(struct graph *g) {
    struct flatbuffer *f = &g->f;
    f->refused = NETWORK_OK;
    /* Without a root all of it reads as 0. */
    flatbuffer_read(f, little_u32(f->data + 4) == IDENTIFIER ? little_u32(f->data) : 0, MODEL, &g->version);
    if (g->version != SCHEMA_VERSION) {
        return NETWORK_NOT_TFLITE;
    }
    if (g->operators.count > OPERATORS_MAX) {
        return NETWORK_TOO_LARGE;
    }
    return g->subgraphs.count == 1 && g->inputs.count == 1 && g->outputs.count == 1 ? NETWORK_OK : NETWORK_GRAPH;
}

int32_t graph_operator(struct graph *g, uint32_t at, struct op_read *r) {
    struct {
        uint32_t deprecated, builtin;
    } code;
    flatbuffer_read(&g->f, flatbuffer_table(&g->f, g->operators, at), OPERATOR, &r->code);
    flatbuffer_read(&g->f, flatbuffer_table(&g->f, g->codes, r->code), CODE, &code);
    /* Numbers up to 127 may stand in the old, 8-bit field alone; the interpreter takes the larger. */
    const int32_t old = (int8_t)code.deprecated;
    const int32_t now = (int32_t)code.builtin;
    return old > now ? old : now;
}

uint32_t graph_last_use(struct graph *g, uint32_t tensor) {
    uint32_t last = 0;
    for (uint32_t at = 1; at < g->operators.count; at++) {
        struct flatbuffer_vector inputs;
        flatbuffer_read(&g->f, flatbuffer_table(&g->f, g->operators, at), INPUTS, &inputs);
        for (uint32_t i = 0; i < inputs.count; i++) {
            if (flatbuffer_element(&g->f, inputs, i) == tensor) {
                last = at;
            }
        }
    }
    return last;
}

/* Bytes of a value by its type; 0: not supported. */
static const uint8_t BYTES[OP_INT8 + 1] = {[OP_FLOAT32] = 4, [OP_INT32] = 4, [OP_INT64] = 8, [OP_INT8] = 1};

static inline bool shape_fits(const struct flatbuffer *f, struct op_tensor *t, uint32_t bytes) {
    uint32_t elements = 1;
    for (uint32_t i = 0; i < OP_RANK_MAX; i++) {
        const uint32_t n = i < t->sizes.count ? flatbuffer_element(f, t->sizes, i) : 1;
        if (n - 1 >= ELEMENTS_MAX / elements) {
            return false; /* none, or too many */
        }
        t->shape[i] = n;
        elements *= n;
    }
    t->elements = elements;
    t->values = t->data.count == 0 ? NULL : f->data + t->data.at + 4;
    return t->sizes.count <= OP_RANK_MAX && (t->data.count == 0 || t->data.count == elements * bytes);
}

/* int8: a usable scale and a zero point within int8, 64 bits wide, so that its upper half repeats its sign; or one of
 * each for every slice of a constant. */
static inline bool quantization_fits(const struct flatbuffer *f, struct op_tensor *t) {
    const uint32_t n = t->scales.count;
    t->scale = 0;
    t->zero_point = 0;
    if (t->type == OP_INT8 &&
        (t->zero_points.count != n ||
         (n != 1 && (t->values == NULL || t->dimension >= t->sizes.count || t->shape[t->dimension] != n)))) {
        return false;
    }
    for (uint32_t i = n; i-- != 0;) {
        t->scale = flatbuffer_element(f, t->scales, i);
        if (t->type == OP_INT8) {
            const int32_t low = (int32_t)flatbuffer_element(f, t->zero_points, 2 * i);
            const int32_t high = (int32_t)flatbuffer_element(f, t->zero_points, 2 * i + 1);
            if (low != (int8_t)low || high != low >> 31 || !scale_is_usable(t->scale)) {
                return false;
            }
            t->zero_point |= low;
        }
    }
    return true;
}

__attribute__((noinline)) enum network_status graph_tensor(struct graph *g, struct op_tensor *t) {
    struct flatbuffer *f = &g->f;
    flatbuffer_read(f, flatbuffer_table(f, g->tensors, t->number), TENSOR, &t->sizes);
    flatbuffer_read(f, flatbuffer_table(f, g->buffers, t->buffer), BUFFER, &t->data);
    const uint32_t bytes = t->type > OP_INT8 ? 0 : BYTES[t->type];
    if (bytes == 0) {
        return NETWORK_TYPE;
    }
    if (!shape_fits(f, t, bytes)) {
        return NETWORK_SHAPE;
    }
    return quantization_fits(f, t) ? NETWORK_OK : NETWORK_QUANTIZATION;
}

enum network_status graph_read(struct graph *g, struct op_read *r, struct op_tensor *t) {
    r->f = &g->f;
    if (r->inputs.count > OP_INPUTS_MAX || r->outputs.count != 1) {
        return NETWORK_GRAPH;
    }
    r->out = t;
    t->number = flatbuffer_element(&g->f, r->outputs, 0);
    enum network_status status = graph_tensor(g, t);
    for (uint32_t i = 0; i < OP_INPUTS_MAX; i++) {
        r->in[i] = NULL;
        if (status == NETWORK_OK && i < r->inputs.count) {
            t++;
            t->number = flatbuffer_element(&g->f, r->inputs, i);
            if (t->number != UINT32_MAX) {
                r->in[i] = t;
                status = graph_tensor(g, t);
            }
        }
    }
    if (status == NETWORK_OK && (r->in[0] == NULL || r->out->values != NULL)) {
        status = NETWORK_GRAPH;
    }
    return status;
}

bool op_row_multipliers(struct op_read *r, const struct op_tensor *weights, struct quantized_multiplier *out) {
    bool fits = true;
    for (uint32_t i = 0; i < weights->scales.count; i++) {
        struct quantized_multiplier m;
        const uint32_t scale = flatbuffer_element(r->f, weights->scales, i);
        fits = multiplier_of_scales(r->in[0]->scale, scale, r->out->scale, &m) && fits;
        if (out != NULL) {
            out[i] = m;
        }
    }
    return fits;
}

enum network_status op_activation_range(struct op_read *r, uint32_t fused, int8_t *low, int8_t *high) {
    const int32_t zero = r->out->zero_point;
    int32_t least = INT8_MIN, most = INT8_MAX;
    if (fused > OP_RELU6) {
        return NETWORK_OPTIONS;
    }
    if (fused >= OP_RELU_N1_TO_1) {
        const int32_t up = (int32_t)quantize_whole(fused == OP_RELU6 ? SCALE_SIX : SCALE_ONE, r->out->scale);
        most = zero + up < most ? zero + up : most;
        least = zero - up > least ? zero - up : least;
    }
    if ((fused & OP_RELU) != 0) { /* or OP_RELU6 */
        least = zero;
    }
    *low = (int8_t)least;
    *high = (int8_t)most;
    return NETWORK_OK;
}
