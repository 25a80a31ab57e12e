/* struct port over drivers.h. Nothing in here knows the hardware; a board changes it where it can do better. */
#include <string.h>

#include <energy_stm32l475_lis2dw12_lpuart.h> /* of the board that this becomes: gateway/energy */

#include "crc.h"
#include "drivers.h"
#include "template.h"

enum {
    DRAIN_EVERY_MS = 100,  /* at 200 Hz a FIFO of 32 frames is full after 160 */
    DRAINS_EMPTY_MAX = 10, /* in a row: the sensor has stopped */
    MARK_SIZE = 8,
};

static uint64_t port_now_ms(void *context) {
    struct board *board = context;
    const uint32_t now_ms = clock_ms();
    board->passed_ms += now_ms - board->seen_ms; /* modulo 2^32: also over the wrap */
    board->seen_ms = now_ms;
    return board->passed_ms;
}

static enum sample_status take_window(int16_t *out, uint16_t samples, uint8_t channels) {
    unsigned empty = 0;
    uint16_t done = 0;
    while (done < samples) {
        clock_sleep(DRAIN_EVERY_MS);
        const int taken = sensor_drain(out + (size_t)done * channels, (uint16_t)(samples - done), channels);
        if (taken < 0) {
            return taken == SENSOR_OVERRUN ? SAMPLE_OVERRUN : SAMPLE_NO_ANSWER;
        }
        done = (uint16_t)(done + taken);
        empty = taken > 0 ? 0 : empty + 1;
        if (empty == DRAINS_EMPTY_MAX) {
            return SAMPLE_NO_ANSWER;
        }
    }
    return SAMPLE_OK;
}

static enum sample_status port_sample(void *context, int16_t *out, uint16_t samples, uint8_t channels) {
    (void)context;
    if (!sensor_start(channels)) {
        return SAMPLE_NO_ANSWER;
    }
    const enum sample_status status = take_window(out, samples, channels);
    sensor_stop();
    return status;
}

/* What is left of a torn frame is ended by a zero, so that the next one is not taken for its rest. */
static bool port_send(void *context, const uint8_t *envelope, size_t n) {
    struct board *board = context;
    uint8_t frame[1 + FRAME_ENCODED_MAX] = {0};
    if (n > FRAME_MAX) {
        return false;
    }
    const size_t size = 1 + frame_encode(envelope, n, frame + 1);
    const size_t from = board->torn ? 0 : 1;
    board->torn = !line_write(frame + from, size - from);
    return !board->torn;
}

static size_t take_frame(struct board *board, uint8_t *out, size_t size) {
    uint8_t byte;
    while (line_read(&byte, 1) == 1) {
        if (frame_push(&board->decoder, byte) == FRAME_READY && board->decoder.n <= size) {
            memcpy(out, board->decoder.data, board->decoder.n);
            return board->decoder.n;
        }
    }
    return 0;
}

static size_t port_receive(void *context, uint8_t *out, size_t size, uint32_t *left_ms) {
    struct board *board = context;
    const uint64_t begun_ms = port_now_ms(board);
    uint64_t spent_ms = 0;
    size_t n = take_frame(board, out, size);
    while (n == 0 && spent_ms < *left_ms) {
        line_wait(*left_ms - (uint32_t)spent_ms);
        n = take_frame(board, out, size);
        spent_ms = port_now_ms(board) - begun_ms;
    }
    *left_ms -= spent_ms < *left_ms ? (uint32_t)spent_ms : *left_ms;
    return n;
}

static bool port_persist_read(void *context, uint8_t slot, uint8_t *out) {
    (void)context;
    return flash_read((uint8_t)(PAGE_RECORDS + slot), 0, out, PORT_RECORD_SIZE);
}

static bool port_persist_write(void *context, uint8_t slot, const uint8_t *record) {
    const uint8_t page = (uint8_t)(PAGE_RECORDS + slot);
    (void)context;
    return flash_erase(page) && flash_write(page, 0, record, PORT_RECORD_SIZE);
}

static uint16_t port_battery_mv(void *context) {
    (void)context;
    return battery_mv();
}

static int16_t port_temperature_cdeg(void *context) {
    (void)context;
    return temperature_cdeg();
}

static int16_t port_link_dbm(void *context) {
    (void)context;
    return PORT_LINK_NONE;
}

struct port template_port(struct board *board) {
    struct port port = {
        .context = board,
        .now_ms = port_now_ms,
        .sample = port_sample,
        .send = port_send,
        .receive = port_receive,
        .persist_read = port_persist_read,
        .persist_write = port_persist_write,
        .battery_mv = port_battery_mv,
        .temperature_cdeg = port_temperature_cdeg,
        .link_dbm = port_link_dbm,
    };
    memcpy(port.current_na, ENERGY_CURRENT_NA, sizeof port.current_na);
    memset(board, 0, sizeof *board);
    board->seen_ms = clock_ms();
    frame_decoder_init(&board->decoder);
    return port;
}

bool template_identity(struct identity *out) {
    static const uint8_t MAGIC[] = {'S', 'T', 'I', 'D'};
    if (!flash_read(PAGE_IDENTITY, 0, (uint8_t *)out, sizeof *out) || memcmp(out->magic, MAGIC, sizeof MAGIC) != 0) {
        return false;
    }
    const uint32_t crc = crc32((const uint8_t *)out, offsetof(struct identity, crc));
    for (unsigned i = 0; i < sizeof out->crc; i++) {
        if (out->crc[i] != (uint8_t)(crc >> 8 * i)) {
            return false;
        }
    }
    return true;
}

/* The mark is written behind the records: before it is there, nothing has been sent. A mark that is torn is one. */
bool template_provision(const struct port *port) {
    static const uint8_t MARK[MARK_SIZE] = {0};
    uint8_t mark[MARK_SIZE];
    bool blank = flash_read(PAGE_MARK, 0, mark, sizeof mark);
    for (unsigned i = 0; i < sizeof mark; i++) {
        blank = blank && mark[i] == 0xFF;
    }
    return !blank || (ceiling_provision(port) && flash_write(PAGE_MARK, 0, MARK, sizeof MARK));
}
