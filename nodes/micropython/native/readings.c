/* stethos_native.Slow: what is odd about the readings of slow sensors (core/slow.h), with all that it has to remember.
 */
#include "binding.h"

#include <string.h>

#include "../../c_tflm/core/score.h"
#include "../../c_tflm/core/slow.h"

enum { READINGS_MAX = 1024, MINUTES = 1440, WINDOWS_MAX = 32, VISITS_MAX = 4096, DAYS_MAX = 16 };

struct readings_object {
    mp_obj_base_t base;
    uint8_t channels;
    struct slow_limits limits;
    struct slow slow;
};

/* None, or a number of the samples' unit. True if there is one. */
static bool limit_of(mp_obj_t given, int16_t *out) {
    if (given != mp_const_none) {
        *out = (int16_t)whole(given, INT16_MIN, INT16_MAX);
    }
    return given != mp_const_none;
}

/* Slow(channels, limits=None): limits is a list of (low, high) of each channel. */
static mp_obj_t readings_make_new(const mp_obj_type_t *type, size_t n, size_t n_kw, const mp_obj_t *arguments) {
    mp_arg_check_num(n, n_kw, 1, 2, false);
    struct readings_object *self = mp_obj_malloc(struct readings_object, type);
    memset(&self->limits, 0, sizeof self->limits);
    memset(&self->slow, 0, sizeof self->slow);
    self->channels = (uint8_t)whole(arguments[0], 1, SLOW_CHANNELS);
    if (n > 1 && arguments[1] != mp_const_none) {
        mp_obj_t *pairs;
        size_t pairs_n;
        mp_obj_get_array(arguments[1], &pairs_n, &pairs);
        must_be(pairs_n, self->channels);
        for (uint32_t c = 0; c < self->channels; c++) {
            mp_obj_t *pair;
            size_t pair_n;
            mp_obj_get_array(pairs[c], &pair_n, &pair);
            must_be(pair_n, 2);
            self->limits.set |= (uint32_t)limit_of(pair[0], &self->limits.low[c]) << 2 * c;
            self->limits.set |= (uint32_t)limit_of(pair[1], &self->limits.high[c]) << (2 * c + 1);
        }
    }
    return MP_OBJ_FROM_PTR(self);
}

/* judge(samples, n, minute, latched): (why, score). minute: of the day, UTC, -1 unknown; latched: the score of a
 * learner that has latched, else -1. */
static mp_obj_t judge(size_t arguments_n, const mp_obj_t *arguments) {
    (void)arguments_n;
    struct readings_object *self = MP_OBJ_TO_PTR(arguments[0]);
    const uint16_t n = (uint16_t)whole(arguments[2], 1, READINGS_MAX);
    const int16_t minute = (int16_t)whole(arguments[3], -1, MINUTES - 1);
    const int32_t latched = whole(arguments[4], -1, UINT8_MAX);
    const struct learner_verdict collective = {.latched = latched >= 0, .score = (uint8_t)latched};
    mp_buffer_info_t samples;
    mp_get_buffer_raise(arguments[1], &samples, MP_BUFFER_READ);
    if (samples.typecode != 'h' || samples.len < sizeof(int16_t) * n * self->channels ||
        (uintptr_t)samples.buf % sizeof(int16_t) != 0) {
        refuse("not an array of as many 16-bit samples");
    }
    uint8_t score = 0;
    const enum slow_why why = slow_judge(&self->slow, &self->limits, samples.buf, n, self->channels, minute,
                                         latched >= 0 ? &collective : NULL, &score);
    const mp_obj_t found[] = {MP_OBJ_NEW_SMALL_INT(why), MP_OBJ_NEW_SMALL_INT(score)};
    return mp_obj_new_tuple(COUNT_OF(found), found);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(judge_object, 5, 5, judge);

/* What it remembers of its channels, for a deep sleep: the four numbers of all of them, then each. */
enum { ALL = sizeof(struct slow) - offsetof(struct slow, visits) };

static mp_obj_t save(mp_obj_t object) {
    const struct readings_object *self = MP_OBJ_TO_PTR(object);
    uint8_t out[sizeof self->slow];
    const size_t n = self->channels * sizeof self->slow.channels[0];
    memcpy(out, &self->slow.visits, ALL);
    memcpy(out + ALL, self->slow.channels, n);
    return mp_obj_new_bytes(out, ALL + n);
}
static MP_DEFINE_CONST_FUN_OBJ_1(save_object, save);

/* It finds its places by these, and divides by them. */
static bool plausible(const struct slow *s) {
    bool fine = s->bin <= SLOW_BINS && s->windows <= WINDOWS_MAX && s->visits <= VISITS_MAX;
    for (const struct slow_channel *c = s->channels; c < s->channels + SLOW_CHANNELS; c++) {
        for (uint32_t bin = 0; bin < SLOW_BINS; bin++) {
            fine = fine && c->bins[bin].days <= DAYS_MAX;
        }
    }
    return fine && (s->bin != 0 || s->visits == 0);
}

static mp_obj_t load(mp_obj_t object, mp_obj_t saved) {
    struct readings_object *self = MP_OBJ_TO_PTR(object);
    const struct run run = readable(saved);
    const size_t n = self->channels * sizeof self->slow.channels[0];
    struct slow found;
    if (run.n != ALL + n) {
        refuse("misfit");
    }
    memset(&found, 0, sizeof found);
    memcpy(&found.visits, run.data, ALL);
    memcpy(found.channels, run.data + ALL, n);
    if (!plausible(&found)) {
        refuse("damaged");
    }
    self->slow = found;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(load_object, load);

#define METHODS(FUNCTION, NUMBER, CLASS)                                                                               \
    FUNCTION(MP_QSTR_judge, judge_object)                                                                              \
    FUNCTION(MP_QSTR_save, save_object)                                                                                \
    FUNCTION(MP_QSTR_load, load_object)

DEFINE_CLASS(readings, MP_QSTR_Slow, METHODS)

#define MEMBERS(FUNCTION, NUMBER, CLASS) CLASS(MP_QSTR_Slow, readings)

DEFINE_MODULE(slow, MEMBERS)
