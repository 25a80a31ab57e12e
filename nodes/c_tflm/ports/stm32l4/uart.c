/* USART and LPUART of the L4: the same registers, another divider. */
#include "uart.h"

#include "l4.h"

enum { TRIES = 1000000 };

bool uart_start(const struct registers *r, struct uart *uart, uint32_t base, uint32_t clock_hz, uint32_t baud) {
    const bool low_power = base == LPUART1;
    /* "LPUART baud rate generation": 256 times the clock, and a divider from 768 on; a USART's is at least 16. */
    const uint64_t clock = low_power ? (uint64_t)clock_hz * 256 : clock_hz;
    const uint32_t divider = (uint32_t)((clock + baud / 2) / baud);
    if (divider < (low_power ? 768 : 16) || divider > (low_power ? 0xFFFFF : 0xFFFF)) {
        return false;
    }
    uart->base = base;
    uart->head = uart->tail = 0;
    uart->lost = 0;
    register_write(r, base + USART_CR1, 0);
    register_write(r, base + USART_BRR, divider);
    register_write(r, base + USART_CR1, USART_CR1_UE | USART_CR1_RE | USART_CR1_TE | USART_CR1_RXNEIE);
    return true;
}

void uart_interrupt(const struct registers *r, struct uart *uart) {
    const uint32_t errors = USART_ISR_FE | USART_ISR_NF | USART_ISR_ORE;
    const uint32_t state = register_read(r, uart->base + USART_ISR);
    if ((state & USART_ISR_RXNE) != 0) {
        uart_keep(uart, (uint8_t)register_read(r, uart->base + USART_RDR));
    }
    if ((state & errors) != 0) {
        uart->lost++; /* the frame's CRC finds out what it was */
        register_write(r, uart->base + USART_ICR, state & errors);
    }
}

bool uart_put(const struct registers *r, const struct uart *uart, uint8_t byte) {
    if (!register_until(r, uart->base + USART_ISR, USART_ISR_TXE, USART_ISR_TXE, TRIES)) {
        return false;
    }
    register_write(r, uart->base + USART_TDR, byte);
    return true;
}

bool uart_drained(const struct registers *r, const struct uart *uart) {
    return register_until(r, uart->base + USART_ISR, USART_ISR_TC, USART_ISR_TC, TRIES);
}

void uart_stop(const struct registers *r, const struct uart *uart) {
    register_write(r, uart->base + USART_CR1, 0);
}
