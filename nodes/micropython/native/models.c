/* stethos_native.model: model images and bare networks, run by the engine `direct` where they lie. */
#include "binding.h"

#include <string.h>

#include "../../c_tflm/infer/model.h"

enum { ALIGNMENT = 8, IDENTIFIER_AT = 4, IDENTIFIER_SIZE = 4 };

/* An object keeps both buffers alive. It must not lose them either: a bytearray that grows may move. */
struct lent {
    mp_obj_t image;
    mp_obj_t memory;
    struct run image_run;
    struct run memory_run;
};

static struct lent lend(mp_obj_t image, mp_obj_t memory) {
    return (struct lent){image, memory, readable(image), writable(memory, 0, ALIGNMENT)};
}

static bool moved(struct run before, struct run now) {
    return before.data != now.data || before.n != now.n;
}

static void check_lent(const struct lent *l) {
    if (moved(l->image_run, readable(l->image)) || moved(l->memory_run, writable(l->memory, 0, ALIGNMENT))) {
        refuse("image or memory has changed its place or size");
    }
}

/* ValueError with a word for people, then numbers: enum network_status, BuiltinOperator and its place in the file. */
static void must(enum model_status status, const struct network *n, enum network_status network) {
    if (status == MODEL_OK) {
        return;
    }
    const char *text = model_status_text(status);
    if (status != MODEL_NETWORK) {
        refuse(text);
    }
    const mp_obj_t refusal[] = {text_of(text), MP_OBJ_NEW_SMALL_INT(network), MP_OBJ_NEW_SMALL_INT(n->refused_op),
                                MP_OBJ_NEW_SMALL_INT(n->refused_at)};
    nlr_raise(mp_obj_new_exception_arg1(&mp_type_ValueError, mp_obj_new_tuple(COUNT_OF(refusal), refusal)));
}

static void must_network(enum network_status status, const struct network *n) {
    must(status == NETWORK_OK ? MODEL_OK : status == NETWORK_NO_MEMORY ? MODEL_NO_MEMORY : MODEL_NETWORK, n, status);
}

/* --- Network(tflite, memory) */

struct network_object {
    mp_obj_base_t base;
    struct lent lent;
    struct network network;
};

static mp_obj_t model_network_make_new(const mp_obj_type_t *type, size_t n, size_t n_kw, const mp_obj_t *arguments) {
    mp_arg_check_num(n, n_kw, 2, 2, false);
    struct network_object *self = mp_obj_malloc(struct network_object, type);
    self->lent = lend(arguments[0], arguments[1]);
    const struct lent *l = &self->lent;
    enum network_status status = network_open(&self->network, l->image_run.data, l->image_run.n);
    if (status == NETWORK_OK) {
        status = network_attach(&self->network, l->memory_run.data, l->memory_run.n);
    }
    must_network(status, &self->network);
    return MP_OBJ_FROM_PTR(self);
}

static size_t bytes_of(const struct network_end *end) {
    return end->type == NETWORK_INT8 ? end->size : sizeof(float) * end->size;
}

static struct network_object *network_of(mp_obj_t object) {
    struct network_object *self = MP_OBJ_TO_PTR(object);
    check_lent(&self->lent);
    return self;
}

/* run(inputs, outputs): buffers of as many bytes as the network says, aligned where these are floats. */
static mp_obj_t network_run_(mp_obj_t object, mp_obj_t inputs, mp_obj_t outputs) {
    const struct network *n = &network_of(object)->network;
    const struct run in = readable(inputs);
    const size_t out_n = bytes_of(&n->output);
    const struct run out = writable(outputs, out_n, n->output.type == NETWORK_INT8 ? 1 : sizeof(float));
    const bool aligned = n->input.type == NETWORK_INT8 || (uintptr_t)in.data % sizeof(float) == 0;
    const bool apart = in.data + in.n <= out.data || out.data + out_n <= in.data;
    if (in.n != bytes_of(&n->input) || out.n != out_n || !aligned || !apart) {
        refuse("not the bytes that the network takes and gives");
    }
    network_run(n, in.data, out.data);
    return outputs;
}
static MP_DEFINE_CONST_FUN_OBJ_3(network_run_object, network_run_);

static mp_obj_t end_of(const struct network_end *end) {
    const mp_obj_t numbers[] = {MP_OBJ_NEW_SMALL_INT(end->size), mp_obj_new_int_from_uint(end->scale),
                                MP_OBJ_NEW_SMALL_INT(end->zero_point), MP_OBJ_NEW_SMALL_INT(end->type)};
    return mp_obj_new_tuple(COUNT_OF(numbers), numbers);
}

/* Two tuples, of input and output: values, bits of the scale, zero point, type (0: float, 9: int8). */
static mp_obj_t network_ends(mp_obj_t object) {
    const struct network *n = &network_of(object)->network;
    const mp_obj_t ends[] = {end_of(&n->input), end_of(&n->output)};
    return mp_obj_new_tuple(COUNT_OF(ends), ends);
}
static MP_DEFINE_CONST_FUN_OBJ_1(network_ends_object, network_ends);

