/* stethos_native.feature_set: as lib/stethos/feature_set.py. */
#include "binding.h"

#include "../../c_tflm/core/feature_set.h"

enum { LONGEST = 1024, LONGEST_STATISTICS = 4096, SHORTEST = 32, CHANNELS_MAX = 9 };

struct window {
    const int16_t *samples;
    uint16_t n;
    uint8_t channels;
};

/* samples, n, channels */
static struct window window_of(const mp_obj_t *arguments, int32_t shortest, int32_t longest) {
    struct window w;
    w.n = (uint16_t)whole(arguments[1], shortest, longest);
    w.channels = (uint8_t)whole(arguments[2], 1, CHANNELS_MAX);
    mp_buffer_info_t samples;
    mp_get_buffer_raise(arguments[0], &samples, MP_BUFFER_READ);
    if (samples.typecode != 'h' || samples.len < sizeof(int16_t) * w.n * w.channels ||
        (uintptr_t)samples.buf % sizeof(int16_t) != 0) {
        refuse("not an array of as many 16-bit samples");
    }
    w.samples = samples.buf;
    return w;
}

static mp_obj_t compute(size_t arguments_n, const mp_obj_t *arguments) {
    (void)arguments_n;
    const uint8_t set = (uint8_t)whole(arguments[0], 0, UINT8_MAX);
    const bool statistics = set == FEATURE_SET_STATISTICS;
    if (feature_set_size(set, 1) == 0) {
        refuse("no such feature set");
    }
    const struct window w =
        window_of(arguments + 1, statistics ? 1 : SHORTEST, statistics ? LONGEST_STATISTICS : LONGEST);
    struct feature_scratch scratch;
    int32_t features[FEATURES_MAX];
    mp_obj_t items[FEATURES_MAX];
    const uint32_t n = feature_set_size(set, w.channels);
    features_compute(set, w.samples, w.n, w.channels, &scratch, features);
    for (uint32_t i = 0; i < n; i++) {
        items[i] = new_int(features[i]);
    }
    return mp_obj_new_list(n, items);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(compute_object, 4, 4, compute);

static mp_obj_t size(mp_obj_t set, mp_obj_t channels) {
    const uint8_t number = (uint8_t)whole(set, 0, UINT8_MAX);
    return MP_OBJ_NEW_SMALL_INT(feature_set_size(number, (uint8_t)whole(channels, 1, CHANNELS_MAX)));
}
static MP_DEFINE_CONST_FUN_OBJ_2(size_object, size);

static mp_obj_t sensor_fault(size_t arguments_n, const mp_obj_t *arguments) {
    (void)arguments_n;
    const uint8_t set = (uint8_t)whole(arguments[0], 0, UINT8_MAX);
    const struct window w = window_of(arguments + 1, 1, LONGEST_STATISTICS);
    return MP_OBJ_NEW_SMALL_INT(features_sensor_fault(set, w.samples, w.n, w.channels));
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(sensor_fault_object, 4, 4, sensor_fault);

#define MEMBERS(FUNCTION, NUMBER, CLASS)                                                                               \
    FUNCTION(MP_QSTR_compute, compute_object)                                                                          \
    FUNCTION(MP_QSTR_size, size_object)                                                                                \
    FUNCTION(MP_QSTR_sensor_fault, sensor_fault_object)                                                                \
    NUMBER(MP_QSTR_STATISTICS, FEATURE_SET_STATISTICS)                                                                 \
    NUMBER(MP_QSTR_INVARIANT, FEATURE_SET_INVARIANT)                                                                   \
    NUMBER(MP_QSTR_SLOW, FEATURE_SET_SLOW)                                                                             \
    NUMBER(MP_QSTR_PRINCIPAL, FEATURE_SET_PRINCIPAL)

DEFINE_MODULE(feature_set, MEMBERS)
