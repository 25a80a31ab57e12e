#include "sensor.h"

enum { SLACK_MS = 2, LATE = 8, READINGS = 5 };

bool sensor_axes(const struct sensor_at *at, uint8_t address, uint8_t first, int16_t out[3]) {
    uint8_t bytes[6];
    if (!bus_read(at->registers, address, first, bytes, sizeof bytes)) {
        return false;
    }
    for (unsigned i = 0; i < 3; i++) {
        out[i] = (int16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
    }
    return true;
}

bool sensor_mean(const struct sensor_at *at, uint8_t address, uint8_t first, uint32_t period_ms, int32_t out[3]) {
    out[0] = out[1] = out[2] = 0;
    for (unsigned i = 0; i < READINGS; i++) {
        int16_t axes[3];
        time_pass(at->registers, at->time, period_ms);
        if (!sensor_axes(at, address, first, axes)) {
            return false;
        }
        for (unsigned axis = 0; axis < 3; axis++) {
            out[axis] += axes[axis];
        }
    }
    for (unsigned axis = 0; axis < 3; axis++) {
        out[axis] /= READINGS;
    }
    return true;
}

bool sensor_moved(const int32_t without[3], const int32_t with[3], int32_t least, int32_t most) {
    for (unsigned axis = 0; axis < 3; axis++) {
        const int32_t difference = with[axis] - without[axis];
        const int32_t by = difference < 0 ? -difference : difference;
        if (by < least || by > most) {
            return false;
        }
    }
    return true;
}

bool sensor_check(const struct sensor *sensor, const struct sensor_at *at) {
    uint8_t who;
    return bus_read(at->registers, sensor->address, sensor->who_register, &who, 1) && who == sensor->who &&
           sensor->self_test(at);
}

static uint32_t ms_of(uint32_t frames, uint32_t rate_millihz) {
    return (uint32_t)((uint64_t)frames * 1000000 / rate_millihz);
}

/* The next frames, at most `wanted`: sleeps until they should be there. How many; 0: none, `*fault` says why. */
static uint16_t next_frames(const struct sensor *sensor, const struct sensor_at *at, uint32_t rate_millihz,
                            uint16_t wanted, uint8_t channels, enum sample_fault *fault) {
    const uint16_t most = (uint16_t)(sensor->fifo_frames * 3 / 4); /* the rest is for a core that is late */
    const uint16_t wait_for = wanted < most ? wanted : most;
    uint16_t frames = 0;
    bool overrun = false;
    for (unsigned i = 0; i < LATE; i++) {
        *fault = SENSOR_SILENT;
        if (!sensor->level(at, channels, &frames, &overrun)) {
            return 0;
        }
        if (overrun) {
            *fault = SENSOR_OVERRUN;
            return 0;
        }
        if (frames >= wait_for) {
            return frames < wanted ? frames : wanted;
        }
        time_sleep(at->time, ms_of((uint32_t)(wait_for - frames), rate_millihz) + SLACK_MS);
        time_pace(at->time, PACE_SENSE); /* sleep has stopped the clock of the bus */
    }
    return 0;
}

static enum sample_fault collect(const struct sensor *sensor, const struct sensor_at *at, uint32_t rate_millihz,
                                 int16_t *out, uint16_t samples, uint8_t channels) {
    enum sample_fault fault = SENSOR_SILENT;
    if (!sensor->collect(at, channels)) {
        return fault;
    }
    for (uint16_t have = 0; have < samples;) {
        const uint16_t frames = next_frames(sensor, at, rate_millihz, (uint16_t)(samples - have), channels, &fault);
        if (frames == 0) {
            return fault;
        }
        if (!sensor->drain(at, out + (uint32_t)have * channels, frames, channels)) {
            return SENSOR_SILENT;
        }
        have = (uint16_t)(have + frames);
    }
    return SENSOR_SAMPLED;
}

enum sample_fault sensor_window(const struct sensor *sensor, const struct sensor_at *at, uint32_t rate_millihz,
                                int16_t *out, uint16_t samples, uint8_t channels) {
    enum sample_fault fault = SENSOR_SILENT;
    const uint32_t rate = channels <= sensor->channels ? sensor->start(at, rate_millihz, channels) : 0;
    if (rate != 0) {
        time_sleep(at->time, sensor->settle_ms);
        time_pace(at->time, PACE_SENSE);
        fault = collect(sensor, at, rate, out, samples, channels);
    }
    return sensor->stop(at) ? fault : SENSOR_SILENT;
}
