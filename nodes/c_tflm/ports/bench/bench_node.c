/* A whole node on a board that is only memory: what it takes of flash and RAM, how deep its stack goes, and what one
 * wake costs, once it has learned what is normal. The sensor's windows come from `windows.bin`, int16 [n][128][6], in
 * turn, and are there at once (a FIFO and DMA fill them while a real core sleeps); what is sent goes to `sent.bin`,
 * each with its length before it, and is answered from `answers.bin` in the same form, one answer each, until there are
 * none left. An answer of no length is silence. */
#include <string.h>

#include "bench.h"
#include "node_parts.h"
#include "node_state.h"
#include "semihost.h"

enum { SAMPLES = 128, CHANNELS = 6, WAKES = 400, WINDOWS_MAX = 128, WAKE_MS = 60000, HEARTBEAT_MS = 3600000 };

static BENCH_BUFFER int16_t samples[SAMPLES * CHANNELS];
static BENCH_BUFFER int16_t windows[WINDOWS_MAX][SAMPLES * CHANNELS];
static BENCH_BUFFER uint8_t answers[16 << 10];

/* The board. */
static struct {
    uint64_t now_ms;
    size_t windows_n;
    size_t windows_at;
    uint32_t apart; /* instructions of this wake that are the board's */
    size_t answers_n;
    size_t answers_at;
    int32_t sent_file;
    uint32_t sent;
    uint8_t records[PORT_SLOTS][PORT_RECORD_SIZE];
    bool answer_due;
} board;

static uint64_t now_ms(void *context) {
    (void)context;
    return board.now_ms;
}

static enum sample_status sample(void *context, int16_t *out, uint16_t samples_n, uint8_t channels) {
    (void)context;
    const uint32_t from = counter_now();
    memcpy(out, windows[board.windows_at++ % board.windows_n], (size_t)samples_n * channels * sizeof *out);
    board.now_ms += 640;
    board.apart += counter_since(from);
    return SAMPLE_OK;
}

static bool send(void *context, const uint8_t *envelope, size_t n) {
    (void)context;
    const uint32_t from = counter_now();
    const uint32_t length = (uint32_t)n;
    if (!semihost_write(board.sent_file, &length, sizeof length) || !semihost_write(board.sent_file, envelope, n)) {
        semihost_exit(BENCH_NO_FILE);
    }
    board.sent++;
    board.answer_due = true;
    board.apart += counter_since(from);
    return true;
}

static size_t receive(void *context, uint8_t *out, size_t size, uint32_t *left_ms) {
    (void)context;
    const uint32_t from = counter_now();
    uint32_t n = 0;
    if (board.answer_due && board.answers_at + sizeof n <= board.answers_n) {
        memcpy(&n, answers + board.answers_at, sizeof n);
        n = n <= size ? n : 0;
        memcpy(out, answers + board.answers_at + sizeof n, n);
        board.answers_at += sizeof n + n;
    }
    board.answer_due = false;
    if (n == 0) {
        board.now_ms += *left_ms;
        *left_ms = 0;
    }
    board.apart += counter_since(from);
    return n;
}

static bool persist_read(void *context, uint8_t slot, uint8_t *out) {
    (void)context;
    memcpy(out, board.records[slot], PORT_RECORD_SIZE);
    return true;
}

static bool persist_write(void *context, uint8_t slot, const uint8_t *record) {
    (void)context;
    memcpy(board.records[slot], record, PORT_RECORD_SIZE);
    return true;
}

static uint16_t battery_mv(void *context) {
    (void)context;
    return 3000;
}

static int16_t temperature_cdeg(void *context) {
    (void)context;
    return 2150;
}

static int16_t link_dbm(void *context) {
    (void)context;
    return -70;
}

static const struct port port = {
    .now_ms = now_ms,
    .sample = sample,
    .send = send,
    .receive = receive,
    .persist_read = persist_read,
    .persist_write = persist_write,
    .battery_mv = battery_mv,
    .temperature_cdeg = temperature_cdeg,
    .link_dbm = link_dbm,
    .current_na = {1400, 3900000, 8000000, 12000000},
};

static struct node_config config = {
    .kid = {0x7f, 0x3a, 0x01, 0xc2},
    .secret = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    .hardware = "bench",
    .firmware = "0",
    .wake_ms = WAKE_MS,
    .heartbeat_ms = HEARTBEAT_MS,
    .listen_ms = 200,
    .samples = SAMPLES,
    .channels = CHANNELS,
    .flag_repeat = 1,
    .feature_set = FEATURE_SET_STATISTICS,
    .learner = &state_learner,
};

static void wake(uint32_t nothing) {
    const uint32_t sent = board.sent;
    board.apart = 0;
    const uint32_t from = counter_now();
    const uint32_t sleep_ms = node_step(&state_node);
    const uint32_t taken = counter_since(from) - nothing - board.apart;
    struct learner_diagnosis diagnosis;
    learner_diagnose(&state_learner, &diagnosis);
    if (diagnosis.state == LEARNER_WATCHING) {
        bench_tell(board.sent == sent ? "quiet" : "sending", taken);
    } else {
        bench_tell(board.sent == sent ? "learning" : "learning_sending", taken);
    }
    board.now_ms += sleep_ms;
}

int main(void) {
    board.windows_n = bench_load("windows.bin", windows, sizeof windows) / sizeof windows[0];
    board.answers_n = bench_load("answers.bin", answers, sizeof answers);
    board.sent_file = semihost_open_write("sent.bin");
    counter_init();
    const uint32_t nothing = bench_nothing();
    bench_paint();
    config.rules = bench_parts.rules;
    config.updates = bench_parts.updates;
    if (!ceiling_provision(&port) ||
        node_init(&state_node, &config, &port, bench_parts.open_model(), samples, &state_kept) != NODE_RUNNING) {
        return BENCH_REFUSED;
    }
    for (uint32_t i = 0; i < WAKES; i++) {
        wake(nothing);
    }
    bench_tell("anomalous", state_kept.counters.anomalous);
    bench_tell("unacknowledged", node_flush(&state_node));
    node_stop(&state_node);
    bench_tell("stack", bench_painted());
    return 0;
}
