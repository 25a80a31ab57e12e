#include "console.h"

#include <string.h>

#include "board_commit.h"
#include "board_update.h"
#include "ceiling.h"
#include "chip.h"
#include "chip_layout.h"
#include "sha256.h"

enum { ASKED = 'S', ANSWERED = 's', NOT_ASKED_SO = 255, NO_DRIVER = 254 };
enum { AT_NUMBER = 1, AT_KIND, AT_STORE, AT_SLOT, AT_REST }; /* of a question, behind its sign */
enum { AT_REPLY = 3, AT_ANSWER };                            /* of an answer, which begins alike */
enum { PATIENCE_MS = 10000, TEST_SAMPLES = 32, ANSWER_MAX = AT_ANSWER + SLOT_HEAD };

_Static_assert(sizeof(struct update_offer) == 8 + IMAGE_SHA256, "as it comes");

/* One question, and its answer. */
struct exchange {
    const struct console *console;
    struct board *board;
    struct update update;
    uint8_t in[FRAME_MAX];
    uint8_t out[ANSWER_MAX];
    size_t out_n;
    bool restart;
};

static void put(struct exchange *e, const void *bytes, size_t n) {
    memcpy(e->out + e->out_n, bytes, n);
    e->out_n += n;
}

static struct slots slots_of(struct exchange *e, uint8_t store) {
    return (struct slots){&BOARD_STORE, e->board, (enum store)store};
}

static bool read_config(struct exchange *e, uint8_t slot) {
    uint32_t size;
    const uint8_t *payload = board_payload_at(e->board, STORE_CONFIG, slot, &size);
    return config_page_read(&e->board->config, payload, size);
}

static uint8_t hello(struct exchange *e) {
    static const char BOARD[IMAGE_BOARD] = CHIP_BOARD;
    struct ceiling ceiling;
    const bool fresh = persist_is_fresh(e->board->persist);
    e->out[e->out_n++] = e->console->reset_cause;
    e->out[e->out_n++] = fresh || ceiling_open(&ceiling, &e->console->run->port);
    put(e, BOARD, sizeof BOARD);
    for (const char *text = e->console->firmware; *text != '\0'; text++) {
        put(e, text, 1);
    }
    return IMAGE_OK;
}

/* Whose configuration lies in this slot, and what tells its key from others: the key itself is told to nobody. */
static uint8_t key(struct exchange *e, uint8_t slot) {
    const struct config_page *page = &e->board->config;
    if (!read_config(e, slot)) {
        return IMAGE_NO_MANIFEST;
    }
    put(e, page->kid, sizeof page->kid);
    sha256((const uint8_t *)page + offsetof(struct config_page, kid), CONFIG_IDENTITY, e->out + e->out_n);
    e->out_n += SHA256_SIZE;
    return IMAGE_OK;
}

/* Marks and manifest of a slot, no payload. */
static uint8_t head(struct exchange *e, uint8_t store, uint8_t slot) {
    const bool read = BOARD_STORE.read(e->board, (enum store)store, slot, 0, e->out + e->out_n, SLOT_HEAD);
    e->out_n += SLOT_HEAD;
    return read ? IMAGE_OK : IMAGE_TORN;
}

static uint8_t check(struct exchange *e, uint8_t store, uint8_t slot) {
    const struct slots slots = slots_of(e, store);
    return (uint8_t)slots_check(&slots, slot, &e->board->rules);
}

/* Whoever is at the board has the last word: what is on trial does not keep the other slot from them. */
static uint8_t begin(struct exchange *e, uint8_t store, const uint8_t *rest) {
    const struct slots slots = slots_of(e, store);
    struct slot_state state;
    struct update_offer offer;
    memcpy(&offer, rest, sizeof offer);
    const int slot = slots_active(&slots, &state);
    if (slot >= 0) {
        (void)slots_confirm(&slots, (uint8_t)slot);
    }
    return (uint8_t)update_begin(&e->update, &slots, &e->board->rules, &offer);
}

static uint8_t more(struct exchange *e, const uint8_t *rest, size_t n) {
    uint32_t offset;
    memcpy(&offset, rest, sizeof offset);
    return (uint8_t)update_write(&e->update, offset, rest + sizeof offset, n - sizeof offset);
}

/* Records are written as they are; first ones are made, and made anew with the first start. */
static bool records_take(const struct port *port, struct persist *persist) {
    uint8_t record[PORT_RECORD_SIZE];
    if (persist_is_fresh(persist)) {
        return ceiling_provision(port);
    }
    bool taken = true;
    for (uint8_t slot = 0; slot < 2; slot++) {
        taken = persist_read(persist, slot, record) && persist_write(persist, slot, record) && taken;
    }
    return taken;
}

