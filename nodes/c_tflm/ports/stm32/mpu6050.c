/* InvenSense MPU-6050 (register map and descriptions): acceleration ±2 g, 16384 per g; turn rate ±250 degree/s, 131 per
 * degree/s. Its gyroscopes take 3.6 mA: with three channels they stay off. The FIFO has 1,024 bytes. */
#include "sensor.h"

enum { ADDRESS = 0x68 };
enum {
    SELF_TEST_X = 0x0D,
    SMPLRT_DIV = 0x19,
    CONFIG = 0x1A,
    GYRO_CONFIG = 0x1B,
    ACCEL_CONFIG = 0x1C,
    FIFO_EN = 0x23,
    INT_STATUS = 0x3A,
    ACCEL_XOUT_H = 0x3B,
    TEMP_OUT_H = 0x41,
    GYRO_XOUT_H = 0x43,
    USER_CTRL = 0x6A,
    PWR_MGMT_1 = 0x6B,
    PWR_MGMT_2 = 0x6C,
    FIFO_COUNTH = 0x72,
    FIFO_R_W = 0x74,
    WHO_AM_I = 0x75,
};
enum { ASLEEP = 0x40, CLOCK_OWN = 0x00, CLOCK_PLL = 0x01, GYROS_OFF = 0x07, OVERFLOW = 0x10, BYTES_A_READ = 240 };
enum { READINGS = 5, PERIOD_MS = 5, WITHIN_PERCENT = 14 };

static bool set(const struct sensor_at *at, uint8_t number, uint8_t value) {
    return sensor_set(at, ADDRESS, number, value);
}

static int16_t big_endian(const uint8_t *bytes) {
    return (int16_t)(bytes[0] << 8 | bytes[1]);
}

static bool mean(const struct sensor_at *at, uint8_t first, int32_t out[3]) {
    uint8_t bytes[6];
    out[0] = out[1] = out[2] = 0;
    for (unsigned i = 0; i < READINGS; i++) {
        time_pass(at->registers, at->time, PERIOD_MS);
        if (!bus_read(at->registers, ADDRESS, first, bytes, sizeof bytes)) {
            return false;
        }
        for (unsigned axis = 0; axis < 3; axis++) {
            out[axis] += big_endian(bytes + 2 * axis);
        }
    }
    for (unsigned axis = 0; axis < 3; axis++) {
        out[axis] /= READINGS;
    }
    return true;
}

/* "Self-test": the factory trims, of 5 bits, as the response they stand for: 4096 · 0.34 · (0.92 / 0.34)^((t - 1) /
 * 30), and 25 · 131 · 1.046^(t - 1). A step of the first is 1.0337; both by multiplication in 16 fractional bits. */
static int32_t trimmed(uint32_t trim, uint32_t first, uint32_t step_q16) {
    uint64_t response = (uint64_t)first << 16;
    for (uint32_t i = 1; i < trim; i++) {
        response = response * step_q16 >> 16;
    }
    return trim == 0 ? 0 : (int32_t)(response >> 16);
}

static bool responds(const int32_t without[3], const int32_t with[3], const int32_t wanted[3]) {
    for (unsigned axis = 0; axis < 3; axis++) {
        const int32_t off = with[axis] - without[axis] - wanted[axis];
        const int32_t size = wanted[axis] < 0 ? -wanted[axis] : wanted[axis];
        if (size == 0 || (off < 0 ? -off : off) * 100 > size * WITHIN_PERCENT) {
            return false;
        }
    }
    return true;
}

static bool test_of(const struct sensor_at *at, uint8_t control, uint8_t range, uint8_t first,
                    const int32_t wanted[3]) {
    int32_t without[3], with[3];
    if (!set(at, control, range) || !mean(at, first, without) || !set(at, control, 0xE0 | range)) {
        return false;
    }
    time_pass(at->registers, at->time, 50);
    const bool read = mean(at, first, with);
    return set(at, control, range) && read && responds(without, with, wanted);
}

static bool stop(const struct sensor_at *at) {
    return set(at, USER_CTRL, 0) && set(at, FIFO_EN, 0) && set(at, PWR_MGMT_1, ASLEEP);
}

