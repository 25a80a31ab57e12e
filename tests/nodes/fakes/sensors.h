/* Sensors on the fake's bus, from their data sheets. Sample `frame` of channel c (acceleration x, y, z, turn rate x, y,
 * z) is fake_sample(frame, c), so that whoever reads them knows what has come, and from when. */
#ifndef STETHOS_FAKE_SENSORS_H
#define STETHOS_FAKE_SENSORS_H

#include "l4.h"

enum { FAKE_FIFO_WORDS = 2048 };

struct fake_sensor {
    struct fake_device device;
    uint8_t registers[256];
    int16_t fifo[FAKE_FIFO_WORDS];
    uint32_t head, words; /* of the oldest; how many */
    uint64_t collects_us; /* since; 0: not */
    uint64_t frames;      /* collected since then */
    uint8_t byte;         /* of the word that is being read */
    bool overrun;
    bool weak;         /* its self-test moves nothing */
    bool silent;       /* it never has a new sample */
    bool clips;        /* every eighth frame is at the end of what it can say */
    uint32_t slow_ppm; /* its clock is late */
};

int16_t fake_sample(uint64_t frame, unsigned channel);
void fake_lsm6dsl(struct fake_sensor *sensor);
void fake_lis2dw12(struct fake_sensor *sensor);
void fake_mpu6050(struct fake_sensor *sensor);

#endif
