/* Runs the parts of the node that compute on whatever processor it was compiled for, so that their results can be
 * compared with those of the computer that emulates it. Reads `batch.in`, writes `batch.out`, both in the emulator's
 * folder and little-endian: there questions, here an answer to each.
 *
 *     question  u32 kind, u32 bytes, bytes, and zeros up to a multiple of four
 *     answer    u32 bytes, bytes, and zeros up to a multiple of four
 *
 *     kind 0  no more of them; without an answer
 *     kind 1  a .tflite         i32 status, i32 operator refused, u32 bytes of memory, of an input, of an output
 *     kind 2  inputs for it     u32 bytes written behind its memory, then the outputs
 *     kind 3  a window: u8 feature set, u8 channels, u16 samples, then the samples
 *                               u8 sensor fault, 3 zeros, then the features
 *     kind 4  a learner: u8 feature set, u8 channels, u8 average, u8 0, u16 windows, u16 0, u32 events_ppb
 *                               u8 reply
 *     kind 5  windows' features for it to learn         u8 reply to each
 *     kind 6  windows' features for it to judge         9 u32 to each, as in nodes/wire/learner
 *     kind 7  nothing           its learner-image
 *     kind 8  u64 numbers       i32 fixed_log2 of each
 *     kind 9  i32 numbers       u64 fixed_exp2 of each
 *     kind 10 pairs of i32      their transform, as pairs of i32
 *     kind 11 samples: u16 frame, u16 corner, u16 bands, u16 samples, then the samples
 *                               i32 rows of their spectrogram; nothing for a form that is refused
 *     kind 12 a model image that looks at a spectrogram
 *                               i32 status, u32 bytes of memory
 *     kind 13 windows of samples for it, interleaved    u32 bytes written behind its memory, then u32 error of each
 */
#include <string.h>

#include "feature_set.h"
#include "features_mel.h"
#include "fft.h"
#include "fixed.h"
#include "learner.h"
#include "model.h"
#include "network.h"
#include "semihost.h"

enum { QUESTION_END, QUESTION_MODEL, QUESTION_IMAGE = 12 };
enum { GOOD = 0, NO_FILE = 1, CUT_SHORT = 2, TOO_LARGE = 3, UNKNOWN = 4, NOT_WRITTEN = 5 };
enum { FILE_MAX = 1 << 20, ANSWER_MAX = 1 << 18, MEMORY_MAX = 1 << 18, GUARD = 64, GUARD_BYTE = 0xa5 };

#define BUFFER __attribute__((section(".buffers"), aligned(16)))

static BUFFER uint8_t tflite[FILE_MAX];
static BUFFER uint8_t payload[FILE_MAX];
static BUFFER uint8_t answer[ANSWER_MAX];
static BUFFER uint8_t memory[MEMORY_MAX + GUARD];
static struct network network;
static struct model model;
static struct learner learner;
static struct learner_setup setup;

static uint32_t bytes_of(const struct network_end *end) {
    return end->size * (end->type == NETWORK_FLOAT32 ? (uint32_t)sizeof(float) : 1);
}

static uint32_t put(uint32_t at, uint32_t value) {
    memcpy(answer + at, &value, sizeof value);
    return at + (uint32_t)sizeof value;
}

static uint32_t open_model(uint32_t n) {
    memset(memory, GUARD_BYTE, sizeof memory);
    enum network_status status = network_open(&network, tflite, n);
    if (status == NETWORK_OK) {
        status = network_attach(&network, memory, network.memory_size < MEMORY_MAX ? network.memory_size : MEMORY_MAX);
    }
    if (status != NETWORK_OK) {
        network.memory_size = 0;
        network.input.size = 0;
        network.output.size = 0;
    }
    uint32_t at = put(0, (uint32_t)status);
    at = put(at, (uint32_t)network.refused_op);
    at = put(at, (uint32_t)network.memory_size);
    at = put(at, bytes_of(&network.input));
    return put(at, bytes_of(&network.output));
}

