/* An LIS2DW12 on I2C: three axes, 200 Hz, ±4 g, high performance, FIFO; powered down between windows. */
#ifndef EXAMPLE_LIS2DW12_H
#define EXAMPLE_LIS2DW12_H

#include "node.h"

enum { LIS2DW12_RATE_HZ = 200, LIS2DW12_CHANNELS = 3 };

struct lis2dw12 {
    int sda, scl; /* pins */
};

/* As struct port's `sample`; `context` is the struct above. */
enum sample_status lis2dw12_sample(void *context, int16_t *out, uint16_t samples, uint8_t channels);

#endif