/* With the configuration of this slot. */
static uint8_t test(struct exchange *e, uint8_t slot) {
    struct board *board = e->board;
    struct {
        uint16_t battery_mv;
        int16_t temperature_cdeg;
        uint8_t sample, records;
    } found = {0, PORT_TEMPERATURE_NONE, NO_DRIVER, 0};
    if (!read_config(e, slot)) {
        return IMAGE_NO_MANIFEST;
    }
    const struct port *port = &e->console->run->port;
    board->source = source_open(board->registers, &board->config, board->time);
    if (board->source != NULL) {
        found.sample = (uint8_t)port->sample(board, e->console->run->samples, TEST_SAMPLES, board->config.channels);
        found.battery_mv = source_battery_mv(board->source);
        found.temperature_cdeg = source_temperature_cdeg(board->source);
    }
    found.records = records_take(port, board->persist);
    put(e, &found, sizeof found);
    return IMAGE_OK;
}

/* An enum image_reply, or NOT_ASKED_SO. */
static uint8_t answer(struct exchange *e, size_t n) {
    const uint8_t kind = e->in[AT_KIND], store = e->in[AT_STORE], slot = e->in[AT_SLOT];
    const uint8_t *rest = e->in + AT_REST;
    n -= AT_REST;
    if (kind == 'h') { /* who are you */
        return hello(e);
    }
    if (store > STORE_CONFIG || slot >= STORE_SLOTS) {
        return NOT_ASKED_SO;
    }
    if (kind == 'm') {
        return head(e, store, slot);
    }
    if (kind == 'k') {
        return key(e, slot);
    }
    if (kind == 'c') {
        return check(e, store, slot);
    }
    if (kind == 'b' && n == sizeof(struct update_offer)) {
        return begin(e, store, rest);
    }
    if (kind == 'w' && n >= sizeof(uint32_t)) {
        return more(e, rest, n);
    }
    if (kind == 'e') {
        return (uint8_t)update_finish(&e->update);
    }
    if (kind == 't') {
        return test(e, slot);
    }
    if (kind == 'u' && n == sizeof(struct board_note)) {
        struct board_note note;
        memcpy(&note, rest, sizeof note);
        return (uint8_t)board_commit(e->board, slot, &note);
    }
    e->restart = kind == 'r';
    return e->restart ? IMAGE_OK : NOT_ASKED_SO;
}

/* Finishes what an earlier session has left, before anything is answered. */
static void settle(struct exchange *e) {
    const struct slots configs = slots_of(e, STORE_CONFIG);
    struct slot_state state;
    (void)board_settle(e->board, &e->console->run->port, slots_active(&configs, &state));
}

/* Frames that are no questions change nothing, and prolong nothing. False: nobody has asked. */
static bool serve(struct exchange *e, uint32_t left_ms) {
    const struct registers *r = e->board->registers;
    struct cobs_uart *line = &e->board->line;
    bool asked = false;
    while (!e->restart) {
        time_pace(e->board->time, PACE_RADIO);
        const size_t n = cobs_uart_receive(r, line, e->board->time, e->in, sizeof e->in, &left_ms);
        if (n == 0) {
            return asked;
        }
        if (n < AT_REST || e->in[0] != ASKED) {
            continue;
        }
        if (!asked) {
            settle(e);
        }
        asked = true;
        if (e->out_n == 0 || e->out[AT_NUMBER] != e->in[AT_NUMBER]) { /* else it has missed the answer */
            memcpy(e->out, e->in, AT_STORE);
            e->out[0] = ANSWERED;
            e->out_n = AT_ANSWER;
            e->out[AT_REPLY] = answer(e, n);
        }
        time_pace(e->board->time, PACE_RADIO);
        (void)cobs_uart_send(r, line, e->out, e->out_n);
        left_ms = PATIENCE_MS;
    }
    return true;
}

bool console_wanted(const struct console *console) {
    return console->reset_cause == RESET_POWER_ON || console->reset_cause == RESET_PIN;
}

void console_listen(const struct console *console, uint32_t listen_ms) {
    struct run *run = console->run;
    struct board *board = &run->board;
    const struct registers *r = console->registers;
    memset(run, 0, sizeof *run);
    board->registers = r;
    board->time = console->time;
    board->trial = (struct board_trial){&run->trial, run->trial_memory, sizeof run->trial_memory};
    board->persist = persist_open(r);
    board_rules(board);
    run->port = board_port(board);
    time_pace(console->time, PACE_RADIO);
    if (!cobs_uart_start(r, &board->line, chip_line_base(LINE_USART), chip_uart_clock_hz(), CONSOLE_BAUD)) {
        return;
    }
    chip_uart_listen(r);
    struct exchange exchange;
    memset(&exchange, 0, sizeof exchange);
    exchange.console = console;
    exchange.board = board;
    if (serve(&exchange, listen_ms)) {
        run->port.restart(board);
    }
    uart_stop(r, &board->line.uart);
}
