"""A model image in a file, run by the engine in C (native/README.md)."""

from stethos import native


class Model:
    """`fault`: there is none that could judge, and why has been printed."""

    generation = 0
    id = None
    fault = True

    def __init__(self, path, feature_set, samples, channels):
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
        self.score, self.generation, self.id, self.fault = found.score, about.generation, about.id, False
