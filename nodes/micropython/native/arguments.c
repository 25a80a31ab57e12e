#include "binding.h"

mp_obj_t text_of(const char *text) {
    size_t n = 0;
    while (text[n] != 0) {
        n++;
    }
    return mp_obj_new_str(text, n);
}

void refuse(const char *text) {
    nlr_raise(mp_obj_new_exception_arg1(&mp_type_ValueError, text_of(text)));
    for (;;) {
    }
}

static bool same(mp_obj_t a, mp_obj_t b) {
    return mp_obj_is_true(mp_binary_op(MP_BINARY_OP_EQUAL, a, b));
}

/* What does not fit a register is shortened on its way to C: it fits if the way back gives the same. */
int32_t whole(mp_obj_t number, int32_t low, int32_t high) {
    const mp_int_t found = (mp_int_t)mp_obj_get_int_truncated(number);
    if (found < low || found > high || (!mp_obj_is_small_int(number) && !same(number, new_int(found)))) {
        refuse("out of range");
    }
    return (int32_t)found;
}

uint32_t unsigned_32(mp_obj_t number) {
    const uint32_t found = (uint32_t)mp_obj_get_int_truncated(number);
    if (!same(number, mp_obj_new_int_from_uint(found))) {
        refuse("out of range");
    }
    return found;
}

struct run readable(mp_obj_t buffer) {
    mp_buffer_info_t found;
    mp_get_buffer_raise(buffer, &found, MP_BUFFER_READ);
    return (struct run){found.buf, found.len};
}

struct run writable(mp_obj_t buffer, size_t n, size_t alignment) {
    mp_buffer_info_t found;
    mp_get_buffer_raise(buffer, &found, MP_BUFFER_RW);
    if (found.len < n || (uintptr_t)found.buf % alignment != 0) {
        refuse("memory too small, or not aligned");
    }
    return (struct run){found.buf, found.len};
}

size_t whole_list(mp_obj_t list, int32_t *out, size_t most) {
    size_t n;
    mp_obj_t *items;
    mp_obj_get_array(list, &n, &items);
    must_be(n, n <= most ? n : most);
    for (size_t i = 0; i < n; i++) {
        out[i] = whole(items[i], INT32_MIN, INT32_MAX);
    }
    return n;
}

void must_be(size_t found, size_t wanted) {
    if (found != wanted) {
        refuse("wrong number of features");
    }
}

mp_obj_t record_type(const char *name, const char *fields) {
    const mp_obj_t arguments[] = {text_of(name), text_of(fields)};
    const mp_obj_t collections = mp_import_name(MP_QSTR_collections, mp_const_none, MP_OBJ_NEW_SMALL_INT(0));
    return mp_call_function_n_kw(mp_load_attr(collections, MP_QSTR_namedtuple), 2, 0, arguments);
}
