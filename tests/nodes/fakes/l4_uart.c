/* USART1 and LPUART1, one of which has somebody at its other end. */
#include "l4_parts.h"

enum { CR1 = 0x00, BRR = 0x0C, ISR = 0x1C, ICR = 0x20, RDR = 0x24, TDR = 0x28 };
enum { FE = 1 << 1, ORE = 1 << 3, RXNE = 1 << 5, TC = 1 << 6, HSI16_HZ = 16000000, BITS = 10, WITHIN_PERCENT = 3 };

#define RCC_BASE UINT32_C(0x40021000)

static const uint32_t BASE[2] = {0x40013800, 0x40008000};
static const uint8_t CLOCK_FIELD[2] = {0, 10}; /* USART1SEL, LPUART1SEL */

bool fake_hsi_feeds(struct fake *f, unsigned shift) {
    return (*fake_plain(f, RCC_BASE + 0x88) >> shift & 3) == 2 && fake_bit(f, RCC_BASE, 8);
}

/* "USART baud rate generation", oversampling by 16: clock / BRR from 16 on. "LPUART baud rate generation": 256 times
 * the clock / BRR, from 0x300 on. 0: it does not run. */
static uint32_t baud(struct fake *f, unsigned uart) {
    const uint32_t divider = *fake_plain(f, BASE[uart] + BRR) & (uart == 0 ? 0xFFFF : 0xFFFFF);
    if (!fake_hsi_feeds(f, CLOCK_FIELD[uart]) || divider < (uart == 0 ? 16u : 0x300u)) {
        return 0;
    }
    return (uint32_t)((uart == 0 ? 1 : 256) * (uint64_t)HSI16_HZ / divider);
}

uint32_t fake_uart_byte_us(struct fake *f) {
    return BITS * 1000000 / f->line_baud + 1;
}

/* Both ends are near enough to each other. */
static bool agrees(struct fake *f, unsigned uart) {
    const uint64_t ours = (uint64_t)baud(f, uart) * 100, theirs = f->line_baud;
    return ours >= theirs * (100 - WITHIN_PERCENT) && ours <= theirs * (100 + WITHIN_PERCENT);
}

bool fake_uart_wants(struct fake *f, unsigned uart) {
    return fake_bit(f, BASE[uart], 5) && (f->uarts[uart].isr & (RXNE | ORE)) != 0; /* RXNEIE */
}

void fake_uart_event(struct fake *f) {
    const unsigned uart = f->line;
    if (f->in_at >= f->in_n || f->now_us < f->byte_in_due_us) {
        return;
    }
    const uint8_t byte = f->line_in[f->in_at++ % FAKE_LINE];
    f->byte_in_due_us = f->now_us + fake_uart_byte_us(f);
    if (baud(f, uart) == 0 || (*fake_plain(f, BASE[uart] + CR1) & 5) != 5) { /* UE, RE */
        f->seen[SEEN_UART_LOST]++;
    } else if ((f->uarts[uart].isr & RXNE) != 0) {
        f->uarts[uart].isr |= ORE; /* "Overrun error" */
        f->seen[SEEN_UART_LOST]++;
    } else {
        const bool broken = !agrees(f, uart);
        f->seen[SEEN_UART_BROKEN] += broken;
        f->uarts[uart].rdr = broken ? (uint8_t)(byte ^ 0x5A) : byte;
        f->uarts[uart].isr |= RXNE | (broken ? FE : 0u);
    }
}

uint32_t fake_uart_read(struct fake *f, unsigned uart, uint32_t offset) {
    switch (offset) {
    case ISR:
        return f->uarts[uart].isr;
    case RDR:
        f->uarts[uart].isr &= ~(uint32_t)RXNE;
        return f->uarts[uart].rdr;
    default:
        return *fake_plain(f, BASE[uart] + offset);
    }
}

/* A byte leaves; it is out before the next is taken. */
static void transmit(struct fake *f, unsigned uart, uint8_t byte) {
    const uint32_t rate = baud(f, uart);
    if (rate == 0 || (*fake_plain(f, BASE[uart] + CR1) & 9) != 9) { /* UE, TE; without a clock it does not leave */
        f->uarts[uart].isr &= ~(uint32_t)TC;
        return;
    }
    f->uarts[uart].isr |= TC;
    f->now_us += BITS * 1000000 / rate;
    if (uart != f->line) {
        return;
    }
    f->seen[SEEN_UART_BROKEN] += !agrees(f, uart);
    f->line_out[f->out_n++ % FAKE_LINE] = agrees(f, uart) ? byte : (uint8_t)(byte ^ 0x5A);
    if (f->on_byte != NULL) {
        f->on_byte(byte);
    }
}

void fake_uart_write(struct fake *f, unsigned uart, uint32_t offset, uint32_t value) {
    switch (offset) {
    case ICR:
        f->uarts[uart].isr &= ~(value & 0x1F);
        break;
    case TDR:
        transmit(f, uart, (uint8_t)value);
        break;
    case BRR:
        if (fake_bit(f, BASE[uart], 0)) {
            f->seen[SEEN_FORBIDDEN]++; /* "can only be written when the USART is disabled" */
            break;
        }
        /* fall through */
    default:
        *fake_plain(f, BASE[uart] + offset) = value;
    }
}