static uint32_t run_model(uint32_t n) {
    const uint32_t in = bytes_of(&network.input);
    const uint32_t out = bytes_of(&network.output);
    uint32_t at = sizeof(uint32_t);
    uint32_t spoilt = 0;
    for (uint32_t i = 0; in != 0 && i + in <= n && at + out <= ANSWER_MAX; i += in, at += out) {
        network_run(&network, payload + i, answer + at);
    }
    for (size_t i = network.memory_size; i < sizeof memory; i++) {
        spoilt += memory[i] != GUARD_BYTE;
    }
    put(0, spoilt);
    return at;
}

static uint32_t compute_features(uint32_t n) {
    (void)n;
    static struct feature_scratch scratch;
    const uint8_t set = payload[0];
    const uint8_t channels = payload[1];
    uint16_t samples_n;
    memcpy(&samples_n, payload + 2, sizeof samples_n);
    const int16_t *samples = (const int16_t *)(const void *)(payload + 4);
    put(0, features_sensor_fault(set, samples, samples_n, channels));
    features_compute(set, samples, samples_n, channels, &scratch, (int32_t *)(void *)(answer + 4));
    return 4 + 4 * (uint32_t)feature_set_size(set, channels);
}

static uint32_t begin_learner(uint32_t n) {
    (void)n;
    setup = (struct learner_setup){.feature_set = payload[0], .channels = payload[1], .average = payload[2]};
    memcpy(&setup.windows, payload + 4, sizeof setup.windows);
    memcpy(&setup.events_ppb, payload + 8, sizeof setup.events_ppb);
    answer[0] = (uint8_t)learner_init(&learner, &setup);
    return 1;
}

static uint32_t learn(uint32_t n) {
    const uint32_t each = (uint32_t)sizeof(int32_t) * feature_set_size(setup.feature_set, setup.channels);
    uint32_t at = 0;
    for (uint32_t i = 0; each != 0 && i + each <= n; i += each) {
        answer[at++] = (uint8_t)learner_learn(&learner, (const int32_t *)(const void *)(payload + i));
    }
    return at;
}

static uint32_t judge(uint32_t n) {
    const uint32_t each = (uint32_t)sizeof(int32_t) * feature_set_size(setup.feature_set, setup.channels);
    uint32_t at = 0;
    for (uint32_t i = 0; each != 0 && i + each <= n; i += each) {
        struct learner_verdict v = {0};
        if (learner_detect(&learner, (const int32_t *)(const void *)(payload + i), &v) != LEARNER_OK) {
            break;
        }
        const uint32_t said[] = {v.error,     v.threshold, v.similarity, v.score,  v.leading,
                                 v.anomalous, v.latched,   v.moved,      v.drifted};
        memcpy(answer + at, said, sizeof said);
        at += (uint32_t)sizeof said;
    }
    return at;
}

static uint32_t save(uint32_t n) {
    (void)n;
    return (uint32_t)learner_save(&learner, answer, ANSWER_MAX);
}

static uint32_t logarithms(uint32_t n) {
    for (uint32_t i = 0; i < n / sizeof(uint64_t); i++) {
        uint64_t x;
        memcpy(&x, payload + i * sizeof x, sizeof x);
        put(i * 4, (uint32_t)fixed_log2(x));
    }
    return n / 2;
}

static uint32_t powers(uint32_t n) {
    for (uint32_t i = 0; i < n / sizeof(int32_t); i++) {
        int32_t y;
        memcpy(&y, payload + i * sizeof y, sizeof y);
        const uint64_t x = fixed_exp2(y);
        memcpy(answer + i * sizeof x, &x, sizeof x);
    }
    return 2 * n;
}

