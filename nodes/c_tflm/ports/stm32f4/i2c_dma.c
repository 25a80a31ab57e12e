/* I2C1 with DMA (RM0090, "Inter-integrated circuit (I2C) interface", "DMA controller"): the register's number is
 * written by the core, what comes back goes into memory while the core sleeps. */
#include "bus.h"
#include "cortex.h"
#include "f4.h"

enum { TRIES = 100000, WAITS = 64, APB1_MHZ = 16, RISE = 5 /* 300 ns and one */ };

#define CHANNEL_1 (UINT32_C(1) << 25)
#define FAST_400K (BIT(15) | 14) /* F/S; low 28 and high 14 periods of 16 MHz */

static bool has(const struct registers *r, uint32_t flags) {
    return (register_read(r, I2C1 + I2C_SR1) & flags) != 0;
}

/* "SWRST" frees the lines and forgets all flags. */
static void restart(const struct registers *r) {
    register_write(r, I2C1 + I2C_CR1, I2C_CR1_SWRST);
    register_write(r, I2C1 + I2C_CR1, 0);
    register_write(r, I2C1 + I2C_CR2, APB1_MHZ);
    register_write(r, I2C1 + I2C_CCR, FAST_400K);
    register_write(r, I2C1 + I2C_TRISE, RISE);
    register_write(r, I2C1 + I2C_CR1, I2C_CR1_PE);
}

void bus_start(const struct registers *r) {
    interrupt_enable(r, IRQ_DMA1_STREAM0);
    interrupt_enable(r, IRQ_I2C1_ER);
    restart(r);
}

/* Polls for a flag; false also for an error. */
static bool await(const struct registers *r, uint32_t flag) {
    for (uint32_t tries = TRIES; tries > 0 && !has(r, I2C_SR1_ERRORS); tries--) {
        if (has(r, flag)) {
            return true;
        }
        register_pause(r);
    }
    return false;
}

/* START and address; ADDR is up then, and goes once both registers of state are read. */
static bool call(const struct registers *r, uint8_t address, bool reads, uint32_t acknowledge) {
    register_field(r, I2C1 + I2C_CR1, I2C_CR1_ACK, acknowledge | I2C_CR1_START);
    if (!await(r, I2C_SR1_SB)) {
        return false;
    }
    register_write(r, I2C1 + I2C_DR, (uint32_t)address << 1 | reads);
    return await(r, I2C_SR1_ADDR);
}

static void addressed(const struct registers *r) {
    (void)register_read(r, I2C1 + I2C_SR1);
    (void)register_read(r, I2C1 + I2C_SR2);
}

static bool put(const struct registers *r, uint8_t byte) {
    register_write(r, I2C1 + I2C_DR, byte);
    return await(r, I2C_SR1_BTF);
}

/* The bus is free again, or is made so. */
static bool finish(const struct registers *r, bool done) {
    done = done && register_until(r, I2C1 + I2C_SR2, I2C_SR2_BUSY, 0, TRIES);
    if (!done) {
        restart(r);
    }
    return done;
}

static void stop(const struct registers *r) {
    register_set(r, I2C1 + I2C_CR1, I2C_CR1_STOP);
}

/* The register that what follows begins at. */
static bool point(const struct registers *r, uint8_t address, uint8_t first) {
    if (!call(r, address, false, 0)) {
        return false;
    }
    addressed(r);
    return put(r, first);
}

bool bus_write(const struct registers *r, uint8_t address, uint8_t first, const uint8_t *data, size_t n) {
    bool done = point(r, address, first);
    for (size_t i = 0; done && i < n; i++) {
        done = put(r, data[i]);
    }
    stop(r);
    return finish(r, done);
}

/* "Case of a single byte to be received": refused, and the end asked for, before it comes. */
static bool read_one(const struct registers *r, uint8_t address, uint8_t *out) {
    if (!call(r, address, true, 0)) {
        stop(r);
        return false;
    }
    addressed(r);
    stop(r);
    if (!await(r, I2C_SR1_RXNE)) {
        return false;
    }
    *out = (uint8_t)register_read(r, I2C1 + I2C_DR);
    return true;
}

static void forget(const struct registers *r) {
    register_write(r, DMA_LIFCR, DMA_STREAM0);
    interrupt_forget(r, IRQ_DMA1_STREAM0);
    interrupt_forget(r, IRQ_I2C1_ER);
}

/* The core sleeps until the last byte is in memory, or the bus gives up. LAST has the last byte refused. */
static bool read_more(const struct registers *r, uint8_t address, uint8_t *out, size_t n) {
    register_write(r, DMA_S0CR, 0);
    forget(r);
    register_write(r, DMA_S0PAR, I2C1 + I2C_DR);
    register_write(r, DMA_S0M0AR, register_address(r, out));
    register_write(r, DMA_S0NDTR, (uint32_t)n);
    register_write(r, DMA_S0CR, CHANNEL_1 | DMA_SCR_MINC | DMA_SCR_TCIE | DMA_SCR_TEIE);
    register_set(r, DMA_S0CR, DMA_SCR_EN);
    register_write(r, I2C1 + I2C_CR2, APB1_MHZ | I2C_CR2_LAST | I2C_CR2_DMAEN | I2C_CR2_ITERREN);
    if (call(r, address, true, I2C_CR1_ACK)) {
        addressed(r);
        unsigned waits = WAITS; /* whatever else pends ends a wait, too */
        while (waits > 0 && !register_is(r, DMA_LISR, DMA_STREAM0_TC, DMA_STREAM0_TC) && !has(r, I2C_SR1_ERRORS)) {
            register_wait(r);
            waits--;
        }
    }
    const bool done = register_is(r, DMA_LISR, DMA_STREAM0_TC | DMA_STREAM0_TE, DMA_STREAM0_TC);
    stop(r);
    register_write(r, DMA_S0CR, 0);
    register_write(r, I2C1 + I2C_CR2, APB1_MHZ);
    return done;
}

bool bus_read(const struct registers *r, uint8_t address, uint8_t first, uint8_t *out, size_t n) {
    register_hold(r);
    const bool pointed = point(r, address, first);
    const bool done = pointed && (n == 1 ? read_one(r, address, out) : read_more(r, address, out, n));
    if (!pointed) {
        stop(r);
    }
    const bool finished = finish(r, done);
    forget(r);
    register_release(r);
    return finished;
}
