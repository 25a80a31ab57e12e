/* Reads a model image (nodes/wire/wire.cddl, `model-image`): for model.c alone. */
#ifndef STETHOS_MODEL_IMAGE_H
#define STETHOS_MODEL_IMAGE_H

#include "model.h"

enum { MODEL_KIND_UNKNOWN = 23 };

/* What of an image model_open needs, and a model that is open does not. */
struct model_parts {
    uint32_t version;
    const uint8_t *tflite;
    size_t tflite_size;
    uint32_t self_test_n;
    int32_t self_test[MODEL_FEATURES_MAX];
    uint32_t self_test_seed; /* of version 3, in the place of features */
    uint32_t self_test_shift;
    uint32_t self_test_error;
    const uint8_t *self_test_output; /* NULL: an image of version 1 has none */
    size_t self_test_output_size;
    uint32_t arena;
    uint32_t rounding;
};

/* Is it of a model that looks at a spectrogram, and does this firmware take such? */
static inline bool model_looks(const struct model_parts *parts) {
    return (MODEL_KINDS & MODEL_BIT_SPECTROGRAM) != 0 && parts->version == 3;
}

/* False unless every byte of the image is what wire.cddl says; parts->version is there all the same, or 0. `m` and
 * `parts` come zeroed. */
bool model_read(struct model *m, const uint8_t *image, size_t size, struct model_parts *parts);

/* The next row of a scaling. */
struct mel_scale model_scale(struct cbor *c);

#endif
