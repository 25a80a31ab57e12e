#include "model.h"

#include <string.h>

#include "feature_set.h"
#include "model_image.h"
#include "score.h"
#include "sha256.h"

enum { WHY_NOTHING = 0, WHY_NO_FEATURE = 1, WHY_FEATURE = 64 };
enum { ROUNDING_TWICE = 2, LCG_FACTOR = 1664525, LCG_TERM = 1013904223 };

/* Known at compile time where a firmware has one kind only. */
static inline bool is(const struct model *m, enum model_kind kind) {
    return MODEL_KINDS == 1 << kind || ((MODEL_KINDS >> kind & 1) != 0 && m->kind == kind);
}

/* How far the outputs of an autoencoder are from its inputs, and which feature leads. */
static uint32_t distance(const struct model *m, const int8_t *in, const int8_t *out, uint8_t *why) {
    uint32_t error = 0;
    uint32_t largest = 0;
    *why = WHY_FEATURE;
    for (uint8_t i = 0; i < m->features_n; i++) {
        const int32_t difference = in[i] - out[i];
        const uint32_t term = (uint32_t)(difference * difference);
        error += term;
        if (term > largest) {
            largest = term;
            *why = (uint8_t)(WHY_FEATURE + i);
        }
    }
    return error;
}

/* By how little the class that the image names stands out from the others; or, where it names none, the highest of all
 * but the last from the last, which stands for what is none of them. */
static uint32_t doubt(const struct model *m, const int8_t *out) {
    const bool any = m->known == MODEL_ANY_CLASS;
    const uint32_t apart = any ? m->network.output.size - 1 : m->known;
    int32_t highest = INT8_MIN;
    for (uint32_t i = 0; i < m->network.output.size; i++) {
        if (i != apart && out[i] > highest) {
            highest = out[i];
        }
    }
    const int32_t ahead = out[apart] - highest;
    return (uint32_t)(UINT8_MAX - (any ? -ahead : ahead));
}

void model_hear(const struct model *m, const int16_t *samples, uint16_t n, bool first) {
    spectrogram_hear(m->spectrogram, &m->look, m->network.input.zero_point, samples + m->look.channel, m->channels, n,
                     first);
}

/* The network's: what was heard, or features in `room`. */
static const int8_t *inputs(const struct model *m, const int32_t *features, int8_t room[MODEL_FEATURES_MAX]) {
    if (is(m, MODEL_SPECTROGRAM)) {
        return m->spectrogram->inputs;
    }
    struct cbor scaling = m->scaling;
    for (uint32_t i = 0; i < m->features_n; i++) {
        room[i] = mel_input(features[i], model_scale(&scaling), m->network.input.zero_point);
    }
    return room;
}

static void score_and_keep(const struct model *m, const int32_t *features, struct model_score *out, int8_t *back) {
    int8_t room[MODEL_FEATURES_MAX];
    const int8_t *in = inputs(m, features, room);
    network_run(&m->network, in, back);
    uint8_t why = WHY_NO_FEATURE;
    out->error = is(m, MODEL_AUTOENCODER) ? distance(m, in, back, &why) : doubt(m, back);
    out->score = score_encode(out->error, m->threshold);
    out->anomalous = out->error > m->threshold;
    out->why = out->anomalous ? why : WHY_NOTHING;
}

void model_score(const struct model *m, const int32_t *features, struct model_score *out) {
    int8_t back[MODEL_FEATURES_MAX];
    score_and_keep(m, features, out, back);
}

/* Is what a model looks at computed here, of a window that a node can have? */
static bool take_look(struct model *m) {
    const struct spectrogram_look *look = &m->look;
    const uint32_t samples = spectrogram_samples(look);
    if (!mel_form_is_good(&look->mel) || look->channel >= m->channels || m->samples > samples ||
        m->samples % spectrogram_hop(look) != 0) {
        return false;
    }
    m->heard = (uint16_t)samples;
    m->hear = model_hear;
    return true;
}

/* Do the ends of the network fit the kind of model? */
static enum model_status check_ends(const struct model *m, const struct model_parts *parts) {
    const struct network_end *in = &m->network.input;
    const struct network_end *out = &m->network.output;
    const bool classifier = !is(m, MODEL_AUTOENCODER);
    const uint32_t wanted = is(m, MODEL_SPECTROGRAM) ? (uint32_t)m->look.rows * m->look.mel.bands : parts->self_test_n;
    const uint32_t rows = is(m, MODEL_SPECTROGRAM) ? m->look.mel.bands : wanted; /* of the scaling */
    if (m->features_n != rows || wanted != in->size || (!classifier && m->features_n != out->size)) {
        return MODEL_FEATURES;
    }
    if (in->type != NETWORK_INT8 || out->type != NETWORK_INT8 ||
        (!classifier && (in->scale != out->scale || in->zero_point != out->zero_point))) {
        return MODEL_SCALES;
    }
    if (classifier &&
        (out->size - 2 > MODEL_CLASSES_MAX - 2 || (m->known != MODEL_ANY_CLASS && m->known >= out->size))) {
        return MODEL_CLASSES;
    }
    return parts->self_test_output == NULL || parts->self_test_output_size == out->size ? MODEL_OK : MODEL_FEATURES;
}

