/* What the L4's time base can be asked beyond timebase.h. */
#ifndef STETHOS_TIME_L4_H
#define STETHOS_TIME_L4_H

#include "power.h"
#include "timebase.h"

/* How often Stop 2 was entered, or refused and why, since the last reset. */
const struct stop_counts *time_stops(const struct timebase *time);

#endif
