/* Questions from somebody who may ask anything, at the console of a blank L4 on the fake of its registers: no read or
 * write out of bounds, and a board that has no configuration yet gets none that nobody has written whole. */
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "frame.h"

struct bench;
struct bench *bench_new(void);
uint8_t *bench_flash(struct bench *b);
int bench_start(struct bench *b);
void bench_reset(struct bench *b, uint32_t flags);
int bench_console(struct bench *b, uint32_t ms);
void bench_say(struct bench *b, const uint8_t *data, uint32_t n, uint64_t after_us);
int bench_store_read(struct bench *b, unsigned store, uint8_t slot, uint32_t at, uint8_t *out, uint32_t n);

enum { OPTIONS_LOADED = -2, RESTARTED = -5, QUESTIONS = 16, AT_ACTIVE = 128 + 8 + 4 * 8 };
enum { BANK = 0x80000, STORES_AT = 0x60000 };

/* Two bytes of length, then the question: its kind is turned into one of those that there are. */
static uint32_t frames_of(const uint8_t *data, size_t n, uint8_t *out) {
    static const char KINDS[16] = "hmkcbwetuhmkcbwe";
    uint8_t question[FRAME_MAX];
    uint32_t used = 0;
    for (unsigned i = 0; i < QUESTIONS && n >= 3; i++) {
        const size_t wanted = (data[0] | data[1] << 8) % (FRAME_MAX - 2);
        const size_t length = wanted < n - 3 ? wanted : n - 3;
        question[0] = 'S';
        question[1] = (uint8_t)(data[2] >> 4 ^ i);
        question[2] = (uint8_t)KINDS[data[2] % 16];
        memcpy(question + 3, data + 3, length);
        used += (uint32_t)frame_encode(question, 3 + length < FRAME_MAX ? 3 + length : FRAME_MAX, out + used);
        data += 3 + length;
        n -= 3 + length;
    }
    return used;
}

static struct bench *started(void) {
    struct bench *bench = bench_new();
    if (bench_start(bench) == OPTIONS_LOADED) {
        bench_reset(bench, 0);
        (void)bench_start(bench);
    }
    return bench;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static uint8_t line[QUESTIONS * FRAME_ENCODED_MAX];
    static struct bench *bench;
    uint8_t mark[8];
    if (bench == NULL) {
        bench = started();
    }
    for (unsigned slot = 0; slot < STORE_SLOTS; slot++) {
        memset(bench_flash(bench) + STORES_AT + slot * BANK, 0xFF, BANK - STORES_AT);
    }
    bench_say(bench, line, frames_of(data, n, line), 1000);
    const int ended = bench_console(bench, 100);
    if (ended != 0 && ended != RESTARTED) {
        abort();
    }
    for (uint8_t slot = 0; slot < STORE_SLOTS; slot++) {
        if (bench_store_read(bench, STORE_CONFIG, slot, AT_ACTIVE, mark, sizeof mark) &&
            memcmp(mark, "activate", sizeof mark) == 0) {
            abort();
        }
    }
    return 0;
}
