/* The core's clock (RM0351, "Reset and clock control", "Low-power run mode"). Serial ports and the sensor's bus run
 * from HSI16 whatever the core does. */
#ifndef STETHOS_CLOCK_L4_H
#define STETHOS_CLOCK_L4_H

#include "timebase.h"

/* PACE_SENSE: MSI 2 MHz in low-power run. PACE_RADIO: HSI16. PACE_COMPUTE: PLL, 80 MHz. False: the clock that was asked
 * for did not come, and the core runs at the one it has. */
bool clock_pace(const struct registers *r, enum pace pace);

/* Out of low-power run: with it, Stop 2 would be Stop 1. */
bool clock_leave_low_power_run(const struct registers *r);

#endif
