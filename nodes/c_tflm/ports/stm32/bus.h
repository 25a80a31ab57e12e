/* The bus of the sensors, by register; the chip's own file defines these. The core sleeps while much is read. */
#ifndef STETHOS_BUS_H
#define STETHOS_BUS_H

#include <stddef.h>

#include "registers.h"

enum { BUS_READ_MAX = 255 };

void bus_start(const struct registers *r);

/* `n` registers from `first` on. False: nobody answers at `address`, or the bus is broken. */
bool bus_write(const struct registers *r, uint8_t address, uint8_t first, const uint8_t *data, size_t n);
bool bus_read(const struct registers *r, uint8_t address, uint8_t first, uint8_t *out, size_t n);

#endif
