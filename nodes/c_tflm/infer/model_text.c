/* Words for people. A node that never speaks them does not link them. */
#include "model.h"

const char *model_status_text(enum model_status status) {
    switch (status) {
    case MODEL_OK:
        return "ok";
    case MODEL_MALFORMED:
        return "not a model image";
    case MODEL_FEATURE_SET:
        return "a feature set that this firmware does not compute, or a form of spectrogram";
    case MODEL_FEATURES:
        return "feature set, scaling, self-test and network differ in their number of features";
    case MODEL_NETWORK:
        return "the network is refused";
    case MODEL_SCALES:
        return "input and output of the network are not int8, or differ in scale or zero point";
    case MODEL_NO_MEMORY:
        return "the memory given is too small or not aligned";
    case MODEL_SELF_TEST:
        return "the self-test gave another error than the image says, or other outputs";
    case MODEL_KIND:
        return "a kind of model, or a rounding, that this firmware does not know";
    case MODEL_CLASSES:
        return "the network gives no 2 to 64 classes, or the image names one beyond them";
    }
    return "unknown status";
}
