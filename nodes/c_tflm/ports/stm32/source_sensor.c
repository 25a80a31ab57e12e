/* The sensor that the configuration names, checked once after each reset. */
#include <string.h>

#include "chip.h"
#include "sensor.h"
#include "source.h"

enum { RETRY_EVERY = 16 }; /* windows between two looks at a sensor that has failed its self-test */

struct source {
    const struct sensor *sensor;
    struct sensor_at at;
    const struct registers *registers;
    uint32_t rate_millihz;
    uint16_t windows;
    bool passed;
};

static struct source source;

struct source *source_open(const struct registers *r, const struct config_page *config, struct timebase *time) {
    static const struct sensor *const KNOWN[SENSORS] = {
        [SENSOR_LSM6DSL] = &sensor_lsm6dsl, [SENSOR_MPU6050] = &sensor_mpu6050, [SENSOR_LIS2DW12] = &sensor_lis2dw12};
    memset(&source, 0, sizeof source);
    source.sensor = KNOWN[config->sensor];
    source.at = (struct sensor_at){r, time};
    source.registers = r;
    source.rate_millihz = config->rate_millihz;
    if (source.sensor == NULL || config->channels > source.sensor->channels) {
        return NULL;
    }
    bus_start(r);
    return &source;
}

enum sample_status source_sample(struct source *s, int16_t *out, uint16_t samples, uint8_t channels) {
    if (!s->passed && s->windows++ % RETRY_EVERY == 0) {
        s->passed = sensor_check(s->sensor, &s->at);
    }
    if (!s->passed) {
        return SAMPLE_NO_ANSWER;
    }
    switch (sensor_window(s->sensor, &s->at, s->rate_millihz, out, samples, channels)) {
    case SENSOR_SAMPLED:
        return SAMPLE_OK;
    case SENSOR_OVERRUN:
        return SAMPLE_OVERRUN;
    default:
        s->passed = false;
        s->windows = 0; /* looked at again with the next window */
        return SAMPLE_NO_ANSWER;
    }
}

uint16_t source_battery_mv(struct source *s) {
    return chip_supply_mv(s->registers);
}

int16_t source_temperature_cdeg(struct source *s) {
    int16_t cdeg;
    const bool told = s->passed && s->sensor->temperature != NULL && s->sensor->temperature(&s->at, &cdeg);
    return told ? cdeg : PORT_TEMPERATURE_NONE;
}
