#include "sensors.h"

#include <string.h>

int16_t fake_sample(uint64_t frame, unsigned channel) {
    return (int16_t)((frame * 37 + channel * 5003) % 30011 - 15000);
}

static void push(struct fake_sensor *s, int16_t word, uint32_t most) {
    if (s->words == most) { /* the oldest gives way */
        s->head = (s->head + 1) % FAKE_FIFO_WORDS;
        s->words--;
        s->overrun = true;
    }
    s->fifo[(s->head + s->words++) % FAKE_FIFO_WORDS] = word;
}

static void empty(struct fake_sensor *s) {
    s->head = s->words = s->byte = 0;
    s->frames = 0;
    s->overrun = false;
    s->collects_us = 0;
}

/* A byte of the oldest word; little-endian unless `big`. */
static uint8_t pop(struct fake_sensor *s, bool big) {
    if (s->words == 0) {
        return 0;
    }
    const uint16_t word = (uint16_t)s->fifo[s->head];
    const uint8_t byte = (uint8_t)((s->byte == 0) == big ? word >> 8 : word);
    s->byte ^= 1;
    if (s->byte == 0) {
        s->head = (s->head + 1) % FAKE_FIFO_WORDS;
        s->words--;
    }
    return byte;
}

/* Frames that are due by now at `rate_millihz`. */
static uint64_t due(const struct fake_sensor *s, uint64_t now_us, uint32_t rate_millihz) {
    if (s->collects_us == 0 || s->silent || rate_millihz == 0) {
        return 0;
    }
    const uint64_t elapsed = (now_us - s->collects_us) * (1000000 - s->slow_ppm) / 1000000;
    return elapsed * rate_millihz / 1000000000;
}

static void init(struct fake_sensor *s, uint8_t address) {
    memset(s, 0, sizeof *s);
    s->device.address = address;
    s->device.state = s;
}

static int16_t resting(unsigned axis) {
    return axis == 2 ? 8192 : 100; /* 1 g at ±4 g lies on z */
}

/* LSM6DSL: "FIFO", "Register mapping". */
static int16_t said(const struct fake_sensor *s, unsigned channel, int16_t end) {
    return s->clips && s->frames % 8 == 0 ? end : fake_sample(s->frames, channel);
}

static uint32_t lsm_rate(uint8_t code) {
    return code == 0 || code > 10 ? 0 : code == 1 ? 12500 : UINT32_C(26000) << (code - 2);
}

static void lsm_advance(struct fake_device *device, uint64_t now_us) {
    struct fake_sensor *s = device->state;
    const bool both = s->registers[0x08] == 0x09;
    const uint32_t rate = lsm_rate(s->registers[0x0A] >> 3 & 15);
    const bool on = (s->registers[0x10] >> 4) != 0 && (!both || (s->registers[0x11] >> 4) != 0);
    for (const uint64_t all = on ? due(s, now_us, rate) : 0; s->frames < all; s->frames++) {
        for (unsigned c = both ? 3 : 0; c < (both ? 9u : 3u); c++) { /* turn rate first */
            push(s, said(s, c % 6, INT16_MAX), FAKE_FIFO_WORDS);
        }
    }
}

static uint8_t lsm_output(const struct fake_sensor *s, uint8_t number) {
    const bool turn = number < 0x28;
    const unsigned axis = (unsigned)(number - (turn ? 0x22 : 0x28)) / 2;
    const bool tested = turn ? (s->registers[0x14] & 0x0C) == 0x04 : (s->registers[0x14] & 3) == 1;
    const bool on = (s->registers[turn ? 0x11 : 0x10] >> 4) != 0;
    const int16_t force = tested && !s->weak ? 3000 : 0;
    const uint16_t value = on ? (uint16_t)((turn ? 0 : resting(axis)) + force) : 0;
    return (uint8_t)(number % 2 == 0 ? value : value >> 8);
}

static uint8_t lsm_read(struct fake_device *device, uint8_t number) {
    struct fake_sensor *s = device->state;
    if (number >= 0x22 && number < 0x2E) {
        return lsm_output(s, number);
    }
    switch (number) {
    case 0x0F:
        return 0x6A;
    case 0x3A:
        return (uint8_t)s->words;
    case 0x3B:
        return (uint8_t)((s->words >> 8 & 7) | (s->words == 0 ? 0x10 : 0) | (s->overrun ? 0x40 : 0));
    case 0x3E:
    case 0x3F:
        return pop(s, false);
    default:
        return s->registers[number];
    }
}

static void lsm_write(struct fake_device *device, uint8_t number, uint8_t value) {
    struct fake_sensor *s = device->state;
    s->registers[number] = value;
    if (number == 0x0A && (value & 7) == 0) {
        empty(s);
    } else if (number == 0x0A && s->collects_us == 0) {
        s->collects_us = *device->now_us;
    }
}

/* "the address rounds from FIFO_DATA_OUT_H to FIFO_DATA_OUT_L", with IF_INC. */
static uint8_t lsm_next(struct fake_device *device, uint8_t number) {
    const struct fake_sensor *s = device->state;
    if ((s->registers[0x12] & 4) == 0) {
        return number;
    }
    return number == 0x3F ? 0x3E : (uint8_t)(number + 1);
}

void fake_lsm6dsl(struct fake_sensor *s) {
    init(s, 0x6A);
    s->registers[0x12] = 0x04;
    s->registers[0x20] = 0x00;
    s->registers[0x21] = 0xFE; /* 2 degrees below 25 */
    s->device.read = lsm_read;
    s->device.write = lsm_write;
    s->device.next = lsm_next;
    s->device.advance = lsm_advance;
}

