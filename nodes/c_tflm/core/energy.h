/* The energy ledger: the time spent in each activity, times the current the board says it takes. An estimate. */
#ifndef STETHOS_ENERGY_H
#define STETHOS_ENERGY_H

#include <stdint.h>

#include "port.h"

struct energy {
    uint64_t charge_pc[ACTIVITIES]; /* nA · ms = pC */
    uint64_t since_ms;
    uint8_t activity;
};

void energy_start(struct energy *energy, enum activity activity, uint64_t now_ms);

/* Book the time since the last call to the activity it named, and go over to `activity`. */
void energy_enter(struct energy *energy, const uint32_t current_na[ACTIVITIES], enum activity activity,
                  uint64_t now_ms);

/* In µC; stops at its largest value. */
uint32_t energy_uc(const struct energy *energy, enum activity activity);

#endif
