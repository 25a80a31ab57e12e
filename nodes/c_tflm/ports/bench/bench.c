#include "bench.h"

#include "semihost.h"

enum { PAINT_MARGIN = 16 /* words */, PAINT = 0x5eed5eed };

extern uint32_t stack_lowest[];

static uint32_t *painted_to;

size_t bench_load(const char *name, void *out, size_t size) {
    const int32_t file = semihost_open_read(name);
    const int32_t length = file < 0 ? -1 : semihost_length(file);
    if (length < 0 || (size_t)length > size || !semihost_read(file, out, (size_t)length)) {
        semihost_exit(BENCH_NO_FILE);
    }
    return (size_t)length;
}

void bench_tell(const char *name, uint32_t value) {
    static int32_t file = -1;
    char digits[12];
    char *first = digits + sizeof digits;
    if (file < 0) {
        file = semihost_open_write("figures.out");
    }
    *--first = '\n';
    do {
        *--first = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    *--first = ' ';
    if (file < 0 || !semihost_write(file, name, semihost_text_length(name)) ||
        !semihost_write(file, first, (size_t)(digits + sizeof digits - first))) {
        semihost_exit(BENCH_NO_FILE);
    }
}

uint32_t bench_nothing(void) {
    const uint32_t from = counter_now();
    return counter_since(from);
}

/* Its own frame is smaller than the margin, which is counted as used. */
void bench_paint(void) {
    painted_to = (uint32_t *)__builtin_frame_address(0);
    for (volatile uint32_t *word = stack_lowest; word < painted_to - PAINT_MARGIN; word++) {
        *word = PAINT;
    }
}

uint32_t bench_painted(void) {
    const volatile uint32_t *word = stack_lowest;
    while (word < painted_to && *word == PAINT) {
        word++;
    }
    return (uint32_t)((size_t)(painted_to - word) * sizeof *word);
}
