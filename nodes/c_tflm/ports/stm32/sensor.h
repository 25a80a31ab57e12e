/* A motion sensor with a FIFO: what a driver has to say of itself. A frame is one sample of all its channels, in the
 * order of the contract: acceleration x, y, z, then turn rate x, y, z. */
#ifndef STETHOS_SENSOR_H
#define STETHOS_SENSOR_H

#include "bus.h"
#include "timebase.h"

struct sensor_at {
    const struct registers *registers;
    struct timebase *time;
};

struct sensor {
    uint8_t address;      /* on the bus, 7 bits */
    uint8_t who_register; /* says `who` */
    uint8_t who;
    uint8_t channels;     /* it has at most */
    uint16_t fifo_frames; /* that it can keep, all channels on */
    uint16_t settle_ms;   /* from off to samples worth having */

    /* Moves its own mass, and sees whether that shows. Leaves it off. */
    bool (*self_test)(const struct sensor_at *at);

    /* Samples at `rate_millihz` or the next rate above that it has, FIFO off. 0: it does not answer. */
    uint32_t (*start)(const struct sensor_at *at, uint32_t rate_millihz, uint8_t channels);

    /* The FIFO, emptied, takes from here on. */
    bool (*collect)(const struct sensor_at *at, uint8_t channels);

    /* Frames in the FIFO; `*overrun`: some were lost. */
    bool (*level)(const struct sensor_at *at, uint8_t channels, uint16_t *frames, bool *overrun);

    /* That many of them, oldest first. */
    bool (*drain)(const struct sensor_at *at, int16_t *out, uint16_t frames, uint8_t channels);

    /* As little current as it can. */
    bool (*stop)(const struct sensor_at *at);

    /* 0.01 degC; NULL: it cannot tell. False: no answer. */
    bool (*temperature)(const struct sensor_at *at, int16_t *cdeg);
};

extern const struct sensor sensor_lsm6dsl;
extern const struct sensor sensor_mpu6050;
extern const struct sensor sensor_lis2dw12;

enum sample_fault { SENSOR_SAMPLED, SENSOR_OVERRUN, SENSOR_SILENT };

/* One window, from off to off. In between the board sleeps as deep as it can. */
enum sample_fault sensor_window(const struct sensor *sensor, const struct sensor_at *at, uint32_t rate_millihz,
                                int16_t *out, uint16_t samples, uint8_t channels);

/* It is the sensor that it should be, and its self-test passes. */
bool sensor_check(const struct sensor *sensor, const struct sensor_at *at);

/* For drivers: one register. */
static inline bool sensor_set(const struct sensor_at *at, uint8_t address, uint8_t number, uint8_t value) {
    return bus_write(at->registers, address, number, &value, 1);
}

/* For drivers: little-endian values of three axes that lie one behind the other. */
bool sensor_axes(const struct sensor_at *at, uint8_t address, uint8_t first, int16_t out[3]);

/* For drivers: the mean of a few readings, and whether |with - without| lies within the limits on each axis. */
bool sensor_mean(const struct sensor_at *at, uint8_t address, uint8_t first, uint32_t period_ms, int32_t out[3]);
bool sensor_moved(const int32_t without[3], const int32_t with[3], int32_t least, int32_t most);

#endif
