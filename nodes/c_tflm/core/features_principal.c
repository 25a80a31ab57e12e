/* Feature set 5: energies along the principal directions of a vibration, and how fast it changes there. */
#include "features_sets.h"

/* A twelfth of a step's square for each of n values, for having been rounded. */
static uint32_t rounding(uint32_t n) {
    return 64 * n / 3;
}

void features_principal(const int16_t *samples, uint16_t n, uint8_t channels, int32_t *out) {
    for (uint32_t first = 0; first < channels; first += GROUP_AXES) {
        struct feature_group g;
        feature_group_at(&g, samples, n, channels, first);
        int32_t *energies = out;
        out += g.axes;
        feature_group_directions(&g, false, rounding(g.n), energies);
        feature_group_directions(&g, true, rounding(g.n - 1), out);
        for (uint32_t a = 0; a < g.axes; a++) {
            *out++ -= energies[a];
        }
    }
}
