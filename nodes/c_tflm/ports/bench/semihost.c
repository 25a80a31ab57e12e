#include "semihost.h"

enum { OPEN = 0x01, WRITE = 0x05, READ = 0x06, LENGTH = 0x0c, EXIT_EXTENDED = 0x20 };
enum { MODE_READ_BINARY = 1, MODE_WRITE_BINARY = 5 };
#define STOPPED_BY_PROGRAM 0x20026u

/* Not strlen, which nothing else here needs, and which is told as the node's if it is linked: hence volatile, lest the
 * compiler should recognise it. */
size_t semihost_text_length(const char *text) {
    size_t n = 0;
    while (((const volatile char *)text)[n] != '\0') {
        n++;
    }
    return n;
}

static int32_t open_file(const char *name, uint32_t mode) {
    const uintptr_t block[] = {(uintptr_t)name, mode, semihost_text_length(name)};
    return (int32_t)semihost_call(OPEN, block);
}

int32_t semihost_open_read(const char *name) {
    return open_file(name, MODE_READ_BINARY);
}

int32_t semihost_open_write(const char *name) {
    return open_file(name, MODE_WRITE_BINARY);
}

int32_t semihost_length(int32_t file) {
    const uintptr_t block[] = {(uintptr_t)file};
    return (int32_t)semihost_call(LENGTH, block);
}

/* Both answer with the number of bytes that were left over. */
bool semihost_read(int32_t file, void *out, size_t n) {
    const uintptr_t block[] = {(uintptr_t)file, (uintptr_t)out, n};
    return n == 0 || semihost_call(READ, block) == 0;
}

bool semihost_write(int32_t file, const void *data, size_t n) {
    const uintptr_t block[] = {(uintptr_t)file, (uintptr_t)data, n};
    return n == 0 || semihost_call(WRITE, block) == 0;
}

void semihost_exit(uint32_t status) {
    const uintptr_t block[] = {STOPPED_BY_PROGRAM, status};
    for (;;) {
        semihost_call(EXIT_EXTENDED, block);
    }
}
