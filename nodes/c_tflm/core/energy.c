#include "energy.h"

#include <string.h>

#include "fixed.h"

void energy_start(struct energy *energy, enum activity activity, uint64_t now_ms) {
    memset(energy, 0, sizeof *energy);
    energy->since_ms = now_ms;
    energy->activity = (uint8_t)activity;
}

void energy_enter(struct energy *energy, const uint32_t current_na[ACTIVITIES], enum activity activity,
                  uint64_t now_ms) {
    if (now_ms > energy->since_ms) {
        energy->charge_pc[energy->activity] += (now_ms - energy->since_ms) * current_na[energy->activity];
    }
    energy->since_ms = now_ms;
    energy->activity = (uint8_t)activity;
}

uint32_t energy_uc(const struct energy *energy, enum activity activity) {
    const uint64_t uc = fixed_divide(energy->charge_pc[activity], 1000000);
    return uc > UINT32_MAX ? UINT32_MAX : (uint32_t)uc;
}
