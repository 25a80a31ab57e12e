/* What the files of the binding share. The same source is a native .mpy and a part of a firmware: where the two differ,
 * the macros here do. */
#ifndef STETHOS_BINDING_MICROPYTHON_H
#define STETHOS_BINDING_MICROPYTHON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if MICROPY_ENABLE_DYNRUNTIME
#include "py/dynruntime.h"
#else
#include "py/runtime.h"
#endif

/* --- A module within the module, or a class, and what is in it.
 *
 * LIST(FUNCTION, NUMBER, CLASS) names the members. In a firmware all of it is constant. In a .mpy the names have
 * numbers only when it is loaded, so there is a table to be filled, by PART_fill. */
#if MICROPY_ENABLE_DYNRUNTIME

#define COUNTED(qst, what) +1
#define FILL_FUNCTION(qst, function) *at++ = (mp_map_elem_t){MP_OBJ_NEW_QSTR(qst), MP_OBJ_FROM_PTR(&(function))};
#define FILL_NUMBER(qst, number) *at++ = (mp_map_elem_t){MP_OBJ_NEW_QSTR(qst), MP_OBJ_NEW_SMALL_INT(number)};
#define FILL_CLASS(qst, part) *at++ = (mp_map_elem_t){MP_OBJ_NEW_QSTR(qst), MP_OBJ_FROM_PTR(&part##_type)};

#define DEFINE_MEMBERS(part, LIST)                                                                                     \
    mp_map_elem_t part##_members[0 LIST(COUNTED, COUNTED, COUNTED)];                                                   \
    static MP_DEFINE_CONST_DICT(part##_dict, part##_members);                                                          \
    static void part##_name_members(void) {                                                                            \
        mp_map_elem_t *at = part##_members;                                                                            \
        LIST(FILL_FUNCTION, FILL_NUMBER, FILL_CLASS)                                                                   \
    }

#define DEFINE_MODULE(part, LIST)                                                                                      \
    DEFINE_MEMBERS(part, LIST)                                                                                         \
    mp_obj_module_t part##_module;                                                                                     \
    void part##_fill(const mp_obj_type_t *type) {                                                                      \
        part##_name_members();                                                                                         \
        part##_module.base.type = type;                                                                                \
        part##_module.globals = (mp_obj_dict_t *)(uintptr_t)&part##_dict;                                              \
    }

#define DEFINE_CLASS(part, qst, LIST)                                                                                  \
    DEFINE_MEMBERS(part, LIST)                                                                                         \
    mp_obj_full_type_t part##_type;                                                                                    \
    void part##_fill(const mp_obj_type_t *type) {                                                                      \
        part##_name_members();                                                                                         \
        part##_type.base.type = type;                                                                                  \
        part##_type.name = (uint16_t)(qst);                                                                            \
        MP_OBJ_TYPE_SET_SLOT(&part##_type, locals_dict, (void *)(uintptr_t)&part##_dict, 0);                           \
        MP_OBJ_TYPE_SET_SLOT(&part##_type, make_new, part##_make_new, 1);                                              \
    }

/* `type`: of modules, or of classes */
#define DECLARE_MODULE(part)                                                                                           \
    extern mp_obj_module_t part##_module;                                                                              \
    void part##_fill(const mp_obj_type_t *type);
#define DECLARE_CLASS(part)                                                                                            \
    extern mp_obj_full_type_t part##_type;                                                                             \
    void part##_fill(const mp_obj_type_t *type);

#else

#define ROM_FUNCTION(qst, function) {MP_ROM_QSTR(qst), MP_ROM_PTR(&(function))},
#define ROM_NUMBER(qst, number) {MP_ROM_QSTR(qst), MP_ROM_INT(number)},
#define ROM_CLASS(qst, part) {MP_ROM_QSTR(qst), MP_ROM_PTR(&part##_type)},

#define DEFINE_MEMBERS(part, LIST)                                                                                     \
    static const mp_rom_map_elem_t part##_members[] = {LIST(ROM_FUNCTION, ROM_NUMBER, ROM_CLASS)};                     \
    static MP_DEFINE_CONST_DICT(part##_dict, part##_members);

#define DEFINE_MODULE(part, LIST)                                                                                      \
    DEFINE_MEMBERS(part, LIST)                                                                                         \
    const mp_obj_module_t part##_module = {                                                                            \
        .base = {&mp_type_module},                                                                                     \
        .globals = (mp_obj_dict_t *)(uintptr_t)&part##_dict,                                                           \
    };

#define DEFINE_CLASS(part, qst, LIST)                                                                                  \
    DEFINE_MEMBERS(part, LIST)                                                                                         \
    MP_DEFINE_CONST_OBJ_TYPE(part##_type, qst, MP_TYPE_FLAG_NONE, make_new, part##_make_new, locals_dict, &part##_dict);

#define DECLARE_MODULE(part) extern const mp_obj_module_t part##_module;
#define DECLARE_CLASS(part) extern const mp_obj_type_t part##_type;

#endif

DECLARE_MODULE(feature_set)
DECLARE_MODULE(ccm)
DECLARE_MODULE(envelope)
DECLARE_MODULE(model)
DECLARE_CLASS(model_model)
DECLARE_CLASS(model_network)
DECLARE_MODULE(learner)
DECLARE_CLASS(learner_learner)
DECLARE_MODULE(slow)
DECLARE_CLASS(readings)

/* --- Arguments and answers (arguments.c) */

static inline mp_obj_t new_int(mp_int_t number) {
#if MICROPY_ENABLE_DYNRUNTIME
    return mp_obj_new_int((mp_uint_t)number);
#else
    return mp_obj_new_int(number);
#endif
}

struct run {
    uint8_t *data;
    size_t n;
};

mp_obj_t text_of(const char *text);

/* Raises ValueError. */
__attribute__((noreturn)) void refuse(const char *text);

/* A whole number within a range, else ValueError. */
int32_t whole(mp_obj_t number, int32_t low, int32_t high);

/* Any number of 32 bits without a sign. */
uint32_t unsigned_32(mp_obj_t number);

/* The bytes of a buffer. */
struct run readable(mp_obj_t buffer);

/* Likewise, to be written, of at least `n` bytes that begin at a multiple of `alignment`. */
struct run writable(mp_obj_t buffer, size_t n, size_t alignment);

/* A list or tuple of at most `most` whole numbers: how many. What lies in a caller's buffer is looked for after this,
 * not before: a number may be an object with a program of its own. */
size_t whole_list(mp_obj_t list, int32_t *out, size_t most);

/* ValueError unless so many features are wanted. */
void must_be(size_t found, size_t wanted);

/* collections.namedtuple; `fields` has spaces between them. */
mp_obj_t record_type(const char *name, const char *fields);

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
