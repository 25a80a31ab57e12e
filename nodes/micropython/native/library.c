/* What the compiler and the core expect of a C library. A .mpy is linked with none; MicroPython lends the first two. */
#include "binding.h"

#include <string.h>

void *memcpy(void *to, const void *from, size_t n) {
    return mp_fun_table.memmove_(to, from, n);
}

void *memmove(void *to, const void *from, size_t n) {
    return mp_fun_table.memmove_(to, from, n);
}

void *memset(void *to, int byte, size_t n) {
    return mp_fun_table.memset_(to, byte, n);
}

int memcmp(const void *a, const void *b, size_t n) {
    const uint8_t *x = a;
    const uint8_t *y = b;
    for (; n != 0; n--, x++, y++) {
        if (*x != *y) {
            return *x < *y ? -1 : 1;
        }
    }
    return 0;
}
