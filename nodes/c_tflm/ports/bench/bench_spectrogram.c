/* What a wake computes for a model that looks at a spectrogram, in static memory: `model.image`, and windows for it
 * from `samples.bin`, int16 interleaved, heard one half frame at a time as a sensor's FIFO gives them. */
#include "bench.h"
#include "model.h"

static BENCH_BUFFER uint8_t image[256 << 10];
static BENCH_BUFFER int16_t samples[128 << 10];
static BENCH_BUFFER uint8_t memory[64 << 10];
static BENCH_BUFFER struct model model;

static void wake(const int16_t *window, uint32_t nothing) {
    const uint16_t hop = spectrogram_hop(&model.look);
    struct model_score score;
    uint32_t heard = 0;
    for (uint32_t at = 0; at < model.heard; at += hop) {
        const uint32_t from = counter_now();
        model.hear(&model, window + at * model.channels, hop, at == 0);
        heard += counter_since(from) - nothing;
    }
    bench_tell("hear", heard);
    const uint32_t from = counter_now();
    model.score(&model, NULL, &score);
    bench_tell("score", counter_since(from) - nothing);
    bench_tell("error", score.error);
}

int main(void) {
    const size_t size = bench_load("model.image", image, sizeof image);
    const size_t n = bench_load("samples.bin", samples, sizeof samples) / sizeof samples[0];
    counter_init();
    const uint32_t nothing = bench_nothing();
    bench_paint();
    if (model_open(&model, image, size, NULL, 0) != MODEL_NO_MEMORY || model.memory_size > sizeof memory) {
        return BENCH_REFUSED;
    }
    const uint32_t from = counter_now();
    const enum model_status status = model_open(&model, image, size, memory, model.memory_size);
    bench_tell("open", counter_since(from) - nothing);
    if (status != MODEL_OK || model.heard == 0) {
        return BENCH_REFUSED;
    }
    bench_tell("state", sizeof model);
    bench_tell("memory", (uint32_t)model.memory_size);
    const size_t window = (size_t)model.heard * model.channels;
    for (size_t at = 0; at + window <= n; at += window) {
        wake(samples + at, nothing);
    }
    bench_tell("stack", bench_painted());
    return 0;
}
