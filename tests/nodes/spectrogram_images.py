"""Model images of version 3: a classifier that looks at a spectrogram. What it must compute is worked out in Python,
and by the interpreter of TensorFlow Lite Micro."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cbor2
import numpy as np
from tflite_micro.python.tflite_micro import runtime

from gateway.detectors.scaling import quantise
from gateway.training.features.mel import Form, spectrogram
from gateway.training.self_test import noise
from tests.nodes.inverted_residuals import mobilenet

CLASSES = 3
SEED, SHIFT = 9, 4
FORM = Form(64, 12, 100)


@dataclass(frozen=True)
class Looking:
    """An image; `samples` are held by the node at once, of `heard`."""

    form: Form = FORM
    rows: int = 8
    channel: int = 1
    channels: int = 2
    samples: int = 9 * 32
    threshold: int = 400
    known: int | None = 0

    @property
    def heard(self) -> int:
        return self.form.samples(self.rows)

    @property
    def scaling(self) -> list[tuple[int, int, int]]:
        return [(30_000 + 500 * i, 3 * 2**16 + i, 24) for i in range(self.form.bands)]

    @property
    def tflite(self) -> bytes:
        return _network(self.rows, self.form.bands)

    def inputs(self, windows: np.ndarray) -> np.ndarray:
        """Of int16 samples of its channel [n, heard]: int8 [n, rows * bands]."""
        rows = spectrogram(self.form, np.ascontiguousarray(windows)).reshape(len(windows), -1)
        return quantise(self.scaling * self.rows, rows.astype(np.int64), -3).astype(np.int8)

    def outputs(self, windows: np.ndarray) -> np.ndarray:
        """[n, classes], by TensorFlow Lite Micro."""
        tflm, found = runtime.Interpreter.from_bytes(self.tflite), []
        for one in self.inputs(windows):
            tflm.set_input(one.reshape(1, self.rows, self.form.bands, 1), 0)
            tflm.invoke()
            found.append(tflm.get_output(0)[0].copy())
        return np.array(found)

    def errors(self, windows: np.ndarray) -> list[int]:
        """SPEC.md, "Score", word by word."""
        if self.known is None:
            return [255 - (int(max(q[:-1])) - int(q[-1])) for q in self.outputs(windows)]
        return [255 - (int(q[self.known]) - int(max(np.delete(q, self.known)))) for q in self.outputs(windows)]

    def image(self, **changes: object) -> bytes:
        """The image; `changes` by the names of wire.cddl."""
        heard = noise(SEED, SHIFT, self.heard)[None]
        look = [self.form.frame, self.form.corner, self.form.bands, self.rows, self.channel]
        parts = {
            "image_version": 3, "feature_set": 1, "channels": self.channels, "samples": self.samples, "generation": 5,
            "scaling": [list(row) for row in self.scaling], "threshold": self.threshold, "tflite": self.tflite,
            "self_test": [SEED, SHIFT, self.errors(heard)[0], self.outputs(heard)[0].tobytes()],
            "kind": 1, "rounding": 2, "arena": 0, "look": look,
        } | ({} if self.known is None else {"known": self.known}) | changes  # fmt: skip
        return cbor2.dumps([*parts.values()])


def sounds(n: int, looking: Looking, seed: int = 1) -> np.ndarray:
    """Interleaved windows int16 [n, heard, channels]: hum and hiss, each louder than the one before."""
    random = np.random.default_rng(seed)
    t = np.arange(looking.heard)[:, None]
    windows = []
    for i in range(n):
        pitch = random.uniform(0.05, 2.5, looking.channels)
        hiss = random.normal(0, 0.3, (looking.heard, looking.channels))
        windows.append(150 * 1.4 ** (i % 12) * (np.sin(pitch * t) + hiss))
    return np.clip(np.rint(windows), -32000, 32000).astype(np.int16)


@cache
def _network(rows: int, bands: int) -> bytes:
    return mobilenet(rows, bands, CLASSES)
