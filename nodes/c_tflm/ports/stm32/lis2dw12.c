/* ST LIS2DW12 (data sheet, AN5038): an accelerometer of a few µA; ±2 g, low-power mode 4 or high performance, 14 bits
 * left in 16, so 16384 per g. Its FIFO has 32 frames. */
#include "sensor.h"

enum { ADDRESS = 0x19 };
enum {
    OUT_T_L = 0x0D,
    WHO_AM_I = 0x0F,
    CTRL1 = 0x20,
    CTRL2 = 0x21,
    CTRL3 = 0x22,
    CTRL6 = 0x25,
    OUT_X_L = 0x28,
    FIFO_CTRL = 0x2E,
    FIFO_SAMPLES = 0x2F,
};
enum { BDU_ADD_INC = 0x0C, LOW_POWER_4 = 0x03, CONTINUOUS = 0xC0, OVERRUN = 0x40, DIFF = 0x3F, FRAME = 6 };
enum { TOP = 32764 }; /* of 14 bits */
enum { CODE_MIN = 4, CODE_MAX = 9, RATE_MIN = 50000 };

static bool set(const struct sensor_at *at, uint8_t number, uint8_t value) {
    return sensor_set(at, ADDRESS, number, value);
}

static bool stop(const struct sensor_at *at) {
    return set(at, FIFO_CTRL, 0) && set(at, CTRL1, 0);
}

/* "Self-test": 50 Hz, high performance, ±4 g; 70 to 1,500 mg at 0.122 mg. */
static bool self_test(const struct sensor_at *at) {
    int32_t without[3], with[3];
    if (!(set(at, CTRL2, BDU_ADD_INC) && set(at, CTRL6, 0x10) && set(at, CTRL1, 0x44))) {
        return false;
    }
    time_pass(at->registers, at->time, 100);
    if (!sensor_mean(at, ADDRESS, OUT_X_L, 20, without) || !set(at, CTRL3, 0x40)) {
        return false;
    }
    time_pass(at->registers, at->time, 100);
    const bool read = sensor_mean(at, ADDRESS, OUT_X_L, 20, with);
    return set(at, CTRL3, 0) && stop(at) && read && sensor_moved(without, with, 574, 12295);
}

/* 50 Hz (code 4) to 1,600 Hz (code 9); above 200 Hz there is no low-power mode. */
static uint32_t start(const struct sensor_at *at, uint32_t rate_millihz, uint8_t channels) {
    uint32_t millihz = RATE_MIN;
    uint8_t code = CODE_MIN;
    (void)channels;
    while (millihz < rate_millihz && code < CODE_MAX) {
        millihz *= 2;
        code++;
    }
    const uint8_t mode = millihz > 200000 ? 0x04 : LOW_POWER_4;
    const bool done = set(at, CTRL2, BDU_ADD_INC) && set(at, CTRL6, 0) && set(at, FIFO_CTRL, 0) &&
                      set(at, CTRL1, (uint8_t)(code << 4 | mode));
    return done ? millihz : 0;
}

static bool collect(const struct sensor_at *at, uint8_t channels) {
    (void)channels;
    return set(at, FIFO_CTRL, CONTINUOUS);
}

static bool level(const struct sensor_at *at, uint8_t channels, uint16_t *frames, bool *overrun) {
    uint8_t status;
    (void)channels;
    if (!bus_read(at->registers, ADDRESS, FIFO_SAMPLES, &status, 1)) {
        return false;
    }
    *overrun = (status & OVERRUN) != 0;
    *frames = status & DIFF;
    return true;
}

static bool drain(const struct sensor_at *at, int16_t *out, uint16_t frames, uint8_t channels) {
    for (; frames > 0; frames--, out += channels) { /* the address goes round over the three axes */
        int16_t axes[3];
        if (!sensor_axes(at, ADDRESS, OUT_X_L, axes)) {
            return false;
        }
        for (uint8_t channel = 0; channel < channels; channel++) {
            out[channel] = axes[channel] >= TOP ? INT16_MAX : axes[channel]; /* as the contract knows a saturated one */
        }
    }
    return true;
}

static bool temperature(const struct sensor_at *at, int16_t *cdeg) {
    uint8_t bytes[2];
    if (!bus_read(at->registers, ADDRESS, OUT_T_L, bytes, sizeof bytes)) {
        return false;
    }
    const int32_t raw = (int16_t)(bytes[0] | bytes[1] << 8); /* 12 bits left in 16: 256 per degree, 0 at 25 */
    *cdeg = (int16_t)(2500 + raw * 100 / 256);
    return true;
}

const struct sensor sensor_lis2dw12 = {
    .address = ADDRESS,
    .who_register = WHO_AM_I,
    .who = 0x44,
    .channels = 3,
    .fifo_frames = 32,
    .settle_ms = 20,
    .self_test = self_test,
    .start = start,
    .collect = collect,
    .level = level,
    .drain = drain,
    .stop = stop,
    .temperature = temperature,
};
