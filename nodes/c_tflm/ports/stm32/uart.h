/* An asynchronous serial port, 8N1; the chip's own uart.c defines these. Bytes that come are put into a ring by the
 * interrupt, because the core may be busy with a message while the next one comes. */
#ifndef STETHOS_UART_H
#define STETHOS_UART_H

#include "registers.h"

enum { UART_RING = 512 }; /* a power of two */

struct uart {
    uint32_t base;
    volatile uint32_t lost; /* bytes that came while nobody could take them, and bytes broken by noise */
    volatile uint16_t head; /* written by the interrupt */
    volatile uint16_t tail; /* written by the reader */
    uint8_t ring[UART_RING];
};

/* Pins and clock are the chip's business, done before (chip.h). `clock_hz` feeds the port. False: it does not start. */
bool uart_start(const struct registers *r, struct uart *uart, uint32_t base, uint32_t clock_hz, uint32_t baud);

/* Off: from here on it neither hears nor interrupts. */
void uart_stop(const struct registers *r, const struct uart *uart);

/* In the port's interrupt. */
void uart_interrupt(const struct registers *r, struct uart *uart);

/* False: the port did not take it in time. */
bool uart_put(const struct registers *r, const struct uart *uart, uint8_t byte);

/* Until the last bit has left; sleep would cut it off. */
bool uart_drained(const struct registers *r, const struct uart *uart);

static inline void uart_keep(struct uart *uart, uint8_t byte) {
    const uint16_t next = (uint16_t)((uart->head + 1) % UART_RING);
    if (next == uart->tail) {
        uart->lost++;
        return;
    }
    uart->ring[uart->head] = byte;
    uart->head = next;
}

/* False: nothing has come. */
static inline bool uart_get(struct uart *uart, uint8_t *byte) {
    if (uart->tail == uart->head) {
        return false;
    }
    *byte = uart->ring[uart->tail];
    uart->tail = (uint16_t)((uart->tail + 1) % UART_RING);
    return true;
}

static inline bool uart_empty(const struct uart *uart) {
    return uart->tail == uart->head;
}

#endif
