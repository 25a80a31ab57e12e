"""Who judges a window: a class with `judge(features, samples, kept)`, which gives a Judgement.

What a judge wants to remember through sleep lies in `kept.judge`, at most kept.JUDGE_MAX bytes. Without one a node
sends its features now and then (`window_every`), and the gateway judges.
"""

from collections import namedtuple

from stethos import limits, native

NORMAL, MODEL_FAULT = 0, 8  # nodes/wire/SPEC.md, "Why"

Judgement = namedtuple("Judgement", ("score", "why", "anomalous"))
UNJUDGED = Judgement(0, NORMAL, False)


class Nobody:
    """No model, nothing learned, no limits."""

    generation = 0
    model = None
    fault = 0

    def judge(self, features, samples, kept):
        return UNJUDGED


class Model(Nobody):
    """A model image in a file, run by the engine in C (native/README.md)."""

    def __init__(self, path, feature_set, samples, channels):
        self._model = None
        self.fault = MODEL_FAULT
        try:
            self._open(path, feature_set, samples, channels)
        except (OSError, ValueError) as error:
            print("model:", error)

    def _open(self, path, feature_set, samples, channels):
        if native.model is None:
            raise ValueError(native.why)
        with open(path, "rb") as file:
            self._image = file.read()
        found = native.model.Model(self._image, bytearray(native.model.memory_size(self._image)))
        about = found.about()
        if (about.feature_set, about.samples, about.channels) != (feature_set, samples, channels):
            raise ValueError("%s is of feature set %d, %d samples of %d channels"
                             % (path, about.feature_set, about.samples, about.channels))  # fmt: skip
        self._model, self.generation, self.model, self.fault = found, about.generation, about.id, 0

    def judge(self, features, samples, kept):
        found = self._model.score(features)
        return Judgement(found.score, found.why if found.anomalous else NORMAL, found.anomalous)


class Limits(Nobody):
    """Fixed limits on slow sensors: (low, high) of each channel, in the sensor's units; None where there is none."""

    def __init__(self, limits):
        self._limits = limits

    def judge(self, features, samples, kept):
        channels = len(self._limits)
        why, score = limits.judge(self._limits, samples, len(samples) // channels, channels)
        return Judgement(score, why, why != 0)