static uint32_t front_size(const struct model *m) {
    return is(m, MODEL_SPECTROGRAM) ? spectrogram_size(&m->look) : 0;
}

static enum model_status check(struct model *m, const struct model_parts *parts) {
    const uint8_t set_size = feature_set_size(m->feature_set, m->channels);
    if ((MODEL_KINDS >> m->kind & 1) == 0 || parts->rounding != ROUNDING_TWICE) {
        return MODEL_KIND;
    }
    if (set_size == 0 || (is(m, MODEL_SPECTROGRAM) && !take_look(m))) {
        return MODEL_FEATURE_SET;
    }
    m->refused = network_open(&m->network, parts->tflite, parts->tflite_size);
    if (m->refused != NETWORK_OK) {
        return MODEL_NETWORK;
    }
    if (m->features_n != set_size && !is(m, MODEL_SPECTROGRAM)) {
        return MODEL_FEATURES;
    }
    m->memory_size = m->network.memory_size + front_size(m);
    return check_ends(m, parts);
}

static void begin_spectrogram(struct model *m, void *memory) {
    struct cbor scaling = m->scaling;
    m->spectrogram = memory;
    (void)mel_init(&m->spectrogram->mel, &m->look.mel);
    for (uint32_t i = 0; i < m->features_n; i++) {
        m->spectrogram->scales[i] = model_scale(&scaling);
    }
}

/* The network's part of the memory lies behind the spectrogram. */
static enum model_status attach(struct model *m, void *memory, size_t size) {
    const size_t front = front_size(m);
    if (size < front) {
        return MODEL_NO_MEMORY;
    }
    void *behind = front > 0 ? (uint8_t *)memory + front : memory; /* which may be NULL, where none is needed */
    m->refused = network_attach(&m->network, behind, size - front);
    if (m->refused != NETWORK_OK) {
        return MODEL_NO_MEMORY;
    }
    if (is(m, MODEL_SPECTROGRAM)) {
        begin_spectrogram(m, memory);
    }
    return MODEL_OK;
}

/* A window of noise, the same everywhere: SPEC.md, "Self-test". */
static void hear_noise(const struct model *m, uint32_t x, uint32_t shift) {
    int16_t piece[MEL_FRAME_MAX / 2];
    const uint32_t hop = spectrogram_hop(&m->look);
    for (uint32_t row = 0; row <= m->look.rows; row++) {
        for (uint32_t i = 0; i < hop; i++) {
            x = x * LCG_FACTOR + LCG_TERM;
            piece[i] = (int16_t)((int32_t)x >> (16 + shift));
        }
        spectrogram_hear(m->spectrogram, &m->look, m->network.input.zero_point, piece, 1, hop, row == 0);
    }
}

static bool self_test(const struct model *m, const struct model_parts *parts) {
    struct model_score score;
    int8_t output[MODEL_FEATURES_MAX];
    if (is(m, MODEL_SPECTROGRAM)) {
        hear_noise(m, parts->self_test_seed, parts->self_test_shift);
    }
    score_and_keep(m, parts->self_test, &score, output);
    return score.error == parts->self_test_error &&
           (parts->self_test_output == NULL || memcmp(output, parts->self_test_output, m->network.output.size) == 0);
}

enum model_status model_open(struct model *m, const uint8_t *image, size_t image_size, void *memory,
                             size_t memory_size) {
    struct model_parts parts;
    memset(m, 0, sizeof *m);
    m->score = model_score;
    memset(&parts, 0, sizeof parts);
    if (image_size == 0 || !model_read(m, image, image_size, &parts)) {
        return parts.version == 3 && !model_looks(&parts) ? MODEL_KIND : MODEL_MALFORMED;
    }
    enum model_status status = check(m, &parts);
    if (status == MODEL_OK) {
        status = attach(m, memory, memory_size);
    }
    if (status != MODEL_OK) {
        return status;
    }
    uint8_t digest[32];
    sha256(image, image_size, digest);
    memcpy(m->id, digest, sizeof m->id);
    return self_test(m, &parts) ? MODEL_OK : MODEL_SELF_TEST;
}
