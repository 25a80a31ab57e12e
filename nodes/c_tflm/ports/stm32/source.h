/* What the board measures, bound at link time: its sensor, or a second serial port in an emulator (qemu/source.c). */
#ifndef STETHOS_SOURCE_H
#define STETHOS_SOURCE_H

#include "config_page.h"
#include "port.h"
#include "timebase.h"

struct source;

/* There is one. NULL: the configuration names a sensor that this firmware has no driver for. */
struct source *source_open(const struct registers *r, const struct config_page *config, struct timebase *time);

enum sample_status source_sample(struct source *source, int16_t *out, uint16_t samples, uint8_t channels);
uint16_t source_battery_mv(struct source *source);
int16_t source_temperature_cdeg(struct source *source);

#endif
