/* Instructions of one row of a spectrogram of 32 bands from `sound.bin`, int16 [512], by frame; and of making it a
 * network's input. */
#include "bench.h"
#include "features_mel.h"

enum { SAMPLES = MEL_FRAME_MAX, BANDS = 32, CORNER = 358 };

static BENCH_BUFFER int16_t samples[SAMPLES];
static BENCH_BUFFER int32_t row[BANDS];
static BENCH_BUFFER int8_t inputs[BANDS];
static BENCH_BUFFER struct mel_scale scales[BANDS];
static BENCH_BUFFER struct mel mel;

int main(void) {
    static const char *const NAMES[] = {"mel_128", "mel_256", "mel_512"};
    bench_load("sound.bin", samples, sizeof samples);
    counter_init();
    const uint32_t nothing = bench_nothing();
    for (uint32_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        const uint16_t frame = (uint16_t)(128U << i);
        const struct mel_form form = {.frame = frame, .corner = (uint16_t)(CORNER >> (2 - i)), .bands = BANDS};
        uint32_t from = counter_now();
        const bool good = mel_init(&mel, &form);
        bench_tell("init", counter_since(from) - nothing);
        if (!good || mel_add(&mel, samples, 1, row)) {
            return BENCH_REFUSED;
        }
        from = counter_now();
        const bool whole = mel_add(&mel, samples + frame / 2, 1, row);
        bench_tell(NAMES[i], counter_since(from) - nothing);
        if (!whole) {
            return BENCH_REFUSED;
        }
    }
    for (uint32_t i = 0; i < BANDS; i++) {
        scales[i] = (struct mel_scale){.offset = 20000, .multiplier = 1 << 20, .shift = 28};
    }
    const uint32_t from = counter_now();
    mel_quantize(&mel, row, scales, 0, inputs);
    bench_tell("quantize", counter_since(from) - nothing);
    return 0;
}
