#include "model.h"

#include <string.h>

#include "feature_set.h"
#include "score.h"
#include "sha256.h"

enum { WHY_NOTHING = 0, WHY_NO_FEATURE = 1, WHY_FEATURE = 64 };
enum { ROUNDING_TWICE = 2 };
enum { IMAGE_1_SIZE = 9, IMAGE_2_SIZE = 12 }; /* elements of the array; a classifier's may have one more */

/* Known at compile time where a firmware has one kind only. */
static inline bool is(const struct model *m, enum model_kind kind) {
    return MODEL_KINDS == 1 << kind || ((MODEL_KINDS >> kind & 1) != 0 && m->kind == kind);
}

/* clamp(zero_point + floor((f - offset) * multiplier / 2^shift + 1/2)), without the overflow that adding the half to
 * the largest products would be. */
static int8_t quantize(int32_t feature, struct cbor *scaling, int8_t zero_point) {
    (void)cbor_array(scaling, 3, 3);
    const int64_t centred = (int64_t)feature - cbor_int(scaling);
    const int64_t product = centred * cbor_int(scaling);
    const uint32_t shift = cbor_uint(scaling, 1, 62);
    if (scaling->bad) {
        return 0;
    }
    const int64_t q = zero_point + (product >> shift) + (product >> (shift - 1) & 1);
    return (int8_t)(q < INT8_MIN ? INT8_MIN : q > INT8_MAX ? INT8_MAX : q);
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

static void score_and_keep(const struct model *m, const int32_t *features, struct model_score *out, int8_t *back) {
    int8_t in[MODEL_FEATURES_MAX];
    struct cbor scaling = m->scaling;
    for (uint32_t i = 0; i < m->features_n; i++) {
        in[i] = quantize(features[i], &scaling, m->network.input.zero_point);
    }
    network_run(&m->network, in, back);
    uint8_t why = WHY_NO_FEATURE;
    out->error = is(m, MODEL_CLASSIFIER) ? doubt(m, back) : distance(m, in, back, &why);
    out->score = score_encode(out->error, m->threshold);
    out->anomalous = out->error > m->threshold;
    out->why = out->anomalous ? why : WHY_NOTHING;
}

void model_score(const struct model *m, const int32_t *features, struct model_score *out) {
    int8_t back[MODEL_FEATURES_MAX];
    score_and_keep(m, features, out, back);
}

struct parts {
    const uint8_t *tflite;
    size_t tflite_size;
    uint32_t self_test_n;
    int32_t self_test[MODEL_FEATURES_MAX];
    uint32_t self_test_error;
    const uint8_t *self_test_output; /* NULL: an image of version 1 has none */
    size_t self_test_output_size;
    uint32_t arena;
    uint32_t rounding;
};

/* Fails unless every byte of the image is what wire.cddl says. */
static bool read_image(struct model *m, const uint8_t *image, size_t size, struct parts *parts) {
    struct cbor c = {image, image + size, false};
    const uint32_t length = cbor_array(&c, IMAGE_1_SIZE, IMAGE_2_SIZE + 1);
    const bool first = length == IMAGE_1_SIZE;
    (void)cbor_uint(&c, first ? 1 : 2, first ? 1 : 2);
    m->feature_set = (uint8_t)cbor_uint(&c, 0, UINT8_MAX);
    m->channels = (uint8_t)cbor_uint(&c, 1, 9);
    m->samples = (uint16_t)cbor_uint(&c, 32, 1024);
    m->generation = (uint8_t)cbor_uint(&c, 0, 23);
    m->features_n = (uint8_t)cbor_array(&c, 1, MODEL_FEATURES_MAX);
    m->scaling = c;
    for (uint32_t i = 0; i < m->features_n; i++) {
        (void)quantize(0, &c, 0);
    }
    m->threshold = cbor_uint(&c, 0, UINT32_MAX);
    parts->tflite = cbor_bytes(&c, &parts->tflite_size);
    (void)cbor_array(&c, first ? 2 : 3, first ? 2 : 3);
    parts->self_test_n = cbor_array(&c, 1, MODEL_FEATURES_MAX);
    for (uint32_t i = 0; i < parts->self_test_n; i++) {
        parts->self_test[i] = cbor_int(&c);
    }
    parts->self_test_error = cbor_uint(&c, 0, UINT32_MAX);
    m->known = MODEL_ANY_CLASS;
    parts->rounding = ROUNDING_TWICE;
    if (!first) {
        parts->self_test_output = cbor_bytes(&c, &parts->self_test_output_size);
        m->kind = (uint8_t)cbor_uint(&c, 0, 23);
        parts->rounding = cbor_uint(&c, 0, 23);
        parts->arena = cbor_uint(&c, 0, UINT32_MAX);
        c.bad |= length < IMAGE_2_SIZE || (length > IMAGE_2_SIZE && m->kind == MODEL_AUTOENCODER);
    }
    if (length > IMAGE_2_SIZE) {
        m->known = (uint8_t)cbor_uint(&c, 0, MODEL_CLASSES_MAX - 1);
    }
    return !c.bad && c.next == c.end;
}

/* Do the ends of the network fit the kind of model? */
static enum model_status check_ends(const struct model *m, const struct parts *parts) {
    const struct network_end *in = &m->network.input;
    const struct network_end *out = &m->network.output;
    const bool classifier = is(m, MODEL_CLASSIFIER);
    if (m->features_n != parts->self_test_n || m->features_n != in->size ||
        (!classifier && m->features_n != out->size)) {
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

static enum model_status check(struct model *m, const struct parts *parts) {
    const uint8_t set_size = feature_set_size(m->feature_set, m->channels);
    if ((MODEL_KINDS >> m->kind & 1) == 0 || parts->rounding != ROUNDING_TWICE) {
        return MODEL_KIND;
    }
    if (set_size == 0) {
        return MODEL_FEATURE_SET;
    }
    m->refused = network_open(&m->network, parts->tflite, parts->tflite_size);
    if (m->refused != NETWORK_OK) {
        return MODEL_NETWORK;
    }
    if (m->features_n != set_size) {
        return MODEL_FEATURES;
    }
    m->memory_size = m->network.memory_size;
    return check_ends(m, parts);
}

enum model_status model_open(struct model *m, const uint8_t *image, size_t image_size, void *memory,
                             size_t memory_size) {
    struct parts parts;
    memset(m, 0, sizeof *m);
    m->score = model_score;
    memset(&parts, 0, sizeof parts);
    if (image_size == 0 || !read_image(m, image, image_size, &parts)) {
        return MODEL_MALFORMED;
    }
    const enum model_status status = check(m, &parts);
    if (status != MODEL_OK) {
        return status;
    }
    m->refused = network_attach(&m->network, memory, memory_size);
    if (m->refused != NETWORK_OK) {
        return MODEL_NO_MEMORY;
    }
    uint8_t digest[32];
    sha256(image, image_size, digest);
    memcpy(m->id, digest, sizeof m->id);
    struct model_score score;
    int8_t output[MODEL_FEATURES_MAX];
    score_and_keep(m, parts.self_test, &score, output);
    const bool same =
        score.error == parts.self_test_error &&
        (parts.self_test_output == NULL || memcmp(output, parts.self_test_output, m->network.output.size) == 0);
    return same ? MODEL_OK : MODEL_SELF_TEST;
}
