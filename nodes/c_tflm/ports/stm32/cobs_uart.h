/* Envelopes on a serial port: COBS frames with a CRC (core/frame.h). */
#ifndef STETHOS_COBS_UART_H
#define STETHOS_COBS_UART_H

#include <stddef.h>

#include "frame.h"
#include "timebase.h"
#include "uart.h"

struct cobs_uart {
    struct uart uart;
    struct frame_decoder decoder;
    uint8_t frame[FRAME_ENCODED_MAX];
    bool torn; /* the last frame went out in part: the next begins with the zero that ends it */
};

bool cobs_uart_start(const struct registers *r, struct cobs_uart *line, uint32_t base, uint32_t clock_hz,
                     uint32_t baud);

/* False: it did not go out whole. */
bool cobs_uart_send(const struct registers *r, struct cobs_uart *line, const uint8_t *envelope, size_t n);

/* One envelope of what has come, without waiting; 0: none. What does not fit into `size` is dropped. */
size_t cobs_uart_take(struct cobs_uart *line, uint8_t *out, size_t size);

/* Waits at most `*left_ms` for one, and takes off what it waited. The core sleeps in between. */
size_t cobs_uart_receive(const struct registers *r, struct cobs_uart *line, struct timebase *time, uint8_t *out,
                         size_t size, uint32_t *left_ms);

#endif
