/* The spectrogram that a model looks at (nodes/wire/SPEC.md, "Feature sets", 4): each row goes among the network's
 * inputs as soon as its samples are there, so that a window may be longer than memory. */
#ifndef STETHOS_SPECTROGRAM_H
#define STETHOS_SPECTROGRAM_H

#include "../core/features_mel.h" /* named whole: who builds a firmware may look in this folder only */

enum { SPECTROGRAM_ROWS_MAX = 128 };

struct spectrogram_look {
    struct mel_form mel;
    uint8_t rows;    /* 1..SPECTROGRAM_ROWS_MAX */
    uint8_t channel; /* of the samples */
};

struct spectrogram {
    struct mel mel;
    struct mel_scale scales[MEL_BANDS_MAX];
    int32_t row[MEL_BANDS_MAX];
    uint8_t rows; /* that there are */
    int8_t inputs[];
};

static inline uint16_t spectrogram_hop(const struct spectrogram_look *look) {
    return look->mel.frame / 2;
}

/* In one window of one channel. */
static inline uint16_t spectrogram_samples(const struct spectrogram_look *look) {
    return (uint16_t)((look->rows + 1U) * spectrogram_hop(look));
}

/* Bytes that a struct spectrogram takes, such that another may lie behind it. */
uint32_t spectrogram_size(const struct spectrogram_look *look);

/* Takes the next n samples, one every `stride`, n a multiple of spectrogram_hop; `first`: a window begins with them. */
void spectrogram_hear(struct spectrogram *s, const struct spectrogram_look *look, int8_t zero_point,
                      const int16_t *samples, uint32_t stride, uint32_t n, bool first);

#endif
