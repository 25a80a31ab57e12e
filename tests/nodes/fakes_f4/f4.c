/* A fake of the F4's I2C1, stream 0 of DMA1 and ADC1, written from its reference manual (RM0090), and a bench that
 * calls the port on it. Time passes when the core waits or polls; the time base is the fake's own clock. What the
 * manual forbids is counted. */
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "chip.h"
#include "sensor.h"
#include "sensors.h"

enum { SB = 1, ADDR = 2, BTF = 4, RXNE = 64, TXE = 128, AF = 1 << 10, BUSY = 2, BYTE_US = 23, WORDS = 64 };
enum { AT_I2C = 0x40005400, AT_DMA = 0x40026000, AT_RCC = 0x40023800, AT_ADC = 0x40012000, REFERENCE_RAW = 1500 };
enum { CR1 = 0, CR2 = 4, DR = 0x10, SR1 = 0x14, SR2 = 0x18, CCR = 0x1C, TRISE = 0x20 };
enum { FORBIDDEN, UNCLOCKED, NO_WAKE, DMA_BYTES, DMA_BYTES_ASLEEP, BYTES_NOT_REFUSED, COUNTS };

struct bench {
    struct registers registers;
    struct fake_sensor sensors[3];
    uint64_t now_us, due_us; /* of the byte under way; 0: none */
    struct {
        uint32_t address, value;
    } plain[WORDS];
    unsigned plain_n;
    uint32_t seen[COUNTS];
    uint32_t cr1, cr2, sr1, sr2;
    uint8_t data, pointer, address;
    bool sr1_read, pointed, reading, refused, stopping;
    uint32_t dma_left, dma_flags, dma_cr;
    uint8_t *memory;
    uint32_t enabled[3], pending[3];
    bool silent_bus; /* SCL is held low for ever */
    uint16_t supply_mv;
    bool converted;
};

static uint32_t *plain(struct bench *b, uint32_t address) {
    for (unsigned i = 0; i < b->plain_n; i++) {
        if (b->plain[i].address == address) {
            return &b->plain[i].value;
        }
    }
    b->plain[b->plain_n].address = address;
    return &b->plain[b->plain_n++].value;
}

static struct fake_device *device(struct bench *b) {
    for (unsigned i = 0; i < 3; i++) {
        struct fake_device *found = &b->sensors[i].device;
        if (found->address == b->address >> 1 && !found->broken) {
            return found;
        }
    }
    return NULL;
}

/* "I2C clock control register", "TRISE": without them, at APB1's frequency, nothing moves. */
static bool runs(struct bench *b) {
    return (b->cr1 & 1) != 0 && (b->cr2 & 0x3F) == 16 && (*plain(b, AT_I2C + CCR) & 0xFFF) >= 14 &&
           *plain(b, AT_I2C + TRISE) == 5 && !b->silent_bus;
}

static bool dma_on(const struct bench *b) {
    return (b->dma_cr & 1) != 0 && (b->cr2 >> 11 & 1) != 0 && b->dma_left > 0;
}

static void to_memory(struct bench *b, bool asleep) {
    *b->memory = b->data;
    b->memory += b->dma_cr >> 10 & 1;
    b->seen[DMA_BYTES]++;
    b->seen[DMA_BYTES_ASLEEP] += asleep;
    if (--b->dma_left == 0) {
        b->dma_flags |= 0x20;
        b->dma_cr &= ~UINT32_C(1); /* "the stream is disabled by hardware" at the end of a transfer */
    }
}

static void receive(struct bench *b, bool asleep) {
    struct fake_device *d = device(b);
    if ((b->sr1 & RXNE) != 0) {
        b->due_us += BYTE_US; /* stretched until the byte is taken */
        return;
    }
    b->data = d->read(d, b->pointer);
    b->pointer = d->next(d, b->pointer);
    b->refused = (b->cr1 >> 10 & 1) == 0 || (dma_on(b) && b->dma_left == 1 && (b->cr2 >> 12 & 1) != 0);
    if (dma_on(b)) {
        to_memory(b, asleep);
    } else {
        b->sr1 |= RXNE;
    }
    b->due_us = b->refused ? 0 : b->now_us + BYTE_US;
    if (b->refused && b->stopping) {
        b->sr2 = 0;
    }
}

