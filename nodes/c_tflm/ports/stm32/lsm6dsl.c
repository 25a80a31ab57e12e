/* ST LSM6DSL (data sheet, AN5040): acceleration ±2 g, 16384 per g; turn rate ±250 degree/s, 114.3 per degree/s. */
#include "sensor.h"

enum { ADDRESS = 0x6A };
enum {
    FIFO_CTRL3 = 0x08,
    FIFO_CTRL5 = 0x0A,
    WHO_AM_I = 0x0F,
    CTRL1_XL = 0x10,
    CTRL2_G = 0x11,
    CTRL3_C = 0x12,
    CTRL5_C = 0x14,
    OUT_TEMP_L = 0x20,
    OUTX_L_G = 0x22,
    OUTX_L_XL = 0x28,
    FIFO_STATUS1 = 0x3A,
    FIFO_DATA_OUT_L = 0x3E,
};
enum {
    BDU_IF_INC = 0x44,
    BYPASS = 0,
    CONTINUOUS = 6,
    OVER_RUN = 0x40,
    FULL_SMART = 0x20,
    EMPTY = 0x10,
    DIFF_HIGH = 0x07
};
enum { FRAMES_A_READ = 20, WORDS = 2048 };

static bool set(const struct sensor_at *at, uint8_t number, uint8_t value) {
    return sensor_set(at, ADDRESS, number, value);
}

/* AN5040, "Self-test": the mean without and with the force, at the settings it was measured at. */
struct trial {
    uint8_t control, setting; /* register, and what it is set to */
    uint8_t force;            /* in CTRL5_C */
    uint8_t first;            /* output register */
    uint8_t settle_ms, period_ms;
    int16_t least, most;
};

static const struct trial TRIALS[] = {
    {CTRL1_XL, 0x38, 0x01, OUTX_L_XL, 100, 20, 738, 13934}, /* 52 Hz, ±4 g, 0.122 mg: 90 to 1,700 mg */
    {CTRL2_G, 0x5C, 0x04, OUTX_L_G, 150, 5, 2143, 10000},   /* 208 Hz, 0.07 degree/s: 150 to 700 degree/s */
};

static bool passes(const struct sensor_at *at, const struct trial *trial) {
    int32_t without[3], with[3];
    if (!set(at, trial->control, trial->setting)) {
        return false;
    }
    time_pass(at->registers, at->time, trial->settle_ms);
    if (!sensor_mean(at, ADDRESS, trial->first, trial->period_ms, without) || !set(at, CTRL5_C, trial->force)) {
        return false;
    }
    time_pass(at->registers, at->time, trial->settle_ms);
    const bool read = sensor_mean(at, ADDRESS, trial->first, trial->period_ms, with);
    return set(at, CTRL5_C, 0) && set(at, trial->control, 0) && read &&
           sensor_moved(without, with, trial->least, trial->most);
}

static bool self_test(const struct sensor_at *at) {
    return set(at, CTRL3_C, BDU_IF_INC) && passes(at, &TRIALS[0]) && passes(at, &TRIALS[1]);
}

/* The code of the rate in CTRL1_XL, CTRL2_G and FIFO_CTRL5, from 12.5 Hz on doubling. */
static uint8_t rate_code(uint32_t wanted_millihz, uint32_t *millihz) {
    uint8_t code = 4; /* 104 Hz: below it the FIFO of a window takes more current than the window's length saves */
    *millihz = 104000;
    while (*millihz < wanted_millihz && code < 10) {
        *millihz *= 2;
        code++;
    }
    return code;
}

static uint32_t start(const struct sensor_at *at, uint32_t rate_millihz, uint8_t channels) {
    uint32_t millihz;
    const uint8_t code = rate_code(rate_millihz, &millihz);
    const bool done = set(at, CTRL3_C, BDU_IF_INC) && set(at, FIFO_CTRL5, BYPASS) &&
                      set(at, CTRL1_XL, (uint8_t)(code << 4)) &&
                      set(at, CTRL2_G, channels > 3 ? (uint8_t)(code << 4) : 0);
    return done ? millihz : 0;
}

static bool collect(const struct sensor_at *at, uint8_t channels) {
    uint8_t rate;
    return bus_read(at->registers, ADDRESS, CTRL1_XL, &rate, 1) &&
           set(at, FIFO_CTRL3, channels > 3 ? 0x09 : 0x01) && /* none left out of acceleration, or of both */
           set(at, FIFO_CTRL5, (uint8_t)((rate >> 4) << 3 | CONTINUOUS));
}

static uint8_t words_of(uint8_t channels) {
    return channels > 3 ? 6 : 3;
}

static bool level(const struct sensor_at *at, uint8_t channels, uint16_t *frames, bool *overrun) {
    uint8_t status[2];
    if (!bus_read(at->registers, ADDRESS, FIFO_STATUS1, status, sizeof status)) {
        return false;
    }
    *overrun = (status[1] & OVER_RUN) != 0;
    *frames = (uint16_t)((status[0] | (status[1] & DIFF_HIGH) << 8) / words_of(channels));
    return true;
}

/* The FIFO has turn rate before acceleration; one of three channels has only that. */
static void arrange(const uint8_t *bytes, uint8_t words, int16_t *out, uint8_t channels) {
    for (uint8_t channel = 0; channel < channels; channel++) {
        const uint8_t word = (uint8_t)((channel + words - 3) % words);
        out[channel] = (int16_t)(bytes[2 * word] | bytes[2 * word + 1] << 8);
    }
}

static bool drain(const struct sensor_at *at, int16_t *out, uint16_t frames, uint8_t channels) {
    uint8_t bytes[FRAMES_A_READ * 12];
    const uint8_t words = words_of(channels);
    while (frames > 0) {
        const uint16_t n = frames < FRAMES_A_READ ? frames : FRAMES_A_READ;
        if (!bus_read(at->registers, ADDRESS, FIFO_DATA_OUT_L, bytes, (size_t)n * words * 2)) {
            return false;
        }
        for (uint16_t i = 0; i < n; i++, out += channels) {
            arrange(bytes + (size_t)i * words * 2, words, out, channels);
        }
        frames = (uint16_t)(frames - n);
    }
    return true;
}

static bool stop(const struct sensor_at *at) {
    return set(at, FIFO_CTRL5, BYPASS) && set(at, CTRL2_G, 0) && set(at, CTRL1_XL, 0);
}

static bool temperature(const struct sensor_at *at, int16_t *cdeg) {
    uint8_t bytes[2];
    if (!bus_read(at->registers, ADDRESS, OUT_TEMP_L, bytes, sizeof bytes)) {
        return false;
    }
    const int32_t raw = (int16_t)(bytes[0] | bytes[1] << 8); /* 256 per degree, 0 at 25 */
    *cdeg = (int16_t)(2500 + raw * 100 / 256);
    return true;
}

const struct sensor sensor_lsm6dsl = {
    .address = ADDRESS,
    .who_register = WHO_AM_I,
    .who = 0x6A,
    .channels = 6,
    .fifo_frames = WORDS / 6,
    .settle_ms = 100,
    .self_test = self_test,
    .start = start,
    .collect = collect,
    .level = level,
    .drain = drain,
    .stop = stop,
    .temperature = temperature,
};
