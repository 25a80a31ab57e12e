"""The paths that a study compares: a static int8 model, the learner on the node, both as the node joins them, and the
gateway's learner at a place. Each judges the same rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.detectors import direct
from gateway.detectors.bundle import Bundle
from gateway.detectors.learner import Learner, LearnerRefused, Reply
from gateway.detectors.manifest import DataSource
from gateway.detectors.scaling import standardise
from gateway.training import autoencoder, bundle_writer, calibrate, commission, held_out, quantise
from gateway.training.commission import Normal, Purpose
from gateway.training.dense import Progress, activations
from gateway.training.held_out import CALIBRATE, CHECK, FIT, Unfit
from gateway.training.judges import (
    EVENTS,
    BundleJudge,
    CannotLearn,
    Judge,
    Judged,
    NodeLearnerJudge,
    PlaceJudge,
    Seen,
    Subject,
)
from gateway.training.stream import Stream
from gateway.training.study.data import LEAST, Shown, Source
from gateway.training.tflite_file import Network

STATIC, LEARNER, BOTH, PLACE = "static int8 model", "learner on the node", "both on the node", "learner at the gateway"
PATHS = (STATIC, LEARNER, BOTH, PLACE)

_SHARES = (0.6, 0.8)

Features = NDArray[np.int64]


@dataclass(frozen=True)
class Static:
    """A model that was trained once: the Bundle with the threshold that stands, and the float network it comes from."""

    bundle: Bundle
    float_network: Network
    float_scaling: list[tuple[int, int, int]]
    windows: tuple[int, int, int]

    def float_errors(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the network gives before it is int8: mean squared residuals of rows [n, features]."""
        inputs = standardise(self.float_scaling, x.astype(np.int64))
        return np.asarray(np.mean((activations(self.float_network, inputs)[-1] - inputs) ** 2, axis=1))


def train(source: Source, shown: Sequence[Shown], folder: Path, seed: int, progress: Progress | None = None) -> Static:
    """The autoencoder of a node, from what is learned of these runs; its threshold is that of the int8 errors that the
    node's own code gives. No label is read. Raises Unfit for too few windows, Unsuitable.
    """
    rows = in_parts(source, [source.lesson(one) for one in shown if one.learn])
    parts = [np.concatenate([r.features[r.part == part] for r in rows]) for part in (FIT, CALIBRATE, CHECK)]
    if sum(map(len, parts)) < LEAST // 2:
        raise Unfit(f"{sum(map(len, parts))} windows to train from, where {LEAST} are wanted")
    run = source.run
    channels = held_out.channels(run)
    levels = frozenset[int]() if source.slow else commission.level_features(len(channels), source.feature_set)
    still = commission.constant_features(parts[0])
    purpose = Purpose(
        "study", channels, source.samples, max(1, round(1000 * run.rate_hz)), "stethos model compare", levels | still,
        1 / 500, seed, feature_set=source.feature_set,
    )  # fmt: skip
    normal = Normal(parts[0], parts[1], parts[2], tuple(r.source for r in rows))
    made = commission.node_bundle(folder, purpose, normal, progress)
    manifest = calibrate.calibrated(made, rows, "event_1of1", round(1e9 * EVENTS * source.dense_hop / source.hop))
    bundle = bundle_writer.write(folder, manifest, made.model, bundle_writer.self_test_of(made))
    scaling = quantise.standardisation(parts[0], purpose.left_out)
    sizes = autoencoder.ARCHITECTURES["node"](parts[0].shape[1])
    network = autoencoder.train(standardise(scaling, parts[0]), sizes, seed)
    return Static(bundle, network, scaling, (len(parts[0]), len(parts[1]), len(parts[2])))


