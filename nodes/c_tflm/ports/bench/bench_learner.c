/* Instructions of learning and of judging one window: `learn.bin` and `detect.bin` are windows' features, int32
 * [n][18], of the statistics of six channels. */
#include "bench.h"
#include "learner.h"

enum { CHANNELS = 6, FEATURES = 18, WINDOWS = 512 };

static BENCH_BUFFER int32_t windows[WINDOWS][FEATURES];
static BENCH_BUFFER struct learner learner;

int main(void) {
    const struct learner_setup setup = {.feature_set = FEATURE_SET_STATISTICS, .channels = CHANNELS, .average = 1};
    struct learner_verdict verdict;
    counter_init();
    const uint32_t nothing = bench_nothing();
    if (learner_init(&learner, &setup) != LEARNER_OK) {
        return BENCH_REFUSED;
    }
    const size_t learn_n = bench_load("learn.bin", windows, sizeof windows) / sizeof windows[0];
    enum learner_reply reply = LEARNER_MORE;
    for (size_t i = 0; i < learn_n && reply != LEARNER_DONE; i++) {
        const uint32_t from = counter_now();
        reply = learner_learn(&learner, windows[i]);
        bench_tell("learn", counter_since(from) - nothing);
    }
    if (reply != LEARNER_DONE) {
        return BENCH_REFUSED;
    }
    const size_t detect_n = bench_load("detect.bin", windows, sizeof windows) / sizeof windows[0];
    for (size_t i = 0; i < detect_n; i++) {
        const uint32_t from = counter_now();
        learner_detect(&learner, windows[i], &verdict);
        bench_tell("detect", counter_since(from) - nothing);
        bench_tell("anomalous", verdict.anomalous);
    }
    bench_tell("state", sizeof learner);
    return 0;
}
