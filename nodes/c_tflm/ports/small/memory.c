/* The four functions of the C library that the core calls, for boards whose flash is small: a sixth of the size of
 * newlib's, which are written for speed. What is copied upwards goes by words, wherever they lie. */
#include <stddef.h>
#include <stdint.h>

enum { WORD = 4 };

struct unaligned {
    uint32_t word;
} __attribute__((packed, may_alias));

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* Else the compiler takes a loop for the function that it is in. */
static inline void keep_loop(void) {
    __asm__ volatile("");
}

/* A function of its own: in memcpy, the compiler takes a call of memmove for one of memcpy. */
static void *move(void *to, const void *from, size_t n) {
    uint8_t *out = to;
    const uint8_t *in = from;
    if ((uintptr_t)to - (uintptr_t)from < n) {
        while (n-- > 0) {
            keep_loop();
            out[n] = in[n];
        }
        return to;
    }
    for (; n >= WORD; n -= WORD, out += WORD, in += WORD) {
        keep_loop();
        ((struct unaligned *)(void *)out)->word = ((const struct unaligned *)(const void *)in)->word;
    }
    while (n-- > 0) {
        keep_loop();
        *out++ = *in++;
    }
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    return move(to, from, n);
}

void *memmove(void *to, const void *from, size_t n) {
    return move(to, from, n);
}

void *memset(void *to, int value, size_t n) {
    uint8_t *out = to;
    while (n-- > 0) {
        keep_loop();
        *out++ = (uint8_t)value;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t n) {
    const uint8_t *x = a;
    const uint8_t *y = b;
    for (; n > 0; n--, x++, y++) {
        keep_loop();
        if (*x != *y) {
            return *x - *y;
        }
    }
    return 0;
}
