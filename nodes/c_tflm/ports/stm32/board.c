#include "board.h"

#include <string.h>

#include "board_update.h"
#include "ceiling.h"
#include "chip.h"
#include "cortex.h"

enum { BLINKS = 6, BLINK_MS = 250, SAMPLES_DEFAULT = 128 };

static uint64_t port_now_ms(void *context) {
    const struct board *board = context;
    return time_now_ms(board->time);
}

static enum sample_status port_sample(void *context, int16_t *out, uint16_t samples, uint8_t channels) {
    struct board *board = context;
    time_pace(board->time, PACE_SENSE);
    const enum sample_status status = source_sample(board->source, out, samples, channels);
    time_pace(board->time, PACE_COMPUTE);
    return status;
}

static bool has_module(const struct board *board) {
    return board->config.line == LINE_MODULE;
}

static bool port_send(void *context, const uint8_t *envelope, size_t n) {
    struct board *board = context;
    time_pace(board->time, PACE_RADIO);
    if (has_module(board) && !module_open(&board->module)) {
        return false;
    }
    return cobs_uart_send(board->registers, &board->line, envelope, n);
}

static size_t port_receive(void *context, uint8_t *out, size_t size, uint32_t *left_ms) {
    struct board *board = context;
    time_pace(board->time, PACE_RADIO);
    return cobs_uart_receive(board->registers, &board->line, board->time, out, size, left_ms);
}

static bool port_persist_read(void *context, uint8_t slot, uint8_t *out) {
    const struct board *board = context;
    return persist_read(board->persist, slot, out);
}

static bool port_persist_write(void *context, uint8_t slot, const uint8_t *record) {
    const struct board *board = context;
    return persist_write(board->persist, slot, record);
}

static uint16_t port_battery_mv(void *context) {
    const struct board *board = context;
    return source_battery_mv(board->source);
}

/* While the module's radio runs: what it is opened for now, it would be opened for anyway. */
static uint16_t port_battery_load_mv(void *context) {
    struct board *board = context;
    time_pace(board->time, PACE_RADIO);
    (void)module_open(&board->module);
    return source_battery_mv(board->source);
}

static int16_t port_temperature_cdeg(void *context) {
    const struct board *board = context;
    return source_temperature_cdeg(board->source);
}

static int16_t port_link_dbm(void *context) {
    (void)context;
    return PORT_LINK_NONE; /* a wire */
}

static void port_identify(void *context) {
    const struct board *board = context;
    for (unsigned i = 0; i < 2 * BLINKS; i++) {
        chip_lamp(board->registers, i % 2 == 0);
        time_pass(board->registers, board->time, BLINK_MS);
    }
}

static void port_alert(void *context, bool on) {
    const struct board *board = context;
    chip_lamp(board->registers, on);
}

static uint32_t port_stop_refused(void *context) {
    const struct board *board = context;
    return time_refused(board->time);
}

static void port_restart(void *context) {
    const struct board *board = context;
    register_write(board->registers, SCB_AIRCR, SCB_AIRCR_RESET);
}

static void port_storage(void *context) {
    const struct board *board = context;
    time_storage(board->time);
}

struct port board_port(struct board *board) {
    struct port port = {
        .context = board,
        .now_ms = port_now_ms,
        .sample = port_sample,
        .send = port_send,
        .receive = port_receive,
        .persist_read = port_persist_read,
        .persist_write = port_persist_write,
        .battery_mv = port_battery_mv,
        .battery_load_mv = has_module(board) ? port_battery_load_mv : NULL, /* a wire takes nothing */
        .temperature_cdeg = port_temperature_cdeg,
        .link_dbm = port_link_dbm,
        .identify = port_identify,
        .alert = port_alert,
        .store = &BOARD_STORE,
        .stop_refused = port_stop_refused,
        .restart = port_restart,
        .storage = port_storage,
    };
    memcpy(port.current_na, chip_current_na(&board->config), sizeof port.current_na);
    return port;
}

static bool find_config(struct board *board) {
    bool refused;
    uint32_t size;
    const uint8_t *payload = board_payload(board, STORE_CONFIG, &size, &refused);
    return payload != NULL && config_page_read(&board->config, payload, size);
}

enum board_fault board_start(struct board *board, const struct registers *r, struct timebase *time,
                             struct board_trial trial) {
    memset(board, 0, sizeof *board);
    board->registers = r;
    board->time = time;
    board->trial = trial;
    board_rules(board);
    if (!find_config(board)) {
        return BOARD_NO_CONFIG;
    }
    const uint32_t line = chip_line_base(board->config.line);
    board->persist = persist_open(r);
    board->source = source_open(r, &board->config, time);
    if (board->source == NULL) {
        return BOARD_NO_SENSOR;
    }
    if (line == 0 || !cobs_uart_start(r, &board->line, line, chip_uart_clock_hz(), board->config.baud)) {
        return BOARD_NO_LINE;
    }
    chip_uart_listen(r);
    return BOARD_OK;
}

void board_rest(struct board *board) {
    if (has_module(board)) {
        time_pace(board->time, PACE_RADIO);
        module_close(&board->module);
    }
}

bool board_provision(struct board *board, const struct port *port) {
    /* Nothing has been sent before the mark is durable: a cut in between provisions once more, and harms nothing. */
    return !persist_is_fresh(board->persist) || (ceiling_provision(port) && persist_used(board->persist));
}

/* What the manifest of this very firmware says; 0: it lies alone. */
static uint32_t firmware_counter(struct board *board) {
    const struct slots slots = {&BOARD_STORE, board, STORE_FIRMWARE};
    struct slot_state state;
    if (board->rules.running < 0) {
        return 0;
    }
    slots_read(&slots, (uint8_t)board->rules.running, &state);
    return state.whole ? image_counter(&state.manifest) : 0;
}

struct node_config board_node_config(struct board *board, const struct model *model, bool model_broken,
                                     struct learner *learner, uint8_t reset_cause, const char *firmware) {
    const struct config_page *page = &board->config;
    const uint16_t wanted = model != NULL ? model->samples : SAMPLES_DEFAULT;
    const uint16_t samples = page->samples != 0 ? page->samples : wanted;
    const uint8_t most = model != NULL ? model->channels : NODE_CHANNELS_MAX;
    struct node_config config = {
        .hardware = page->hardware,
        .firmware = firmware,
        .wake_ms = page->wake_ms,
        .heartbeat_ms = page->heartbeat_ms,
        .listen_ms = page->listen_ms,
        .samples = samples,
        .channels = page->channels < most ? page->channels : most,
        .reset_cause = reset_cause,
        .window_every = page->window_every,
        .flag_repeat = page->flag_repeat,
        .model_broken = model_broken,
        .feature_set = model != NULL ? model->feature_set : page->feature_set,
        .rate_millihz = page->rate_millihz,
        .short_samples = page->short_samples < samples ? page->short_samples : 0,
        .whole_every = page->whole_every,
        .learner = page->learn != 0 ? learner : NULL,
        .setup = {.windows = page->learn},
        .radio_min_mv = page->radio_min_mv,
        .alert = {page->alert_after, page->clear_after, page->alert_on_fault != 0},
        .firmware_counter = firmware_counter(board),
        .slot = board->rules.running > 0 ? (uint8_t)board->rules.running : 0,
        .rules = &board->rules,
        .updates = &NODE_UPDATES,
        .hear = node_hear,
    };
    memcpy(config.kid, page->kid, sizeof config.kid);
    memcpy(config.secret, page->secret, sizeof config.secret);
    return config;
}
