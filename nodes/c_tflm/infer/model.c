#include "model.h"

#include <string.h>

#include "feature_set.h"
#include "score.h"
#include "sha256.h"

enum { WHY_NOTHING = 0, WHY_FEATURE = 64 };

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

void model_score(const struct model *m, const int32_t *features, struct model_score *out) {
    int8_t in[MODEL_FEATURES_MAX];
    int8_t back[MODEL_FEATURES_MAX];
    struct cbor scaling = m->scaling;
    for (uint32_t i = 0; i < m->features_n; i++) {
        in[i] = quantize(features[i], &scaling, m->network_state.input_zero_point);
    }
    direct_run(&m->network_state, in, back);
    uint32_t error = 0;
    uint32_t largest = 0;
    uint8_t leading = 0;
    for (uint8_t i = 0; i < m->features_n; i++) {
        const int32_t difference = in[i] - back[i];
        const uint32_t term = (uint32_t)(difference * difference);
        error += term;
        if (term > largest) {
            largest = term;
            leading = i;
        }
    }
    out->error = error;
    out->score = score_encode(error, m->threshold);
    out->anomalous = error > m->threshold;
    out->why = out->anomalous ? (uint8_t)(WHY_FEATURE + leading) : WHY_NOTHING;
}

struct parts {
    const uint8_t *tflite;
    size_t tflite_size;
    uint32_t self_test_n;
    int32_t self_test[MODEL_FEATURES_MAX];
    uint32_t self_test_error;
};

/* Fails unless every byte of the image is what wire.cddl says. */
static bool read_image(struct model *m, const uint8_t *image, size_t size, struct parts *parts) {
    struct cbor c = {image, image + size, false};
    (void)cbor_array(&c, 9, 9);
    (void)cbor_uint(&c, 1, 1);
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
    (void)cbor_array(&c, 2, 2);
    parts->self_test_n = cbor_array(&c, 1, MODEL_FEATURES_MAX);
    for (uint32_t i = 0; i < parts->self_test_n; i++) {
        parts->self_test[i] = cbor_int(&c);
    }
    parts->self_test_error = cbor_uint(&c, 0, UINT32_MAX);
    return !c.bad && c.next == c.end;
}

static enum model_status check(struct model *m, const struct parts *parts) {
    const struct direct *network = &m->network_state;
    const uint8_t set_size = feature_set_size(m->feature_set, m->channels);
    if (set_size == 0) {
        return MODEL_FEATURE_SET;
    }
    m->network = direct_open(&m->network_state, parts->tflite, parts->tflite_size);
    if (m->network != DIRECT_OK) {
        return MODEL_NETWORK;
    }
    if (m->features_n != set_size || m->features_n != parts->self_test_n || m->features_n != network->inputs ||
        m->features_n != network->outputs) {
        return MODEL_FEATURES;
    }
    if (network->input_scale != network->output_scale || network->input_zero_point != network->output_zero_point) {
        return MODEL_SCALES;
    }
    m->memory_size = direct_memory_size(network);
    return MODEL_OK;
}

enum model_status model_open(struct model *m, const uint8_t *image, size_t image_size, void *memory,
                             size_t memory_size) {
    struct parts parts;
    memset(m, 0, sizeof *m);
    if (image_size == 0 || !read_image(m, image, image_size, &parts)) {
        return MODEL_MALFORMED;
    }
    const enum model_status status = check(m, &parts);
    if (status != MODEL_OK) {
        return status;
    }
    m->network = direct_attach(&m->network_state, memory, memory_size);
    if (m->network != DIRECT_OK) {
        return MODEL_NO_MEMORY;
    }
    uint8_t digest[32];
    sha256(image, image_size, digest);
    memcpy(m->id, digest, sizeof m->id);
    struct model_score score;
    model_score(m, parts.self_test, &score);
    return score.error == parts.self_test_error ? MODEL_OK : MODEL_SELF_TEST;
}
