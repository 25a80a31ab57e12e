#include "module.h"

#include <stddef.h>

#include "chip.h"

enum { TRIES = 3, ANSWER_MS = 150, CONNECT_MS = 4000, WAKE_MS = 5 };

/* What of a text has been seen in what comes, byte by byte; other bytes may come before it. */
struct sight {
    const char *text;
    uint8_t seen;
};

/* True: all of it. No text here repeats its own beginning but in its first letter. */
static bool sees(struct sight *sight, uint8_t byte) {
    if ((uint8_t)sight->text[sight->seen] != byte) {
        sight->seen = 0;
    }
    if ((uint8_t)sight->text[sight->seen] == byte) {
        sight->seen++;
    }
    return sight->text[sight->seen] == '\0';
}

static bool say(const struct module *m, const char *text) {
    for (; *text != '\0'; text++) {
        if (!uart_put(m->registers, m->uart, (uint8_t)*text)) {
            return false;
        }
    }
    return uart_drained(m->registers, m->uart);
}

/* A byte that comes before `end_ms`; the core sleeps until then. */
static bool next_byte(const struct module *m, uint64_t end_ms, uint8_t *byte) {
    while (!uart_get(m->uart, byte)) {
        const uint64_t now_ms = time_now_ms(m->time);
        if (now_ms >= end_ms) {
            return false;
        }
        register_hold(m->registers);
        if (uart_empty(m->uart)) {
            time_nap(m->time, (uint32_t)(end_ms - now_ms));
        }
        register_release(m->registers);
    }
    return true;
}

/* False: `no`, unless that is NULL, or nothing. */
static bool hears(struct module *m, const char *text, const char *no, uint32_t ms) {
    struct sight wanted = {text, 0}, refusal = {no, 0};
    const uint64_t end_ms = time_now_ms(m->time) + ms;
    uint8_t byte;
    while (next_byte(m, end_ms, &byte)) {
        if (sees(&wanted, byte)) {
            return true;
        }
        if (no != NULL && sees(&refusal, byte)) {
            m->refused++;
            return false;
        }
    }
    m->silent++;
    return false;
}

static bool ask(struct module *m, const char *question, const char *answer, const char *no) {
    uint8_t byte;
    while (uart_get(m->uart, &byte)) { /* what is left of before */
    }
    return say(m, question) && hears(m, answer, no, ANSWER_MS);
}

static bool obeys(struct module *m, const char *command, const char *answer) {
    return ask(m, command, answer, "Err");
}

/* In whichever mode it is: one that takes commands already takes three signs and a return for a wrong one, and is ready
 * for the next. (Three signs in a frame have it take commands as well: that frame is lost, and sent again.) */
static bool takes_commands(struct module *m) {
    return ask(m, "$$$", "CMD>", NULL) || ask(m, "\r", "CMD>", NULL);
}

static void wake(const struct module *m) {
    chip_module_wake(m->registers, true);
    time_pass(m->registers, m->time, WAKE_MS);
}

static bool connects(struct module *m) {
    return takes_commands(m) && obeys(m, "A\r", "AOK") && obeys(m, "---\r", "END") &&
           hears(m, "%STREAM_OPEN%", NULL, CONNECT_MS);
}

void module_start(struct module *m, const struct registers *r, struct timebase *time, struct uart *uart) {
    *m = (struct module){.registers = r, .time = time, .uart = uart, .state = MODULE_OPEN};
    module_close(m); /* whatever a reset has left it in */
}

bool module_open(struct module *m) {
    if (m->state == MODULE_DORMANT) {
        wake(m);
        m->state = MODULE_GIVEN_UP;
        for (unsigned i = 0; i < TRIES && m->state != MODULE_OPEN; i++) {
            m->state = connects(m) ? MODULE_OPEN : MODULE_GIVEN_UP;
        }
    }
    return m->state == MODULE_OPEN;
}

void module_close(struct module *m) {
    if (m->state == MODULE_DORMANT) {
        return;
    }
    wake(m);
    for (unsigned i = 0; i < TRIES; i++) {
        if (takes_commands(m)) {
            (void)obeys(m, "K,1\r", "AOK"); /* refused where nobody is connected */
            chip_module_wake(m->registers, false);
            if (obeys(m, "O,0\r", "AOK")) {
                break;
            }
            wake(m);
        }
    }
    chip_module_wake(m->registers, false);
    m->state = MODULE_DORMANT;
}
