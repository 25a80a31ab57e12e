/* stethos_native.learner: the learner, in 4096 bytes that the caller keeps (Learner(state), a bytearray of BYTES). What
 * is in them goes on where it was, so they may be copied away before a deep sleep and back after it: all of them, or
 * `lasting` when it has learned something, and `moving` each time. */
#include "binding.h"

#include <string.h>

#include "../../c_tflm/core/learner.h"

enum { CHUNKS = 8, WINDOWS_MIN = 24, CHANNELS_MAX = 9, AVERAGE_MAX = 5, LEARNED_MAX = 65535 };

struct learner_object {
    mp_obj_base_t base;
    mp_obj_t state;
    mp_obj_t verdict_type;
    mp_obj_t diagnosis_type;
};

static bool between(int32_t x, int32_t low, int32_t high) {
    return x >= low && x <= high;
}

/* The caller may have handed in any bytes. What the learner finds its places by, and divides by, is looked at; a state
 * from where bytes can spoil needs a checksum of its own. */
static bool plausible(const struct learner *l) {
    const struct learner_head *h = &l->head;
    const struct learner_known *k = &h->known;
    const uint32_t row = sizeof(struct learner_feature) + sizeof(struct learner_base);
    if (h->state == LEARNER_EMPTY || h->state > LEARNER_WATCHING || !between(k->channels, 1, CHANNELS_MAX) ||
        !between(k->feature_set, 0, UINT8_MAX) || !between(k->average, 1, AVERAGE_MAX) || !between(k->frozen, 0, 1) ||
        h->features == 0 || h->features > LEARNER_FEATURES_MAX ||
        h->features != feature_set_size((uint8_t)k->feature_set, (uint8_t)k->channels)) {
        return false;
    }
    const bool stands = h->state == LEARNER_LEARNING || between(k->learned, WINDOWS_MIN, LEARNED_MAX);
    return stands && between(h->windows, WINDOWS_MIN, LEARNER_WINDOWS_MAX) && h->windows % CHUNKS == 0 &&
           sizeof l->head + h->features * (row + h->windows) <= LEARNER_BYTES &&
           (h->state != LEARNER_LEARNING || h->rows < h->windows);
}

static struct learner *memory_of(mp_obj_t state) {
    return (struct learner *)(void *)writable(state, sizeof(struct learner), sizeof(uint32_t)).data;
}

static struct learner *learner_of(mp_obj_t object) {
    const struct learner_object *self = MP_OBJ_TO_PTR(object);
    struct learner *l = memory_of(self->state);
    if (!plausible(l)) {
        refuse("no learner in that state");
    }
    return l;
}

static mp_obj_t must(enum learner_reply reply) {
    switch (reply) {
    case LEARNER_NOT_NOW:
        refuse("not now");
    case LEARNER_MISFIT:
        refuse("misfit");
    case LEARNER_DAMAGED:
        refuse("damaged");
    default:
        return MP_OBJ_NEW_SMALL_INT(reply);
    }
}

/* Learner(state): goes on. Learner(state, feature_set, channels, windows=0, average=1, events_ppb=0): begins to learn.
 */
static mp_obj_t learner_learner_make_new(const mp_obj_type_t *type, size_t n, size_t n_kw, const mp_obj_t *arguments) {
    mp_arg_check_num(n, n_kw, 1, 6, false);
    if (n > 1) {
        const struct learner_setup setup = {
            .feature_set = (uint8_t)whole(arguments[1], 0, UINT8_MAX),
            .channels = (uint8_t)whole(n > 2 ? arguments[2] : MP_OBJ_NEW_SMALL_INT(0), 1, CHANNELS_MAX),
            .windows = (uint16_t)(n > 3 ? whole(arguments[3], 0, UINT16_MAX) : 0),
            .average = (uint8_t)(n > 4 ? whole(arguments[4], 0, UINT8_MAX) : 1),
            .events_ppb = n > 5 ? unsigned_32(arguments[5]) : 0,
        };
        must(learner_init(memory_of(arguments[0]), &setup));
    }
    struct learner_object *self = mp_obj_malloc(struct learner_object, type);
    self->state = arguments[0];
    self->verdict_type =
        record_type("Verdict", "error threshold similarity score leading anomalous latched moved drifted");
    self->diagnosis_type =
        record_type("Diagnosis", "state learned wanted refused followed events_ppb drift_q8 least_similarity");
    learner_of(MP_OBJ_FROM_PTR(self));
    return MP_OBJ_FROM_PTR(self);
}

