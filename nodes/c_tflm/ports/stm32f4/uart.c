#include "uart.h"

#include "f4.h"

enum { TRIES = 1000000, DIVIDER_MIN = 16 };

bool uart_start(const struct registers *r, struct uart *uart, uint32_t base, uint32_t clock_hz, uint32_t baud) {
    const uint32_t divider = (clock_hz + baud / 2) / baud; /* in sixteenths, as the register has it */
    if (divider < DIVIDER_MIN || divider > UINT16_MAX) {
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

/* Reading state, then data, takes the errors away ("USART_SR"). */
void uart_interrupt(const struct registers *r, struct uart *uart) {
    const uint32_t errors = USART_SR_FE | USART_SR_NF | USART_SR_ORE;
    const uint32_t state = register_read(r, uart->base + USART_SR);
    if ((state & (USART_SR_RXNE | errors)) != 0) {
        const uint8_t byte = (uint8_t)register_read(r, uart->base + USART_DR);
        uart->lost += (state & errors) != 0;
        if ((state & USART_SR_RXNE) != 0) {
            uart_keep(uart, byte);
        }
    }
}

bool uart_put(const struct registers *r, const struct uart *uart, uint8_t byte) {
    if (!register_until(r, uart->base + USART_SR, USART_SR_TXE, USART_SR_TXE, TRIES)) {
        return false;
    }
    register_write(r, uart->base + USART_DR, byte);
    return true;
}

bool uart_drained(const struct registers *r, const struct uart *uart) {
    return register_until(r, uart->base + USART_SR, USART_SR_TC, USART_SR_TC, TRIES);
}

void uart_stop(const struct registers *r, const struct uart *uart) {
    register_write(r, uart->base + USART_CR1, 0);
}