def in_parts(source: Source, lessons: Sequence[Stream]) -> list[held_out.Rows]:
    """The rows of all lessons in three parts, one after the other, that share no sample."""
    shared = -(-source.samples // source.dense_hop) - 1  # windows that reach back into the part before
    sound = [np.flatnonzero(lesson.sensor_fault == 0) for lesson in lessons]
    part = np.searchsorted(_SHARES, (np.arange(sum(map(len, sound))) + 0.5) / max(sum(map(len, sound)), 1))
    for border in np.flatnonzero(np.diff(part)) + 1:
        part[border : border + shared] = -1
    found, at = [], 0
    for lesson, use in zip(lessons, sound, strict=True):
        data = DataSource(
            description=f"{source.dataset.name}, {lesson.name}", sha256=hashlib.sha256(lesson.x.tobytes()).hexdigest()
        )
        found.append(
            held_out.Rows(
                lesson.name, lesson.node, lesson.asset, lesson.x[use].astype(np.int64),
                part[at : at + len(use)].astype(np.int8), np.empty((len(use), 0)), (), data,
            )
        )  # fmt: skip
        at += len(use)
    return found


def static_judge(bundle: Bundle, subject: Subject) -> BundleJudge:
    """The model, whose promise is for windows as they are judged, not as they overlapped when it was calibrated."""
    judge = BundleJudge(bundle, subject)
    judge.wanted = EVENTS
    return judge


class NodeJudge:
    """Model and learner as core/judge.c joins them: an alarm stands where either says so, the score is the higher of
    both, and the learner learns nothing from a window that the model calls anomalous.
    """

    def __init__(self, bundle: Bundle, subject: Subject) -> None:
        self._model = static_judge(bundle, subject)
        self._subject = subject
        self._learner: Learner | None = None
        self.wanted = self._model.wanted + EVENTS

    def commission(self, rows: Seen) -> None:
        """Both begin anew, the learner from what the model lets through. Raises CannotLearn for fewer windows than a
        learner takes.
        """
        subject = self._subject
        if subject.feature_set is None:
            raise CannotLearn("a node's learner is for features, not for values")
        try:
            self._learner = Learner(
                subject.feature_set, len(subject.channels), windows=len(rows), events_ppb=round(1e9 * EVENTS)
            )
        except LearnerRefused as error:
            self._learner = None
            raise CannotLearn(f"{len(rows)} rows: {error}") from error
        self._model.commission(rows)
        self.judge(rows)
        self._model.commission(rows)  # what stood while it was commissioned is over

    def judge(self, rows: Seen) -> Judged:
        """Until the learner has learned the model judges alone."""
        model = self._model.judge(rows)
        score, alarm = model.score.copy(), model.alarm.copy()
        for row, (x, anomalous) in enumerate(zip(rows.x, model.score > 1, strict=True)):
            error, latched = self._next([int(f) for f in x], bool(anomalous))
            score[row], alarm[row] = np.fmax(score[row], error), alarm[row] or latched
        return Judged(score, alarm)

    def _next(self, features: list[int], anomalous: bool) -> tuple[float, bool]:
        if self._learner is None:
            return np.nan, False
        try:
            verdict = self._learner.detect(features)
        except LearnerRefused as error:
            if error.reply is Reply.NOT_NOW and not anomalous:
                self._learner.learn(features)
            return np.nan, False
        return verdict.error / max(verdict.threshold, 1), verdict.latched


def makers(static: Static | None) -> dict[str, Callable[[Subject], Judge]]:
    """How each path begins, by name. Without a model the two that need one are not there."""
    alone: dict[str, Callable[[Subject], Judge]] = {LEARNER: NodeLearnerJudge, PLACE: PlaceJudge}
    if static is None:
        return alone
    bundle = static.bundle
    found: dict[str, Callable[[Subject], Judge]] = {
        STATIC: lambda subject: static_judge(bundle, subject),
        BOTH: lambda subject: NodeJudge(bundle, subject),
        **alone,
    }
    return {path: found[path] for path in PATHS}


def macs(static: Static) -> int:
    """Multiplications of one inference."""
    return sum(int(layer.weights.size) for layer in static.float_network.layers)


def sizes(static: Static) -> tuple[int, ...]:
    """Of the layers, from the input on."""
    layers = static.float_network.layers
    return (layers[0].weights.shape[1], *(layer.weights.shape[0] for layer in layers))


def memory_size(static: Static) -> int:
    """Bytes that the engine asks for beside the file."""
    return direct.Network(static.bundle.model).memory_size
