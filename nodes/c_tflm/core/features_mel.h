/* Feature set 4, a log-mel spectrogram of one channel, row by row: nodes/wire/SPEC.md, "Feature sets". Not among the
 * sets of feature_set.h, whose windows lie in memory whole: of this one, only the frame that is being computed does,
 * and each row goes into the network's input at once. */
#ifndef STETHOS_FEATURES_MEL_H
#define STETHOS_FEATURES_MEL_H

#include <stdbool.h>
#include <stdint.h>

#include "fft_long.h"

enum {
    FEATURE_SET_MEL = 4,
    MEL_FRAME_MIN = 64,
    MEL_FRAME_MAX = 2 * FFT_LONG_MAX,
    MEL_BANDS_MIN = 4,
    MEL_BANDS_MAX = 64
};

struct mel_form {
    uint16_t frame;  /* samples: 64, 128, 256 or 512; a frame begins every frame / 2 */
    uint16_t corner; /* in sixteenths of a bin, 16..16 * frame: where bands of one width turn into parts of octaves */
    uint8_t bands;   /* 4..64, and below frame / 2 */
};

/* One row of a scaling: SPEC.md, "Score". */
struct mel_scale {
    int32_t offset;
    int32_t multiplier;
    uint8_t shift; /* 1..62 */
};

/* clamp(zero_point + floor((value - offset) * multiplier / 2^shift + 1/2)), without the overflow that adding the half
 * to the largest products would be. */
static inline int8_t mel_input(int32_t value, struct mel_scale scale, int8_t zero_point) {
    const int64_t product = ((int64_t)value - scale.offset) * scale.multiplier;
    const int64_t q = zero_point + (product >> scale.shift) + (product >> (scale.shift - 1) & 1);
    return (int8_t)(q < INT8_MIN ? INT8_MIN : q > INT8_MAX ? INT8_MAX : q);
}

struct mel {
    struct mel_form form;
    bool begun;
    uint16_t edges[MEL_BANDS_MAX + 2]; /* in sixteenths of a bin */
    int16_t before[MEL_FRAME_MAX / 2]; /* the first half of the next frame */
    struct fft_bin bins[MEL_FRAME_MAX / 2];
};

bool mel_form_is_good(const struct mel_form *form);

/* False for a form that is none of those. */
bool mel_init(struct mel *m, const struct mel_form *form);

/* The next frame / 2 samples, one every `stride`. True if they end a frame, and all do but the first since mel_init:
 * then `row` has its form.bands values, the lowest frequencies first. */
bool mel_add(struct mel *m, const int16_t *samples, uint32_t stride, int32_t *row);

/* A row as int8 inputs of a network; one scale for each band. */
void mel_quantize(const struct mel *m, const int32_t *row, const struct mel_scale *scales, int8_t zero_point,
                  int8_t *out);

#endif
