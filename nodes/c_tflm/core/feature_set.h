/* Features of one window of samples: SPEC.md, "Feature sets" and "Why". (Not named features.h: with this folder on the
 * include path, that would hide the C library's own <features.h>.) */
#ifndef STETHOS_FEATURE_SET_H
#define STETHOS_FEATURE_SET_H

#include <stdint.h>

enum { FEATURE_SET_STATISTICS = 1, FEATURES_PER_CHANNEL = 3 };

/* How many features a set gives for so many channels; 0 if this firmware does not compute that set. */
uint8_t feature_set_size(uint8_t feature_set, uint8_t channels);

/* Feature set 1: mean, standard deviation and peak-to-peak of each channel in turn, in sixteenths of the sample unit.
 * samples: interleaved [samples_n][channels], samples_n in 1..4096 (the sums then stay below 64 bits);
 * out: 3 * channels values. */
void features_statistics(const int16_t *samples, uint16_t samples_n, uint8_t channels, int32_t *out);

/* 0, or the "why" code of the sensor fault that the samples show: 4 stuck, 5 saturated.
 * A stuck channel is named before a saturated one, whichever channel comes first. */
uint8_t features_sensor_fault(const int16_t *samples, uint16_t n, uint8_t channels);

#endif