static uint32_t transform(uint32_t n) {
    struct fft_bin *bins = (struct fft_bin *)(void *)answer;
    const uint32_t size = n / (uint32_t)sizeof *bins;
    uint32_t place = 0;
    for (uint32_t i = 0; i < size; i++) {
        memcpy(bins + place, payload + i * sizeof *bins, sizeof *bins);
        place = fft_next(place, size);
    }
    fft(bins, size);
    return n;
}

static uint32_t spectrogram(uint32_t n) {
    static struct mel mel;
    uint16_t head[4];
    memcpy(head, payload, sizeof head);
    const struct mel_form form = {.frame = head[0], .corner = head[1], .bands = (uint8_t)head[2]};
    if (!mel_init(&mel, &form)) {
        return 0;
    }
    uint32_t at = 0;
    for (uint32_t i = sizeof head; i + form.frame <= n; i += form.frame) { /* two bytes a sample, half a frame */
        int32_t *row = (int32_t *)(void *)(answer + at);
        at += mel_add(&mel, (const int16_t *)(const void *)(payload + i), 1, row) ? sizeof *row * form.bands : 0;
    }
    return at;
}

static uint32_t open_image(uint32_t n) {
    memset(memory, GUARD_BYTE, sizeof memory);
    enum model_status status = model_open(&model, tflite, n, NULL, 0);
    if (status == MODEL_NO_MEMORY && model.memory_size <= MEMORY_MAX) {
        status = model_open(&model, tflite, n, memory, model.memory_size);
    }
    if (status != MODEL_OK) {
        model.heard = 0;
    }
    return put(put(0, (uint32_t)status), (uint32_t)model.memory_size);
}

/* As a node does that holds one frame at a time. */
static uint32_t hear(uint32_t n) {
    const uint32_t each = (uint32_t)sizeof(int16_t) * model.channels;
    const uint16_t frame = model.look.mel.frame;
    uint32_t at = sizeof(uint32_t);
    for (uint32_t i = 0; model.heard != 0 && i + model.heard * each <= n; i += model.heard * each) {
        struct model_score score;
        for (uint32_t s = 0; s < model.heard; s += frame) {
            const uint32_t left = model.heard - s;
            model.hear(&model, (const int16_t *)(const void *)(payload + i + s * each),
                       (uint16_t)(left < frame ? left : frame), s == 0);
        }
        model.score(&model, NULL, &score);
        at = put(at, score.error);
    }
    uint32_t spoilt = 0;
    for (uint32_t i = 0; i < GUARD; i++) {
        spoilt += memory[model.memory_size + i] != GUARD_BYTE;
    }
    (void)put(0, spoilt);
    return at;
}

/* By kind. */
static uint32_t (*const answers[])(uint32_t n) = {
    NULL, open_model, run_model, compute_features, begin_learner, learn,      judge,
    save, logarithms, powers,    transform,        spectrogram,   open_image, hear};

static bool write_answer(int32_t file, uint32_t n) {
    const uint32_t padded = (n + 3) & ~3u;
    memset(answer + n, 0, padded - n);
    return semihost_write(file, &n, sizeof n) && semihost_write(file, answer, padded);
}

int main(void) {
    const int32_t in = semihost_open_read("batch.in");
    const int32_t out = semihost_open_write("batch.out");
    if (in < 0 || out < 0) {
        return NO_FILE;
    }
    for (;;) {
        uint32_t head[2];
        if (!semihost_read(in, head, sizeof head)) {
            return CUT_SHORT;
        }
        if (head[0] == QUESTION_END) {
            return GOOD;
        }
        if (head[0] >= sizeof answers / sizeof answers[0]) {
            return UNKNOWN;
        }
        if (head[1] > FILE_MAX) {
            return TOO_LARGE;
        }
        const bool stays = head[0] == QUESTION_MODEL || head[0] == QUESTION_IMAGE;
        if (!semihost_read(in, stays ? tflite : payload, (head[1] + 3) & ~3u)) {
            return CUT_SHORT;
        }
        if (!write_answer(out, answers[head[0]](head[1]))) {
            return NOT_WRITTEN;
        }
    }
}