static void event(struct bench *b, bool asleep) {
    for (unsigned i = 0; i < 3; i++) {
        b->sensors[i].device.advance(&b->sensors[i].device, b->now_us);
    }
    if (b->due_us == 0 || b->now_us < b->due_us) {
        return;
    }
    if (b->reading) {
        receive(b, asleep);
        return;
    }
    b->due_us = 0;
    struct fake_device *d = device(b);
    if (b->pointed) {
        d->write(d, b->pointer, b->data);
        b->pointer = d->next(d, b->pointer);
    } else {
        b->pointer = b->data;
    }
    b->pointed = true;
    b->sr1 |= TXE | BTF;
}

static void run_to(struct bench *b, uint64_t until_us, bool asleep) {
    while (b->due_us != 0 && b->due_us <= until_us) {
        b->now_us = b->due_us > b->now_us ? b->due_us : b->now_us;
        event(b, asleep);
    }
    b->now_us = until_us;
    event(b, asleep);
}

/* "Vector table": DMA1 stream 0 is 11, the errors of I2C1 are 32. */
static bool pending(struct bench *b) {
    const bool dma = ((b->dma_flags & 0x20) != 0 && (b->dma_cr & 0x10) != 0);
    const bool errors = (b->cr2 >> 8 & 1) != 0 && (b->sr1 & 0xF00) != 0;
    b->pending[0] |= dma ? 1u << 11 : 0;
    b->pending[1] |= errors ? 1u << 0 : 0;
    return ((b->pending[0] & b->enabled[0]) | (b->pending[1] & b->enabled[1])) != 0;
}

static void wait(void *context) {
    struct bench *b = context;
    while (!pending(b)) {
        if (b->due_us == 0) {
            b->seen[NO_WAKE]++;
            return;
        }
        run_to(b, b->due_us, true);
    }
}

static void pause_core(void *context) {
    struct bench *b = context;
    run_to(b, b->now_us + 1, false);
}

static void hold(void *context, int held) {
    (void)context;
    (void)held;
}

static uint32_t address_of(void *context, void *memory) {
    struct bench *b = context;
    b->memory = memory;
    return 0x20000000;
}

static const uint8_t *memory_at(void *context, uint32_t address) {
    (void)context;
    (void)address;
    return NULL;
}

static bool clocked(struct bench *b, uint32_t address) {
    const bool i2c = (address & ~UINT32_C(0x3FF)) == AT_I2C, dma = (address & ~UINT32_C(0x3FF)) == AT_DMA;
    const bool adc = (address & ~UINT32_C(0x3FF)) == AT_ADC;
    const uint32_t at = i2c ? 0x40 : dma ? 0x30 : 0x44;
    const unsigned bit = adc ? 8 : 21;
    if ((i2c || dma || adc) && (*plain(b, AT_RCC + at) >> bit & 1) == 0) {
        b->seen[UNCLOCKED]++;
        return false;
    }
    return true;
}

static uint32_t i2c_read(struct bench *b, uint32_t offset) {
    switch (offset) {
    case CR1:
        return b->cr1;
    case CR2:
        return b->cr2;
    case DR:
        b->sr1 &= ~(uint32_t)(RXNE | BTF);
        return b->data;
    case SR1:
        b->sr1_read = true;
        return b->sr1;
    case SR2:
        if (b->sr1_read && (b->sr1 & ADDR) != 0) { /* "cleared by software reading SR1 followed by reading SR2" */
            b->sr1 &= ~(uint32_t)ADDR;
            b->sr1 |= b->reading ? 0 : TXE;
            b->due_us = b->reading ? b->now_us + BYTE_US : 0;
        }
        b->sr1_read = false;
        return b->sr2;
    default:
        return *plain(b, AT_I2C + offset);
    }
}