#define NETWORK_MEMBERS(FUNCTION, NUMBER, CLASS)                                                                       \
    FUNCTION(MP_QSTR_run, network_run_object)                                                                          \
    FUNCTION(MP_QSTR_ends, network_ends_object)

DEFINE_CLASS(model_network, MP_QSTR_Network, NETWORK_MEMBERS)

/* --- Model(image, memory) */

struct model_object {
    mp_obj_base_t base;
    struct lent lent;
    mp_obj_t score_type;
    struct model model;
};

static mp_obj_t model_model_make_new(const mp_obj_type_t *type, size_t n, size_t n_kw, const mp_obj_t *arguments) {
    mp_arg_check_num(n, n_kw, 2, 2, false);
    struct model_object *self = mp_obj_malloc(struct model_object, type);
    self->lent = lend(arguments[0], arguments[1]);
    self->score_type = record_type("Score", "error score why anomalous");
    const struct lent *l = &self->lent;
    struct model *m = &self->model;
    must(model_open(m, l->image_run.data, l->image_run.n, l->memory_run.data, l->memory_run.n), &m->network,
         m->refused);
    return MP_OBJ_FROM_PTR(self);
}

static struct model_object *model_of(mp_obj_t object) {
    struct model_object *self = MP_OBJ_TO_PTR(object);
    check_lent(&self->lent);
    return self;
}

static mp_obj_t model_score_(mp_obj_t object, mp_obj_t features) {
    int32_t values[MODEL_FEATURES_MAX];
    struct model_score score;
    const size_t n = whole_list(features, values, COUNT_OF(values));
    const struct model_object *self = model_of(object);
    must_be(n, self->model.features_n);
    model_score(&self->model, values, &score);
    const mp_obj_t fields[] = {mp_obj_new_int_from_uint(score.error), MP_OBJ_NEW_SMALL_INT(score.score),
                               MP_OBJ_NEW_SMALL_INT(score.why), mp_obj_new_bool(score.anomalous)};
    return mp_call_function_n_kw(self->score_type, COUNT_OF(fields), 0, fields);
}
static MP_DEFINE_CONST_FUN_OBJ_2(model_score_object, model_score_);

static mp_obj_t model_about(mp_obj_t object) {
    const struct model *m = &model_of(object)->model;
    const mp_obj_t fields[] = {MP_OBJ_NEW_SMALL_INT(m->feature_set),  MP_OBJ_NEW_SMALL_INT(m->channels),
                               MP_OBJ_NEW_SMALL_INT(m->samples),      MP_OBJ_NEW_SMALL_INT(m->generation),
                               MP_OBJ_NEW_SMALL_INT(m->features_n),   mp_obj_new_bytes(m->id, sizeof m->id),
                               mp_obj_new_int_from_uint(m->threshold)};
    const mp_obj_t type = record_type("About", "feature_set channels samples generation features id threshold");
    return mp_call_function_n_kw(type, COUNT_OF(fields), 0, fields);
}
static MP_DEFINE_CONST_FUN_OBJ_1(model_about_object, model_about);

#define MODEL_MEMBERS(FUNCTION, NUMBER, CLASS)                                                                         \
    FUNCTION(MP_QSTR_score, model_score_object)                                                                        \
    FUNCTION(MP_QSTR_about, model_about_object)

DEFINE_CLASS(model_model, MP_QSTR_Model, MODEL_MEMBERS)

/* --- The bytes of memory that a model image, or a bare .tflite, takes */

static mp_obj_t memory_size(mp_obj_t image_object) {
    const struct run image = readable(image_object);
    struct network n;
    struct model m;
    if (image.n >= IDENTIFIER_AT + IDENTIFIER_SIZE &&
        memcmp(image.data + IDENTIFIER_AT, "TFL3", IDENTIFIER_SIZE) == 0) {
        must_network(network_open(&n, image.data, image.n), &n);
        return mp_obj_new_int_from_uint(n.memory_size);
    }
    const enum model_status status = model_open(&m, image.data, image.n, NULL, 0);
    must(status == MODEL_NO_MEMORY ? MODEL_OK : status, &m.network, m.refused);
    return mp_obj_new_int_from_uint(m.memory_size);
}
static MP_DEFINE_CONST_FUN_OBJ_1(memory_size_object, memory_size);

#define MEMBERS(FUNCTION, NUMBER, CLASS)                                                                               \
    CLASS(MP_QSTR_Model, model_model)                                                                                  \
    CLASS(MP_QSTR_Network, model_network)                                                                              \
    FUNCTION(MP_QSTR_memory_size, memory_size_object)

DEFINE_MODULE(model, MEMBERS)
