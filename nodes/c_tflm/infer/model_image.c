#include "model_image.h"

enum { SIZES_MIN = 9, SIZES_MAX = 14, ROUNDING_TWICE = 2 };

/* Elements of the array, by version; a classifier's may have one more. */
static const uint8_t SIZES[] = {0, SIZES_MIN, 12, SIZES_MAX - 1};

struct mel_scale model_scale(struct cbor *c) {
    struct mel_scale scale;
    (void)cbor_array(c, 3, 3);
    scale.offset = cbor_int(c);
    scale.multiplier = cbor_int(c);
    scale.shift = (uint8_t)cbor_uint(c, 1, 62);
    return scale;
}

static void read_self_test(struct cbor *c, struct model_parts *parts) {
    const uint32_t length = parts->version + 1;
    (void)cbor_array(c, length, length);
    if (model_looks(parts)) {
        parts->self_test_seed = cbor_uint(c, 0, UINT32_MAX);
        parts->self_test_shift = cbor_uint(c, 0, 15);
    } else {
        parts->self_test_n = cbor_array(c, 1, MODEL_FEATURES_MAX);
        for (uint32_t i = 0; i < parts->self_test_n; i++) {
            parts->self_test[i] = cbor_int(c);
        }
    }
    parts->self_test_error = cbor_uint(c, 0, UINT32_MAX);
    if (parts->version != 1) {
        parts->self_test_output = cbor_bytes(c, &parts->self_test_output_size);
    }
}

static void read_look(struct cbor *c, struct spectrogram_look *look) {
    (void)cbor_array(c, 5, 5);
    look->mel.frame = (uint16_t)cbor_uint(c, MEL_FRAME_MIN, MEL_FRAME_MAX);
    look->mel.corner = (uint16_t)cbor_uint(c, 0, UINT16_MAX);
    look->mel.bands = (uint8_t)cbor_uint(c, MEL_BANDS_MIN, MEL_BANDS_MAX);
    look->rows = (uint8_t)cbor_uint(c, 1, SPECTROGRAM_ROWS_MAX);
    look->channel = (uint8_t)cbor_uint(c, 0, 8);
}

/* What follows the self-test, in `length` elements with all that is before it. */
static void read_tail(struct model *m, struct cbor *c, uint32_t length, struct model_parts *parts) {
    const uint32_t kind = cbor_uint(c, 0, MODEL_KIND_UNKNOWN);
    parts->rounding = cbor_uint(c, 0, 23);
    parts->arena = cbor_uint(c, 0, UINT32_MAX);
    if (model_looks(parts)) {
        read_look(c, &m->look);
        m->kind = kind == MODEL_CLASSIFIER ? MODEL_SPECTROGRAM : MODEL_KIND_UNKNOWN;
    } else {
        m->kind = kind == MODEL_SPECTROGRAM ? MODEL_KIND_UNKNOWN : (uint8_t)kind;
    }
    if (length > SIZES[parts->version]) {
        c->bad |= m->kind == MODEL_AUTOENCODER;
        m->known = (uint8_t)cbor_uint(c, 0, MODEL_CLASSES_MAX - 1);
    }
}

bool model_read(struct model *m, const uint8_t *image, size_t size, struct model_parts *parts) {
    struct cbor c = {image, image + size, false};
    const uint32_t length = cbor_array(&c, SIZES_MIN, SIZES_MAX);
    parts->version = cbor_uint(&c, 1, 3);
    const uint32_t more = length - SIZES[parts->version]; /* above 1 where they are too few */
    if (c.bad || more > (parts->version != 1) || (parts->version == 3 && !model_looks(parts))) {
        return false;
    }
    m->feature_set = (uint8_t)cbor_uint(&c, 0, UINT8_MAX);
    m->channels = (uint8_t)cbor_uint(&c, 1, 9);
    m->samples = (uint16_t)cbor_uint(&c, 32, 1024);
    m->generation = (uint8_t)cbor_uint(&c, 0, 23);
    m->features_n = (uint8_t)cbor_array(&c, 1, MODEL_FEATURES_MAX);
    m->scaling = c;
    for (uint32_t i = 0; i < m->features_n; i++) {
        (void)model_scale(&c);
    }
    m->threshold = cbor_uint(&c, 0, UINT32_MAX);
    parts->tflite = cbor_bytes(&c, &parts->tflite_size);
    read_self_test(&c, parts);
    m->known = MODEL_ANY_CLASS;
    parts->rounding = ROUNDING_TWICE;
    if (parts->version != 1) {
        read_tail(m, &c, length, parts);
    }
    return !c.bad && c.next == c.end;
}