static void write_cr1(struct bench *b, uint32_t value) {
    b->cr1 = value & ~UINT32_C(0x300);
    if ((value >> 15 & 1) != 0 || (value & 1) == 0) {
        b->sr1 = b->sr2 = 0;
        b->due_us = 0;
        return;
    }
    if ((value >> 8 & 1) != 0 && runs(b)) {
        b->sr1 = SB;
        b->sr2 |= BUSY;
        b->due_us = 0;
        b->stopping = false;
    }
    if ((value >> 9 & 1) != 0) {
        b->stopping = true;
        if (b->reading && !b->refused && b->sr2 != 0 && b->due_us != 0 && (b->cr1 >> 10 & 1) != 0) {
            b->seen[BYTES_NOT_REFUSED]++; /* the device still drives the line: the STOP does not come about */
        } else if (!b->reading || b->refused) {
            b->sr2 = 0;
        }
    }
}

static void write_dr(struct bench *b, uint8_t value) {
    if ((b->sr1 & SB) != 0) {
        b->sr1 &= ~(uint32_t)SB;
        b->address = value;
        b->reading = (value & 1) != 0;
        b->refused = false;
        b->pointed = b->reading && b->pointed;
        b->sr1 |= device(b) != NULL ? ADDR : AF;
    } else if ((b->sr1 & TXE) != 0 && !b->reading) {
        b->sr1 &= ~(uint32_t)(TXE | BTF);
        b->data = value;
        b->due_us = b->now_us + BYTE_US;
    }
}

static void i2c_write(struct bench *b, uint32_t offset, uint32_t value) {
    if (offset == CR1) {
        write_cr1(b, value);
    } else if (offset == CR2) {
        b->cr2 = value;
    } else if (offset == DR) {
        write_dr(b, (uint8_t)value);
    } else if (offset == SR1) {
        b->sr1 &= value | ~UINT32_C(0xDF00);
    } else if ((b->cr1 & 1) != 0) {
        b->seen[FORBIDDEN]++; /* CCR, TRISE: "only when the I2C is disabled" */
    } else {
        *plain(b, AT_I2C + offset) = value;
    }
}

static void dma_write(struct bench *b, uint32_t offset, uint32_t value) {
    if (offset == 0x08) {
        b->dma_flags &= ~value;
    } else if (offset == 0x10) {
        const bool fit = (value & 0x0E0078C0) == 0x02000000 && *plain(b, AT_DMA + 0x18) == AT_I2C + DR &&
                         *plain(b, AT_DMA + 0x1C) == 0x20000000; /* channel 1, from the peripheral, bytes */
        b->seen[FORBIDDEN] += (value & 1) != 0 && (!fit || b->dma_flags != 0);
        b->dma_cr = fit && b->dma_flags == 0 ? value : value & ~UINT32_C(1);
    } else if ((b->dma_cr & 1) != 0) {
        b->seen[FORBIDDEN]++;
    } else if (offset == 0x14) {
        b->dma_left = value & 0xFFFF;
    } else {
        *plain(b, AT_DMA + offset) = value;
    }
}

static uint32_t read(void *context, uint32_t address) {
    struct bench *b = context;
    if (!clocked(b, address)) {
        return 0;
    }
    switch (address & ~UINT32_C(0x3FF)) {
    case AT_I2C:
        return i2c_read(b, address - AT_I2C);
    case AT_DMA:
        return address == AT_DMA ? b->dma_flags : address == AT_DMA + 0x10 ? b->dma_cr : *plain(b, address);
    case AT_ADC:
        return address == AT_ADC          ? (b->converted ? 2 : 0)
               : address == AT_ADC + 0x4C ? UINT32_C(3300) * REFERENCE_RAW / b->supply_mv
                                          : *plain(b, address);
    default:
        return address == 0x1FFF7A28 ? (uint32_t)REFERENCE_RAW << 16 : *plain(b, address);
    }
}

