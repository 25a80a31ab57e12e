#include "spectrogram.h"

#include <stddef.h>

uint32_t spectrogram_size(const struct spectrogram_look *look) {
    const uint32_t inputs = (uint32_t)look->rows * look->mel.bands;
    return ((uint32_t)offsetof(struct spectrogram, inputs) + inputs + 7) & ~UINT32_C(7);
}

void spectrogram_hear(struct spectrogram *s, const struct spectrogram_look *look, int8_t zero_point,
                      const int16_t *samples, uint32_t stride, uint32_t n, bool first) {
    const uint32_t hop = spectrogram_hop(look);
    if (first) {
        s->mel.begun = false;
        s->rows = 0;
    }
    for (; n >= hop; n -= hop, samples += (size_t)hop * stride) {
        if (mel_add(&s->mel, samples, stride, s->row) && s->rows < look->rows) {
            mel_quantize(&s->mel, s->row, s->scales, zero_point, s->inputs + (size_t)s->rows * look->mel.bands);
            s->rows++;
        }
    }
}
