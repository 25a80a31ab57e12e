/* The core's clock (RM0090, "Clocks"): HSI, or 168 MHz from it. The buses of the serial ports stay at 16 MHz on HSI. */
#ifndef STETHOS_CLOCK_F4_H
#define STETHOS_CLOCK_F4_H

#include "timebase.h"

/* False: the clock that was asked for did not come, and the core runs at the one it has. */
bool clock_pace(const struct registers *r, enum pace pace);

#endif
