#include "cobs_uart.h"

#include <string.h>

bool cobs_uart_start(const struct registers *r, struct cobs_uart *line, uint32_t base, uint32_t clock_hz,
                     uint32_t baud) {
    frame_decoder_init(&line->decoder);
    line->torn = false;
    return uart_start(r, &line->uart, base, clock_hz, baud);
}

bool cobs_uart_send(const struct registers *r, struct cobs_uart *line, const uint8_t *envelope, size_t n) {
    if (n > FRAME_MAX) {
        return false;
    }
    const size_t size = frame_encode(envelope, n, line->frame);
    if (line->torn && !uart_put(r, &line->uart, 0)) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (!uart_put(r, &line->uart, line->frame[i])) {
            line->torn = true;
            return false;
        }
    }
    line->torn = !uart_drained(r, &line->uart);
    return !line->torn;
}

size_t cobs_uart_take(struct cobs_uart *line, uint8_t *out, size_t size) {
    uint8_t byte;
    while (uart_get(&line->uart, &byte)) {
        if (frame_push(&line->decoder, byte) == FRAME_READY && line->decoder.n <= size) {
            memcpy(out, line->decoder.data, line->decoder.n);
            return line->decoder.n;
        }
    }
    return 0;
}

size_t cobs_uart_receive(const struct registers *r, struct cobs_uart *line, struct timebase *time, uint8_t *out,
                         size_t size, uint32_t *left_ms) {
    const uint64_t start = time_now_ms(time);
    uint64_t spent = 0;
    size_t n = cobs_uart_take(line, out, size);
    while (n == 0 && spent < *left_ms) {
        register_hold(r); /* a byte that comes from here on pends, and cuts the nap short */
        if (uart_empty(&line->uart)) {
            time_nap(time, *left_ms - (uint32_t)spent);
        }
        register_release(r);
        n = cobs_uart_take(line, out, size);
        spent = time_now_ms(time) - start;
    }
    *left_ms -= spent < *left_ms ? (uint32_t)spent : *left_ms;
    return n;
}