static mp_obj_t learn(mp_obj_t object, mp_obj_t features) {
    int32_t values[LEARNER_FEATURES_MAX];
    const size_t n = whole_list(features, values, COUNT_OF(values));
    struct learner *l = learner_of(object);
    must_be(n, l->head.features);
    return must(learner_learn(l, values));
}
static MP_DEFINE_CONST_FUN_OBJ_2(learn_object, learn);

static mp_obj_t detect(mp_obj_t object, mp_obj_t features) {
    int32_t values[LEARNER_FEATURES_MAX];
    struct learner_verdict v;
    const size_t n = whole_list(features, values, COUNT_OF(values));
    struct learner *l = learner_of(object);
    const struct learner_object *self = MP_OBJ_TO_PTR(object);
    must_be(n, l->head.features);
    must(learner_detect(l, values, &v));
    const mp_obj_t fields[] = {mp_obj_new_int_from_uint(v.error),  mp_obj_new_int_from_uint(v.threshold),
                               MP_OBJ_NEW_SMALL_INT(v.similarity), MP_OBJ_NEW_SMALL_INT(v.score),
                               MP_OBJ_NEW_SMALL_INT(v.leading),    mp_obj_new_bool(v.anomalous),
                               mp_obj_new_bool(v.latched),         mp_obj_new_bool(v.moved),
                               mp_obj_new_bool(v.drifted)};
    return mp_call_function_n_kw(self->verdict_type, COUNT_OF(fields), 0, fields);
}
static MP_DEFINE_CONST_FUN_OBJ_2(detect_object, detect);

static mp_obj_t diagnose(mp_obj_t object) {
    struct learner_diagnosis d;
    learner_diagnose(learner_of(object), &d);
    const struct learner_object *self = MP_OBJ_TO_PTR(object);
    const mp_obj_t fields[] = {MP_OBJ_NEW_SMALL_INT(d.state),        MP_OBJ_NEW_SMALL_INT(d.learned),
                               MP_OBJ_NEW_SMALL_INT(d.wanted),       mp_obj_new_int_from_uint(d.refused),
                               mp_obj_new_int_from_uint(d.followed), mp_obj_new_int_from_uint(d.events_ppb),
                               MP_OBJ_NEW_SMALL_INT(d.drift_q8),     MP_OBJ_NEW_SMALL_INT(d.least_similarity)};
    return mp_call_function_n_kw(self->diagnosis_type, COUNT_OF(fields), 0, fields);
}
static MP_DEFINE_CONST_FUN_OBJ_1(diagnose_object, diagnose);

