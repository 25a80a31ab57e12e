"""What a classifier of spectrograms finds, beside autoencoders of the same windows: one for each class, of as many rows
at once as a node's model takes values.

Nothing is fitted to labels. Of recordings there is one machine each, so their classes are the channels of one sensor;
the sounds and the motor are made up, and their classes are machines and speeds. There is no recording of a machine's
sound here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gateway.detectors import errors
from gateway.detectors.scaling import standardise
from gateway.training import autoencoder, mobilenet, reference_int8
from gateway.training import quantise as to_int8
from gateway.training.anatomy import MODEL_FEATURES_MAX
from gateway.training.dense import activations
from gateway.training.features.mel import Form, spectrogram
from gateway.training.metrics import auroc
from gateway.training.mobilenet_judge import by_float, by_int8
from tests.bench.figures import Figure
from tests.bench.progress import say
from tests.bench.shared_data import dataset
from tests.tensorflow import machines

AGAIN = "build/tensorflow/bin/python -m tests.bench.models spectrogram_auroc"
SEED = 1
Rows = NDArray[np.int32]


@dataclass(frozen=True)
class Windows:
    """Spectrograms [n, rows, bands] of each class: what is learned from, and what is judged."""

    names: tuple[str, ...]
    fit: list[Rows]
    normal: list[Rows]
    faulty: list[Rows]


def made_up(make: Callable[..., Rows], names: tuple[str, ...], **fault: object) -> Windows:
    """60 windows of each class to learn from, 40 normal and 40 faulty ones to judge."""
    classes = range(len(names))
    return Windows(names, [make(c, 60, 1) for c in classes], [make(c, 40, 2) for c in classes],
                   [make(c, 40, 3, **fault) for c in classes])  # fmt: skip


def recorded(name: str, form: Form, rows: int, sessions: tuple[str, ...] = ()) -> Windows:
    """Windows that do not overlap, a class a channel: learned from what was commissioned on. FileNotFoundError."""
    length, names, parts = form.samples(rows), (), {"fit": [], "normal": [], "faulty": []}
    for recording in dataset(name).recordings:
        run, values = recording.run, recording.samples()
        if sessions and run.session not in sessions:
            continue
        names = tuple(channel.name for channel in run.channels)
        stretches = pairwise((0, *run.breaks, len(values)))
        starts = np.concatenate([np.arange(a, b - length + 1, length) for a, b in stretches])
        x = values[starts[:, None] + np.arange(length)]
        learned = (starts + length) / run.rate_hz <= run.commission_s
        if run.labels[0].fault:
            parts["faulty"].append(x)
        else:
            parts["fit"].append(x[learned])
            parts["normal"].append(x[~learned])
    found = {part: np.concatenate(x) for part, x in parts.items()}
    by_class = {
        part: [spectrogram(form, np.ascontiguousarray(x[:, :, c])) for c in range(len(names))]
        for part, x in found.items()
    }
    return Windows(names, **by_class)


SETS: Mapping[str, tuple[str, Callable[[], Windows]]] = {
    "sound": ("made-up sounds of three machines, one with a squeal", lambda: made_up(
        machines.sounds, machines.MACHINES, squeal=0.5)),
    "motor": ("the simulator's motor at three speeds, loose", lambda: made_up(
        machines.vibration, machines.SPEEDS, fault="looseness")),
    "ceiling_fan": ("the ceiling fan, a weight on one blade", lambda: recorded(
        "fan", Form.of(200, 64, 16), 5, ("placed",))),
    "uci_fan": ("the fan at nine speeds, magnets on its blades", lambda: recorded(
        "uci_fan", Form.of(50, 64, 12), 8)),
    "bearing": ("the bearing rig, eight kinds of damage", lambda: recorded(
        "cwru", Form.of(12_000, 128, 24), 8)),
}  # fmt: skip


def figures() -> Mapping[str, Figure]:
    """By set. Raises NoTensorFlow; a set whose recordings are not here is left out, and it says so."""
    found: dict[str, Figure] = {}
    for name, (what, make) in SETS.items():
        try:
            windows = make()
        except FileNotFoundError as missing:
            say(f"{name}: {missing}")
            continue
        say(f"{name}: {sum(map(len, windows.fit))} windows of {len(windows.names)} classes to learn from")
        for model, judge in (("spectrogram", classified), ("autoencoder_of_rows", reconstructed)):
            for kind, area in judge(windows).items():
                how = f"{what}; {model}, {kind}, mean over the classes {', '.join(windows.names)}; {AGAIN}"
                found[f"{model}_auroc_{name}_{kind}"] = Figure(round(area, 3), "", how)
                say(f"{name}: {model}, {kind}: {area:.3f}")
    return found


def classified(windows: Windows) -> Mapping[str, float]:
    """Mean AUROC of negative confidence in the known class."""
    x, labels = np.concatenate(windows.fit), np.repeat(np.arange(len(windows.names)), [len(w) for w in windows.fit])
    trained = mobilenet.train(x, labels, windows.names, SEED)
    found = {}
    for kind, outputs in (("float", by_float), ("int8", by_int8)):
        found[kind] = _mean(windows, lambda known, w, outputs=outputs: -errors.margin(outputs(trained, w), known))
    return found


def reconstructed(windows: Windows) -> Mapping[str, float]:
    """Mean AUROC of the error of an autoencoder that has learned the known class."""
    trained = [_Autoencoder(w) for w in windows.fit]
    return {
        "float": _mean(windows, lambda known, w: trained[known].by_float(w)),
        "int8": _mean(windows, lambda known, w: trained[known].by_int8(w)),
    }


def _mean(windows: Windows, score: Callable[[int, Rows], NDArray[np.number]]) -> float:
    areas = []
    for known, (normal, faulty) in enumerate(zip(windows.normal, windows.faulty, strict=True)):
        truth = np.repeat([0, 1], [len(normal), len(faulty)])
        area = auroc(truth, np.concatenate([score(known, normal), score(known, faulty)]).astype(np.float64))
        assert area is not None
        areas.append(area)
    return float(np.mean(areas))


class _Autoencoder:
    """Of as many neighbouring rows as have MODEL_FEATURES_MAX values; a window's error is the sum of its groups'."""

    def __init__(self, fit: Rows) -> None:
        self._group = min(MODEL_FEATURES_MAX // fit.shape[2], fit.shape[1])
        rows = self._grouped(fit).reshape(-1, self._group * fit.shape[2])
        scaling = to_int8.standardisation(rows)
        x, known = standardise(scaling, rows).astype(np.float32), len(rows) * 4 // 5
        self._scaling = scaling
        self._network = autoencoder.train(x[:known], autoencoder.node_sizes(rows.shape[1]), SEED)
        self._int8 = to_int8.best(self._network, x[:known], x[known:]).network
        assert self._int8.input is not None
        self._steps = to_int8.in_steps(scaling, self._int8.input.scale)

    def _grouped(self, windows: Rows) -> NDArray[np.int64]:
        n, rows, bands = windows.shape
        whole = rows // self._group
        return windows[:, : whole * self._group].reshape(n, whole, self._group * bands).astype(np.int64)

    def by_float(self, windows: Rows) -> NDArray[np.float64]:
        grouped = self._grouped(windows)
        x = standardise(self._scaling, grouped.reshape(-1, grouped.shape[2])).astype(np.float32)
        squares = (activations(self._network, x)[-1] - x).astype(np.float64) ** 2
        found: NDArray[np.float64] = squares.reshape(len(windows), -1).sum(axis=1)
        return found

    def by_int8(self, windows: Rows) -> NDArray[np.int64]:
        grouped = self._grouped(windows)
        rows = grouped.reshape(-1, grouped.shape[2])
        found = reference_int8.errors(self._int8, self._steps, rows, "autoencoder", None)
        total: NDArray[np.int64] = found.reshape(len(windows), -1).sum(axis=1)
        return total