static bool self_test(const struct sensor_at *at) {
    uint8_t trims[4];
    int32_t force[3], turn[3];
    if (!set(at, PWR_MGMT_1, CLOCK_PLL) || !set(at, PWR_MGMT_2, 0) ||
        !bus_read(at->registers, ADDRESS, SELF_TEST_X, trims, sizeof trims)) {
        return false;
    }
    time_pass(at->registers, at->time, 100);
    for (unsigned axis = 0; axis < 3; axis++) {
        const uint32_t low = trims[3] >> (4 - 2 * axis) & 3u;
        force[axis] = trimmed((uint32_t)trims[axis] >> 5 << 2 | low, 1393, 67744);
        turn[axis] = trimmed(trims[axis] & 0x1Fu, 3275, 68551);
    }
    turn[1] = -turn[1];
    const bool passed =
        test_of(at, ACCEL_CONFIG, 0x10, ACCEL_XOUT_H, force) && test_of(at, GYRO_CONFIG, 0x00, GYRO_XOUT_H, turn);
    return stop(at) && passed;
}

/* The widest filter that lets through little above half the rate: 184, 94, 44, 21, 10 Hz, else 5. */
static uint8_t filter_for(uint32_t divider) {
    static const uint8_t DIVIDERS[] = {2, 5, 11, 23, 50}; /* up to which it is that one */
    uint8_t code = 1;
    while (code <= sizeof DIVIDERS && divider > DIVIDERS[code - 1]) {
        code++;
    }
    return code;
}

/* 1 kHz, divided. The PLL runs from a gyroscope, and is for when they are on. */
static uint32_t start(const struct sensor_at *at, uint32_t rate_millihz, uint8_t channels) {
    uint32_t divider = rate_millihz < 1000000 && rate_millihz > 0 ? 1000000 / rate_millihz : 1;
    divider = divider > 256 ? 256 : divider;
    const bool turns = channels > 3;
    const bool done = set(at, PWR_MGMT_1, turns ? CLOCK_PLL : CLOCK_OWN) &&
                      set(at, PWR_MGMT_2, turns ? 0 : GYROS_OFF) && set(at, CONFIG, filter_for(divider)) &&
                      set(at, SMPLRT_DIV, (uint8_t)(divider - 1)) && set(at, ACCEL_CONFIG, 0) &&
                      set(at, GYRO_CONFIG, 0);
    return done ? 1000000 / divider : 0;
}

static bool collect(const struct sensor_at *at, uint8_t channels) {
    return set(at, USER_CTRL, 0x04) && set(at, FIFO_EN, channels > 3 ? 0x78 : 0x08) && set(at, USER_CTRL, 0x40);
}

static uint8_t bytes_of(uint8_t channels) {
    return channels > 3 ? 12 : 6;
}

static bool level(const struct sensor_at *at, uint8_t channels, uint16_t *frames, bool *overrun) {
    uint8_t status, count[2];
    if (!bus_read(at->registers, ADDRESS, INT_STATUS, &status, 1) ||
        !bus_read(at->registers, ADDRESS, FIFO_COUNTH, count, sizeof count)) {
        return false;
    }
    *overrun = (status & OVERFLOW) != 0;
    *frames = (uint16_t)((uint16_t)big_endian(count) / bytes_of(channels));
    return true;
}

static bool drain(const struct sensor_at *at, int16_t *out, uint16_t frames, uint8_t channels) {
    uint8_t bytes[BYTES_A_READ];
    const uint8_t frame = bytes_of(channels);
    while (frames > 0) {
        const uint16_t most = (uint16_t)(sizeof bytes / frame);
        const uint16_t n = frames < most ? frames : most;
        if (!bus_read(at->registers, ADDRESS, FIFO_R_W, bytes, (size_t)n * frame)) {
            return false;
        }
        for (uint16_t i = 0; i < n; i++) {
            for (uint8_t channel = 0; channel < channels; channel++) {
                *out++ = big_endian(bytes + (size_t)i * frame + 2u * channel);
            }
        }
        frames = (uint16_t)(frames - n);
    }
    return true;
}

static bool temperature(const struct sensor_at *at, int16_t *cdeg) {
    uint8_t bytes[2];
    if (!bus_read(at->registers, ADDRESS, TEMP_OUT_H, bytes, sizeof bytes)) {
        return false;
    }
    *cdeg = (int16_t)(big_endian(bytes) * 100 / 340 + 3653);
    return true;
}

const struct sensor sensor_mpu6050 = {
    .address = ADDRESS,
    .who_register = WHO_AM_I,
    .who = 0x68,
    .channels = 6,
    .fifo_frames = 1024 / 12,
    .settle_ms = 100,
    .self_test = self_test,
    .start = start,
    .collect = collect,
    .level = level,
    .drain = drain,
    .stop = stop,
    .temperature = temperature,
};