static mp_obj_t relearn(size_t n, const mp_obj_t *arguments) {
    const uint16_t windows = (uint16_t)(n > 1 ? whole(arguments[1], 0, UINT16_MAX) : 0);
    must(learner_relearn(learner_of(arguments[0]), windows));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(relearn_object, 1, 2, relearn);

static mp_obj_t sensitivity(mp_obj_t object, mp_obj_t events_ppb) {
    const uint32_t events = unsigned_32(events_ppb);
    must(learner_sensitivity(learner_of(object), events));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(sensitivity_object, sensitivity);

static mp_obj_t rate_ppb(mp_obj_t object, mp_obj_t similarity) {
    const uint8_t least = (uint8_t)whole(similarity, 0, UINT8_MAX);
    return mp_obj_new_int_from_uint(learner_rate_ppb(learner_of(object), least));
}
static MP_DEFINE_CONST_FUN_OBJ_2(rate_ppb_object, rate_ppb);

static mp_obj_t save(mp_obj_t object) {
    const struct learner *l = learner_of(object);
    uint8_t *out = m_new(uint8_t, LEARNER_IMAGE_MAX);
    const mp_obj_t image = mp_obj_new_bytes(out, learner_save(l, out, LEARNER_IMAGE_MAX));
    m_del(uint8_t, out, LEARNER_IMAGE_MAX);
    return image;
}
static MP_DEFINE_CONST_FUN_OBJ_1(save_object, save);

static mp_obj_t load(mp_obj_t object, mp_obj_t image) {
    const struct run run = readable(image);
    must(learner_load(learner_of(object), run.data, run.n));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(load_object, load);

static mp_obj_t merge(mp_obj_t object, mp_obj_t image) {
    const struct run run = readable(image);
    must(learner_merge(learner_of(object), run.data, run.n));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(merge_object, merge);

static mp_obj_t rollback(mp_obj_t object) {
    must(learner_rollback(learner_of(object)));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(rollback_object, rollback);

static mp_obj_t freeze(mp_obj_t object, mp_obj_t frozen) {
    learner_freeze(learner_of(object), mp_obj_is_true(frozen));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(freeze_object, freeze);

static mp_obj_t acknowledge(mp_obj_t object) {
    learner_acknowledge(learner_of(object));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(acknowledge_object, acknowledge);

/* --- Through sleep */

/* How much of the state is in use. */
static size_t lasting_n(const struct learner_head *h) {
    const size_t row = sizeof(struct learner_feature) + sizeof(struct learner_base);
    const size_t rows = h->state == LEARNER_LEARNING ? h->rows : 0;
    return sizeof *h + h->features * (row + rows);
}

static mp_obj_t lasting(mp_obj_t object) {
    const struct learner *l = learner_of(object);
    return mp_obj_new_bytes((const uint8_t *)l, lasting_n(&l->head));
}
static MP_DEFINE_CONST_FUN_OBJ_1(lasting_object, lasting);

/* What a window moves that was not learned from: the head, and each feature's mean and average. */
enum { MOVES = 2 * sizeof(int32_t) };

_Static_assert(offsetof(struct learner_feature, average) == offsetof(struct learner_feature, mean) + sizeof(int32_t),
               "they are copied together");

static mp_obj_t moving(mp_obj_t object) {
    const struct learner *l = learner_of(object);
    uint8_t out[sizeof l->head + MOVES * LEARNER_FEATURES_MAX];
    uint8_t *to = out + sizeof l->head;
    memcpy(out, &l->head, sizeof l->head);
    for (uint32_t j = 0; j < l->head.features; j++, to += MOVES) {
        memcpy(to, &l->room.features[j].mean, MOVES);
    }
    return mp_obj_new_bytes(out, (size_t)(to - out));
}
static MP_DEFINE_CONST_FUN_OBJ_1(moving_object, moving);

/* Behind the `lasting` of the same learner: "misfit" if it is of another. */
static mp_obj_t move(mp_obj_t object, mp_obj_t moved) {
    const struct run run = readable(moved);
    struct learner *l = learner_of(object);
    struct learner_head *h = &l->head;
    const struct learner_head before = *h;
    if (run.n != sizeof *h + MOVES * h->features) {
        refuse("misfit");
    }
    memcpy(h, run.data, sizeof *h);
    if (!plausible(l) || h->state != before.state || h->features != before.features ||
        lasting_n(h) != lasting_n(&before)) {
        *h = before;
        refuse("misfit");
    }
    const uint8_t *from = run.data + sizeof *h;
    for (uint32_t j = 0; j < h->features; j++, from += MOVES) {
        memcpy(&l->room.features[j].mean, from, MOVES);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(move_object, move);

#define METHODS(FUNCTION, NUMBER, CLASS)                                                                               \
    FUNCTION(MP_QSTR_learn, learn_object)                                                                              \
    FUNCTION(MP_QSTR_detect, detect_object)                                                                            \
    FUNCTION(MP_QSTR_diagnose, diagnose_object)                                                                        \
    FUNCTION(MP_QSTR_relearn, relearn_object)                                                                          \
    FUNCTION(MP_QSTR_sensitivity, sensitivity_object)                                                                  \
    FUNCTION(MP_QSTR_rate_ppb, rate_ppb_object)                                                                        \
    FUNCTION(MP_QSTR_save, save_object)                                                                                \
    FUNCTION(MP_QSTR_load, load_object)                                                                                \
    FUNCTION(MP_QSTR_merge, merge_object)                                                                              \
    FUNCTION(MP_QSTR_rollback, rollback_object)                                                                        \
    FUNCTION(MP_QSTR_freeze, freeze_object)                                                                            \
    FUNCTION(MP_QSTR_acknowledge, acknowledge_object)                                                                  \
    FUNCTION(MP_QSTR_lasting, lasting_object)                                                                          \
    FUNCTION(MP_QSTR_moving, moving_object)                                                                            \
    FUNCTION(MP_QSTR_move, move_object)

DEFINE_CLASS(learner_learner, MP_QSTR_Learner, METHODS)

#define MEMBERS(FUNCTION, NUMBER, CLASS)                                                                               \
    CLASS(MP_QSTR_Learner, learner_learner)                                                                            \
    NUMBER(MP_QSTR_BYTES, LEARNER_BYTES)                                                                               \
    NUMBER(MP_QSTR_MORE, LEARNER_MORE)                                                                                 \
    NUMBER(MP_QSTR_DONE, LEARNER_DONE)                                                                                 \
    NUMBER(MP_QSTR_ANOMALOUS, LEARNER_ANOMALOUS)                                                                       \
    NUMBER(MP_QSTR_LEARNING, LEARNER_LEARNING)                                                                         \
    NUMBER(MP_QSTR_WATCHING, LEARNER_WATCHING)                                                                         \
    NUMBER(MP_QSTR_FROZEN, LEARNER_FROZEN)

DEFINE_MODULE(learner, MEMBERS)
