/* Instructions of one window of `window.bin`, int16 [128][6], by feature set. */
#include "bench.h"
#include "feature_set.h"

enum { SAMPLES = 128, CHANNELS = 6 };

static BENCH_BUFFER int16_t samples[SAMPLES * CHANNELS];
static BENCH_BUFFER int32_t features[FEATURES_MAX];
static BENCH_BUFFER struct feature_scratch scratch;

int main(void) {
    static const char *const NAMES[] = {"", "statistics", "invariant", "slow", "", "principal"};
    bench_load("window.bin", samples, sizeof samples);
    counter_init();
    const uint32_t nothing = bench_nothing();
    uint32_t from = counter_now();
    const uint8_t fault = features_sensor_fault(FEATURE_SET_STATISTICS, samples, SAMPLES, CHANNELS);
    bench_tell("sensor_fault", counter_since(from) - nothing);
    if (fault != 0) {
        return BENCH_REFUSED;
    }
    for (unsigned i = FEATURE_SET_STATISTICS; i <= FEATURE_SET_PRINCIPAL; i++) {
        const uint8_t set = (uint8_t)i;
        if (feature_set_size(set, CHANNELS) == 0) {
            continue;
        }
        from = counter_now();
        features_compute(set, samples, SAMPLES, CHANNELS, &scratch, features);
        bench_tell(NAMES[set], counter_since(from) - nothing);
    }
    return 0;
}
