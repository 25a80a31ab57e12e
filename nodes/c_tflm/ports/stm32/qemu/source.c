/* The sensor of an emulator: a second serial port, at whose other end somebody has samples, recorded or simulated.
 *
 * Both sides send frames as on the line to the gateway (core/frame.h). The node asks for a piece of a window: samples
 * (2 bytes) and channels (1) of the window, milliseconds on the node's clock at its beginning (4), where the piece
 * begins (2, in values). The answer says where it begins (2) and has the values, int16, no more than PIECE of them: an
 * emulated line knows no baud rate, and what comes at once must fit into the port's ring. No values: there are no more
 * samples. All little-endian. */
#include "source.h"

#include <string.h>

#include "chip.h"
#include "cobs_uart.h"

enum { ASK = 9, HEAD = 2, PIECE = 128, ANSWER_MS = 3000, BATTERY_MV = 3300 };

_Static_assert(HEAD + 2 * PIECE + FRAME_CRC + 4 < UART_RING, "a piece at once");

struct source {
    const struct registers *registers;
    struct timebase *time;
    struct cobs_uart feed;
    bool ended;
};

static struct source source;

void feed_interrupt(void);

void feed_interrupt(void) {
    uart_interrupt(source.registers, &source.feed.uart);
}

struct source *source_open(const struct registers *r, const struct config_page *config, struct timebase *time) {
    memset(&source, 0, sizeof source);
    source.registers = r;
    source.time = time;
    return cobs_uart_start(r, &source.feed, chip_feed_base(), chip_uart_clock_hz(), config->baud) ? &source : NULL;
}

static void put(uint8_t *out, uint32_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) {
        out[i] = (uint8_t)(value >> 8 * i);
    }
}

/* Values into `out`, 0 at the end of all samples, or negative: no answer. */
static int take_piece(struct source *s, const uint8_t question[ASK], uint32_t at, int16_t *out, uint32_t most) {
    uint8_t piece[HEAD + 2 * PIECE];
    uint32_t left_ms = ANSWER_MS;
    size_t n;
    if (!cobs_uart_send(s->registers, &s->feed, question, ASK)) {
        return -1;
    }
    do { /* what answers an earlier question is passed over */
        n = cobs_uart_receive(s->registers, &s->feed, s->time, piece, sizeof piece, &left_ms);
    } while (n >= HEAD && ((uint32_t)piece[0] | (uint32_t)piece[1] << 8) != at);
    const uint32_t values = n < HEAD ? 0 : (uint32_t)(n - HEAD) / 2;
    if (n < HEAD || values > most) {
        return -1;
    }
    for (uint32_t i = 0; i < values; i++) {
        out[i] = (int16_t)(piece[HEAD + 2 * i] | piece[HEAD + 2 * i + 1] << 8);
    }
    return (int)values;
}

enum sample_status source_sample(struct source *s, int16_t *out, uint16_t samples, uint8_t channels) {
    const uint32_t wanted = (uint32_t)samples * channels;
    uint8_t question[ASK];
    put(question, samples, 2);
    question[2] = channels;
    put(question + 3, (uint32_t)time_now_ms(s->time), 4);
    for (uint32_t have = 0; have < wanted && !s->ended;) {
        put(question + 7, have, 2);
        const int n = take_piece(s, question, have, out + have, wanted - have);
        if (n < 0) {
            return SAMPLE_NO_ANSWER;
        }
        s->ended = n == 0;
        have += (uint32_t)n;
    }
    return s->ended ? SAMPLE_NONE : SAMPLE_OK;
}

uint16_t source_battery_mv(struct source *s) {
    (void)s;
    return BATTERY_MV;
}

int16_t source_temperature_cdeg(struct source *s) {
    (void)s;
    return PORT_TEMPERATURE_NONE;
}