static void write(void *context, uint32_t address, uint32_t value) {
    struct bench *b = context;
    const uint32_t word = address >> 2 & 31;
    if (!clocked(b, address)) {
        return;
    }
    if ((address & ~UINT32_C(0x7F)) == 0xE000E100 && word < 3) {
        b->enabled[word] |= value;
    } else if ((address & ~UINT32_C(0x7F)) == 0xE000E280 && word < 3) {
        b->pending[word] &= ~value;
    } else if ((address & ~UINT32_C(0x3FF)) == AT_I2C) {
        i2c_write(b, address - AT_I2C, value);
    } else if ((address & ~UINT32_C(0x3FF)) == AT_DMA) {
        dma_write(b, address - AT_DMA, value);
    } else {
        *plain(b, address) = value;
        if (address == AT_ADC + 8) { /* ADON, SWSTART; channel 17 is the reference, which TSVREFE switches on */
            b->converted = (value & 0x40000001) == 0x40000001 && *plain(b, AT_ADC + 0x34) == 17 &&
                           (*plain(b, AT_ADC + 0x304) >> 23 & 1) != 0;
        }
    }
}

/* The time base. */
struct timebase {
    struct bench *bench;
};

static struct timebase timebase;

uint64_t time_now_ms(struct timebase *time) {
    return time->bench->now_us / 1000;
}

void time_nap(struct timebase *time, uint32_t ms) {
    run_to(time->bench, time->bench->now_us + UINT64_C(1000) * ms, true);
}

void time_sleep(struct timebase *time, uint32_t ms) {
    time_nap(time, ms);
}

void time_pace(struct timebase *time, enum pace pace) {
    (void)time;
    (void)pace;
}

/* For tests through ctypes. */
struct bench *bench_new(void) {
    static void (*const MAKE[3])(struct fake_sensor *) = {fake_lsm6dsl, fake_mpu6050, fake_lis2dw12};
    struct bench *b = calloc(1, sizeof *b);
    b->registers = (struct registers){b, read, write, wait, pause_core, hold, address_of, memory_at};
    b->now_us = 1000;
    b->supply_mv = 3300;
    for (unsigned i = 0; i < 3; i++) {
        MAKE[i](&b->sensors[i]);
        b->sensors[i].device.now_us = &b->now_us;
    }
    timebase.bench = b;
    chip_start(&b->registers);
    bus_start(&b->registers);
    return b;
}

void bench_free(struct bench *b) {
    free(b);
}

void bench_fault(struct bench *b, const char *what, uint32_t value) {
    b->silent_bus = strcmp(what, "stretched") == 0 ? value != 0 : b->silent_bus;
    b->supply_mv = strcmp(what, "supply") == 0 ? (uint16_t)value : b->supply_mv;
    for (unsigned i = 0; i < 3; i++) {
        struct fake_sensor *s = &b->sensors[i];
        s->device.broken = strcmp(what, "absent") == 0 ? value != 0 : s->device.broken;
        s->weak = strcmp(what, "weak") == 0 ? value != 0 : s->weak;
    }
}

uint32_t bench_seen(const struct bench *b, unsigned what) {
    return b->seen[what];
}

uint16_t bench_supply_mv(struct bench *b) {
    return chip_supply_mv(&b->registers);
}

static const struct sensor *const DRIVERS[3] = {&sensor_lsm6dsl, &sensor_mpu6050, &sensor_lis2dw12};

int bench_sensor_check(struct bench *b, unsigned kind) {
    const struct sensor_at at = {&b->registers, &timebase};
    return sensor_check(DRIVERS[kind], &at);
}

int bench_sensor_window(struct bench *b, unsigned kind, int16_t *out, uint16_t samples, uint8_t channels) {
    const struct sensor_at at = {&b->registers, &timebase};
    return (int)sensor_window(DRIVERS[kind], &at, 200000, out, samples, channels);
}
