/* I2C2 with DMA (RM0351, "Inter-integrated circuit", "Direct memory access"): the register's number is written by the
 * core, what comes back goes into memory while the core sleeps. */
#include "bus.h"
#include "cortex.h"
#include "l4.h"

enum { TRIES = 100000, CHANNEL = 5, WAITS = 64 };

#define REQUEST UINT32_C(3)

#define TIMING_400K_AT_16M UINT32_C(0x10320309) /* the manual's own example for Fast-mode and 16 MHz */
#define TIMEOUT_25MS UINT32_C(0x80C3)           /* TIMOUTEN; 196 · 2048 cycles of SCL held low */
#define I2C_TIMEOUTR 0x14
#define I2C_ISR_TIMEOUT BIT(12)
#define ERRORS (I2C_ISR_NACKF | I2C_ISR_BERR | I2C_ISR_ARLO | I2C_ISR_TIMEOUT)

static bool has(const struct registers *r, uint32_t flags) {
    return (register_read(r, I2C2 + I2C_ISR) & flags) != 0;
}

/* Off and on again frees the lines and forgets all flags ("Software reset"). */
static void restart(const struct registers *r) {
    register_write(r, I2C2 + I2C_CR1, 0);
    (void)register_is(r, I2C2 + I2C_CR1, I2C_CR1_PE, 0); /* it must be low for three cycles of the bus */
    register_write(r, I2C2 + I2C_TIMINGR, TIMING_400K_AT_16M);
    register_write(r, I2C2 + I2C_TIMEOUTR, TIMEOUT_25MS);
    register_write(r, I2C2 + I2C_ICR, I2C_ICR_ALL);
    register_write(r, I2C2 + I2C_CR1, I2C_CR1_PE);
}

void bus_start(const struct registers *r) {
    register_field(r, DMA_CSELR, UINT32_C(15) << 4 * (CHANNEL - 1), REQUEST << 4 * (CHANNEL - 1));
    interrupt_enable(r, IRQ_DMA1_CH5);
    interrupt_enable(r, IRQ_I2C2_EV);
    interrupt_enable(r, IRQ_I2C2_ER);
    restart(r);
}

/* Polls for a flag; false also for an error. */
static bool await(const struct registers *r, uint32_t flag) {
    for (uint32_t tries = TRIES; tries > 0 && !has(r, ERRORS); tries--) {
        if (has(r, flag)) {
            return true;
        }
        register_pause(r);
    }
    return false;
}

static void begin(const struct registers *r, uint8_t address, size_t n, uint32_t how) {
    register_write(r, I2C2 + I2C_CR2, (uint32_t)address << 1 | I2C_CR2_NBYTES(n) | how | I2C_CR2_START);
}

static bool put(const struct registers *r, uint8_t byte) {
    if (!await(r, I2C_ISR_TXIS)) {
        return false;
    }
    register_write(r, I2C2 + I2C_TXDR, byte);
    return true;
}

static bool finish(const struct registers *r, bool done) {
    done = done && await(r, I2C_ISR_STOPF);
    if (!done) {
        restart(r);
    }
    register_write(r, I2C2 + I2C_ICR, I2C_ICR_ALL);
    return done;
}

bool bus_write(const struct registers *r, uint8_t address, uint8_t first, const uint8_t *data, size_t n) {
    begin(r, address, n + 1, I2C_CR2_AUTOEND);
    bool done = put(r, first);
    for (size_t i = 0; done && i < n; i++) {
        done = put(r, data[i]);
    }
    return finish(r, done);
}

static void forget(const struct registers *r) {
    register_write(r, DMA_IFCR, UINT32_C(15) << 4 * (CHANNEL - 1));
    interrupt_forget(r, IRQ_DMA1_CH5);
    interrupt_forget(r, IRQ_I2C2_EV);
    interrupt_forget(r, IRQ_I2C2_ER);
}

/* The core sleeps until the last byte is in memory, or the bus gives up. */
static bool transfer(const struct registers *r, uint8_t address, uint8_t *out, size_t n) {
    register_write(r, DMA_CCR(CHANNEL), 0);
    forget(r);
    register_write(r, DMA_CPAR(CHANNEL), I2C2 + I2C_RXDR);
    register_write(r, DMA_CMAR(CHANNEL), register_address(r, out));
    register_write(r, DMA_CNDTR(CHANNEL), (uint32_t)n);
    register_write(r, DMA_CCR(CHANNEL), DMA_CCR_EN | DMA_CCR_TCIE | DMA_CCR_TEIE | DMA_CCR_MINC);
    register_write(r, I2C2 + I2C_CR1, I2C_CR1_PE | I2C_CR1_RXDMAEN | I2C_CR1_ERRIE | I2C_CR1_NACKIE);
    begin(r, address, n, I2C_CR2_READ | I2C_CR2_AUTOEND);
    unsigned waits = WAITS; /* whatever else pends ends a wait, too */
    while (waits > 0 && !register_is(r, DMA_ISR, DMA_TCIF(CHANNEL), DMA_TCIF(CHANNEL)) && !has(r, ERRORS)) {
        register_wait(r);
        waits--;
    }
    const bool done = register_is(r, DMA_ISR, DMA_TCIF(CHANNEL) | DMA_TEIF(CHANNEL), DMA_TCIF(CHANNEL));
    register_write(r, DMA_CCR(CHANNEL), 0);
    register_write(r, I2C2 + I2C_CR1, I2C_CR1_PE);
    return done;
}

bool bus_read(const struct registers *r, uint8_t address, uint8_t first, uint8_t *out, size_t n) {
    register_hold(r);
    begin(r, address, 1, 0); /* no stop: the bus stays ours until it is turned round */
    const bool done = put(r, first) && await(r, I2C_ISR_TC) && transfer(r, address, out, n);
    const bool finished = finish(r, done);
    forget(r);
    register_release(r);
    return finished;
}