/* LIS2DW12: "FIFO", "Register mapping"; 32 frames of three axes. */
static void lis_advance(struct fake_device *device, uint64_t now_us) {
    struct fake_sensor *s = device->state;
    static const uint32_t RATES[10] = {0, 1600, 12500, 25000, 50000, 100000, 200000, 400000, 800000, 1600000};
    const uint8_t code = s->registers[0x20] >> 4;
    for (const uint64_t all = code < 10 ? due(s, now_us, RATES[code]) : 0; s->frames < all; s->frames++) {
        for (unsigned c = 0; c < 3; c++) {
            push(s, said(s, c, 32764), 96); /* 14 bits */
        }
    }
}

static uint8_t lis_read(struct fake_device *device, uint8_t number) {
    struct fake_sensor *s = device->state;
    if (number >= 0x28 && number < 0x2E) {
        if (s->collects_us != 0) {
            return pop(s, false);
        }
        const int16_t force = (s->registers[0x22] >> 6) == 1 && !s->weak ? 3000 : 0;
        const uint16_t value = (s->registers[0x20] >> 4) != 0 ? (uint16_t)(resting((number - 0x28u) / 2) + force) : 0;
        return (uint8_t)(number % 2 == 0 ? value : value >> 8);
    }
    switch (number) {
    case 0x0F:
        return 0x44;
    case 0x2F:
        return (uint8_t)((s->words / 3 & 0x3F) | (s->overrun ? 0x40 : 0));
    default:
        return s->registers[number];
    }
}

static void lis_write(struct fake_device *device, uint8_t number, uint8_t value) {
    struct fake_sensor *s = device->state;
    s->registers[number] = value;
    if (number == 0x2E && value >> 5 == 0) {
        empty(s);
    } else if (number == 0x2E && s->collects_us == 0) {
        s->collects_us = *device->now_us;
    }
}

static uint8_t lis_next(struct fake_device *device, uint8_t number) {
    const struct fake_sensor *s = device->state;
    return (s->registers[0x21] & 4) != 0 ? (uint8_t)(number + 1) : number;
}

void fake_lis2dw12(struct fake_sensor *s) {
    init(s, 0x19);
    s->registers[0x21] = 0x04;
    s->device.read = lis_read;
    s->device.write = lis_write;
    s->device.next = lis_next;
    s->device.advance = lis_advance;
}

/* MPU-6050: "Register map and descriptions"; 1,024 bytes of FIFO, high byte first, acceleration before turn rate. */
static void mpu_advance(struct fake_device *device, uint64_t now_us) {
    struct fake_sensor *s = device->state;
    const bool asleep = (s->registers[0x6B] & 0x40) != 0;
    const uint32_t rate = 1000000u / (s->registers[0x19] + 1u); /* with the filter on: 1 kHz */
    const bool both = (s->registers[0x23] & 0x70) == 0x70;
    const bool on = !asleep && (s->registers[0x6A] & 0x40) != 0 && (s->registers[0x23] & 8) != 0;
    for (const uint64_t all = on ? due(s, now_us, rate) : 0; s->frames < all; s->frames++) {
        for (unsigned c = 0; c < (both ? 6u : 3u); c++) {
            push(s, said(s, c, INT16_MAX), 512);
        }
    }
}

/* Factory trim of 15 in each, and a response as the trim wants it (all at ±8 g and ±250 degree/s). */
static uint8_t mpu_output(const struct fake_sensor *s, uint8_t number) {
    const bool turn = number >= 0x43;
    const unsigned axis = (unsigned)(number - (turn ? 0x43 : 0x3B)) / 2;
    const bool tested = (s->registers[turn ? 0x1B : 0x1C] >> (7 - axis) & 1) != 0;
    const int16_t response =
        turn ? (axis == 1 ? -6147 : 6147) : 2216; /* 25 · 131 · 1.046^14; 4096 · 0.34 · 2.706^(14/30) */
    const int16_t force = tested && !s->weak ? response : 0;
    const uint16_t value = (uint16_t)((turn ? 0 : resting(axis) / 2) + force);
    return (uint8_t)(number % 2 != 0 ? value >> 8 : value);
}

static uint8_t mpu_read(struct fake_device *device, uint8_t number) {
    struct fake_sensor *s = device->state;
    if ((number >= 0x3B && number < 0x41) || (number >= 0x43 && number < 0x49)) {
        return mpu_output(s, number);
    }
    switch (number) {
    case 0x3A:
        return s->overrun ? 0x10 : 0;
    case 0x72:
        return (uint8_t)(s->words * 2 >> 8);
    case 0x73:
        return (uint8_t)(s->words * 2);
    case 0x74:
        return pop(s, true);
    case 0x75:
        return 0x68;
    default:
        return s->registers[number];
    }
}

static void mpu_write(struct fake_device *device, uint8_t number, uint8_t value) {
    struct fake_sensor *s = device->state;
    s->registers[number] = value;
    if (number == 0x6A && (value & 4) != 0) {
        empty(s);
        s->registers[number] &= 0xFB;
    }
    if (number == 0x6A && (value & 0x40) != 0 && s->collects_us == 0) {
        s->collects_us = *device->now_us;
    }
}

static uint8_t mpu_next(struct fake_device *device, uint8_t number) {
    (void)device;
    return number == 0x74 ? number : (uint8_t)(number + 1);
}

void fake_mpu6050(struct fake_sensor *s) {
    init(s, 0x68);
    s->registers[0x6B] = 0x40;
    for (unsigned i = 0x0D; i <= 0x0F; i++) { /* SELF_TEST_X, Y, Z: trims of 15 */
        s->registers[i] = 3 << 5 | 15;
    }
    s->registers[0x10] = 0x3F;
    s->device.read = mpu_read;
    s->device.write = mpu_write;
    s->device.next = mpu_next;
    s->device.advance = mpu_advance;
}
