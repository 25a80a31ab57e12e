/* A model image (nodes/wire/wire.cddl, `model-image`) and the scores it gives. The image stays where it is. */
#ifndef STETHOS_MODEL_H
#define STETHOS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cbor.h"
#include "network.h"
#include "spectrogram.h"

enum {
    MODEL_FEATURES_MAX = 64,
    MODEL_CLASSES_MAX = MODEL_FEATURES_MAX,
    MODEL_ANY_CLASS = MODEL_CLASSES_MAX, /* the image names none */
};

/* wire.cddl; the last is a classifier of an image of version 3. */
enum model_kind { MODEL_AUTOENCODER = 0, MODEL_CLASSIFIER = 1, MODEL_SPECTROGRAM = 2 };

/* The kinds that this firmware takes. A board that names fewer on the compiler's command line, such as
 * -DMODEL_KINDS=MODEL_BIT_AUTOENCODER, does not contain the others. */
enum {
    MODEL_BIT_AUTOENCODER = 1 << MODEL_AUTOENCODER,
    MODEL_BIT_CLASSIFIER = 1 << MODEL_CLASSIFIER,
    MODEL_BIT_SPECTROGRAM = 1 << MODEL_SPECTROGRAM,
};
#ifndef MODEL_KINDS
#define MODEL_KINDS (MODEL_BIT_AUTOENCODER | MODEL_BIT_CLASSIFIER | MODEL_BIT_SPECTROGRAM)
#endif

enum model_status {
    MODEL_OK,
    MODEL_MALFORMED,   /* not the CBOR that wire.cddl describes, to its last byte */
    MODEL_FEATURE_SET, /* a feature set, or a form of spectrogram, that this firmware does not compute */
    MODEL_FEATURES,    /* the set's features, the scaling, the self-test and the network differ in number */
    MODEL_NETWORK,     /* the engine refuses the .tflite: `refused` and network.refused_op say why */
    MODEL_SCALES,      /* the network's ends are not int8; an autoencoder's differ in scale or zero point */
    MODEL_NO_MEMORY,   /* `memory_size` bytes are needed, aligned as for a struct */
    MODEL_SELF_TEST,   /* the network computes other outputs, or another error, than the image says it must */
    MODEL_KIND,        /* a kind of model, or a rounding of its arithmetic, that this firmware does not know */
    MODEL_CLASSES,     /* the network gives no 2 to MODEL_CLASSES_MAX classes, or the image names one beyond them */
};

struct model_score {
    uint32_t error;
    uint8_t score; /* SPEC.md, "Score" */
    uint8_t why;   /* SPEC.md, "Why": 0, or 64 + the leading feature, or 1 where none leads */
    bool anomalous;
};

struct model {
    uint8_t feature_set;
    uint8_t channels;
    uint16_t samples; /* per channel in one window */
    uint8_t generation;
    uint8_t features_n;
    uint8_t kind;  /* enum model_kind */
    uint8_t known; /* of a classifier: the class that its windows belong to, or MODEL_ANY_CLASS */
    uint8_t id[8]; /* first bytes of the image's SHA-256 */
    uint32_t threshold;
    size_t memory_size;          /* what model_open needs for this image, once the network has been read */
    enum network_status refused; /* with MODEL_NETWORK */
    struct network network;
    struct cbor scaling; /* at its first element */
    /* model_score, by a pointer: a firmware that opens no model does not contain the engine. */
    void (*score)(const struct model *m, const int32_t *features, struct model_score *out);

    /* Of a model that looks at a spectrogram; else NULL and 0. It scores what it has heard, and no features: `heard`
     * samples per channel, the last `samples` of which are those that features are computed of. */
    void (*hear)(const struct model *m, const int16_t *samples, uint16_t n, bool first); /* model_hear */
    uint16_t heard;
    struct spectrogram_look look;
    struct spectrogram *spectrogram;
};

/* Opens an image: checks it, gives the network its part of `memory`, runs the self-test. Image and memory stay the
 * model's own for as long as it is used; `memory` is aligned as for a struct. With MODEL_NO_MEMORY, m->memory_size
 * says what it takes. After any other refusal the model must not be used. */
enum model_status model_open(struct model *m, const uint8_t *image, size_t image_size, void *memory,
                             size_t memory_size);

/* The next n samples [n][m->channels] of a window, which `first` begins; n is a multiple of half a frame. */
void model_hear(const struct model *m, const int16_t *samples, uint16_t n, bool first);

/* Scores one window: `features` are the m->features_n values of feature set m->feature_set. */
void model_score(const struct model *m, const int32_t *features, struct model_score *out);

const char *model_status_text(enum model_status status);

#endif
