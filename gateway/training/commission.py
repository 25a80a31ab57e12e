"""From normal windows to a node's and a gateway's Bundle: standardise, train, quantise, calibrate, check, write."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gateway import __version__
from gateway.detectors import errors, feature_sets
from gateway.detectors.bundle import Bundle
from gateway.detectors.errors import ModelKind
from gateway.detectors.feature_sets import STATISTICS
from gateway.detectors.litert import LiteRtDetector
from gateway.detectors.manifest import (
    IMAGE,
    MODEL,
    VERSION,
    Channel,
    DataSource,
    Manifest,
    NodePart,
    Provenance,
    Quality,
    ScalingRow,
)
from gateway.detectors.scaling import Scaling, standardise
from gateway.detectors.scaling import quantise as to_int8
from gateway.training import autoencoder, bundle_writer, classifier, kmeans, quantise, reference_int8, tflite_file
from gateway.training.bundle_writer import SelfTest
from gateway.training.classifier import Labels
from gateway.training.dense import Progress, Unsuitable, check_windows
from gateway.training.prune import Lesson, prune
from gateway.training.tflite_file import Network
from gateway.training.threshold import Law, Threshold, threshold

Features = NDArray[np.int64]

_LEAST_FIT = 24  # windows: as few as a node itself learns from (wire.cddl, `learner-image`)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a Bundle is for. `left_out` are features that the model is not to see; `rate` is the wanted share of false
    alarms among normal windows; `architecture` names an autoencoder's sizes on a node (`autoencoder.ARCHITECTURES`);
    `pruned` is the share of the weights of a node's model that become 0; `licence` is the model's.
    """

    name: str
    channels: tuple[Channel, ...]
    samples: int
    rate_millihz: int
    created_from: str
    left_out: frozenset[int] = frozenset()
    rate: float = 0.001
    seed: int = 1
    generation: int = 1
    feature_set: int = STATISTICS
    architecture: str = "node"
    pruned: float = 0.0
    licence: str = "Apache-2.0"


@dataclass(frozen=True)
class Normal:
    """Windows of features [n, features] taken to be normal, in three parts that share no recording or time: `fit`
    trains the model, `calibrate` gives the threshold, `check` is touched by neither and gives the achieved rate.
    """

    fit: Features
    calibrate: Features
    check: Features
    sources: tuple[DataSource, ...] = field(default=())

    def check_fit(self, left_out: frozenset[int]) -> None:
        """Raises Unsuitable: too few windows to learn from or to check on, or a feature that never changes, which
        nothing can be learned about, is not left out.
        """
        if len(self.fit) < _LEAST_FIT:
            raise Unsuitable(
                f"{len(self.fit)} windows to learn from, where {_LEAST_FIT} are the least: commission_s of the runs "
                "says how much of them is normal"
            )
        check_windows(self.fit, self.fit.shape[-1], _LEAST_FIT)
        if not len(self.check):
            raise Unsuitable("there are no windows to check the threshold on")
        still = sorted(constant_features(self.fit) - left_out)
        if still:
            value = self.fit[0, still[0]]
            raise Unsuitable(
                f"feature {still[0]} is {value} in all {len(self.fit)} windows: look at the sensor, or leave it out"
            )


@dataclass(frozen=True)
class Classes:
    """The normal conditions (machines, speeds, regimes) that the windows of the parts of a Normal belong to, as numbers
    of `names`. `known` is the one that the node's own windows are known to belong to; None: any of them.
    """

    names: tuple[str, ...]
    fit: Labels
    calibrate: Labels
    check: Labels
    known: int | None = None

    def own(self, normal: Normal) -> Normal:
        """The windows that the threshold is about: where the class is known, those of that class."""
        if self.known is None:
            return normal
        parts = {
            "calibrate": normal.calibrate[self.calibrate == self.known],
            "check": normal.check[self.check == self.known],
        }
        for part, windows in parts.items():
            if not len(windows):
                raise Unsuitable(f"no windows of class {self.names[self.known]!r} to {part} the threshold on")
        return replace(normal, **parts)


def level_features(channels: int, feature_set: int = STATISTICS) -> frozenset[int]:
    """The means and levels of a set: on an accelerometer they tell how the sensor lies, not how the machine runs."""
    return frozenset(
        i for i, kind in enumerate(feature_sets.kinds(feature_set, channels)) if kind is feature_sets.Kind.LEVEL
    )


def constant_features(features: Features) -> frozenset[int]:
    """Those that are the same in all windows."""
    return frozenset(np.flatnonzero(np.ptp(features, axis=0) == 0).tolist())


def regimes(normal: Normal, purpose: Purpose, clusters: int | None = None) -> Classes:
    """Classes that nobody has named: k-means clusters of the windows that train the model; those of the other parts
    belong to the nearest. `clusters`: how many; None: as many as stand apart. Raises Unsuitable.
    """
    normal.check_fit(purpose.left_out)
    scaling = quantise.standardisation(normal.fit, purpose.left_out)
    found = kmeans.regimes(standardise(scaling, normal.fit), purpose.seed, clusters)
    calibrate, check = (found.nearest(standardise(scaling, part)) for part in (normal.calibrate, normal.check))
    return Classes(found.names, found.labels, calibrate, check)


def node_bundle(
    folder: Path, purpose: Purpose, normal: Normal, progress: Progress | None = None, classes: Classes | None = None
) -> Bundle:
    """An int8 autoencoder, or of classes a classifier, with all that a node needs; its threshold is calibrated on the
    node's own arithmetic. Raises Unsuitable for windows that cannot be learned from.
    """
    normal.check_fit(purpose.left_out)
    kind: ModelKind = "autoencoder" if classes is None else "classifier"
    float_scaling = quantise.standardisation(normal.fit, purpose.left_out)
    trained = _trained(purpose, normal, float_scaling, classes, "node", progress)
    network, scaling = _int8(trained, purpose, normal, float_scaling, classes)
    assert network.input is not None
    known = None if classes is None else classes.known
    own = normal if classes is None else classes.own(normal)

    def found(windows: Features) -> Features:
        return reference_int8.errors(network, scaling, windows, kind, known)

    limit = threshold(found(own.calibrate).tolist(), purpose.rate, "squares" if classes is None else "margins")
    limit = replace(limit, value=min(limit.value, errors.highest_threshold(kind)))
    manifest = _manifest(
        purpose,
        own,
        classes,
        scaling=tuple(scaling),
        threshold=_on_host(network, kind, limit.value),
        node=NodePart(generation=purpose.generation, threshold=limit.value),
        quality=_quality(purpose, own, limit, int(np.sum(found(own.check) > limit.value))),
    )
    example = normal.fit[:1]
    outputs = reference_int8.infer(network, to_int8(scaling, example, network.input.zero_point))[0]
    self_test = SelfTest([int(f) for f in example[0]], int(found(example)[0]), outputs.astype(np.int8).tobytes())
    return bundle_writer.write(folder, manifest, tflite_file.write(network), self_test)


def host_bundle(
    folder: Path, purpose: Purpose, normal: Normal, progress: Progress | None = None, classes: Classes | None = None
) -> Bundle:
    """A wider float32 autoencoder, or of classes an int8 classifier, calibrated on the detector that will run it. What
    a classifier has learned of strangers ends where an int8 input does: beyond that a float one would be sure again.

    Raises Unsuitable for windows that cannot be learned from.
    """
    normal.check_fit(purpose.left_out)
    scaling = quantise.standardisation(normal.fit, purpose.left_out)
    network = _trained(purpose, normal, scaling, classes, "host", progress)
    if classes is not None:
        network, scaling = _int8(network, purpose, normal, scaling, classes)
    model = tflite_file.write(network)
    own = normal if classes is None else classes.own(normal)
    unknown = Threshold(0, extrapolated=True)
    manifest = _manifest(
        purpose,
        own,
        classes,
        scaling=tuple(scaling),
        threshold=unknown.value,
        node=None,
        quality=_quality(purpose, own, unknown, 0),
    )
    detector = LiteRtDetector(Bundle(folder, manifest, model))
    law: Law = "squares" if classes is None else "odds"
    limit = threshold(detector.score(own.calibrate.tolist()), purpose.rate, law)
    alarms = sum(value > limit.value for value in detector.score(own.check.tolist()))
    quality = _quality(purpose, own, limit, alarms)
    manifest = manifest.model_copy(update={"threshold": limit.value, "quality": quality})
    return bundle_writer.write(folder, manifest, model, None)


def _trained(
    purpose: Purpose,
    normal: Normal,
    scaling: Scaling,
    classes: Classes | None,
    role: Literal["node", "host"],
    progress: Progress | None,
) -> Network:
    """The float network."""
    windows, held_out = (standardise(scaling, part) for part in (normal.fit, normal.calibrate))
    features = windows.shape[1]
    if classes is None:
        sizes = autoencoder.ARCHITECTURES[purpose.architecture if role == "node" else role](features)
        network = autoencoder.train(windows, sizes, purpose.seed, progress)
        lesson = Lesson(windows, windows, held_out, held_out, autoencoder.squared_error)
    else:
        sizes = classifier.ARCHITECTURES[role](features, len(classes.names))
        network = classifier.train(windows, classes.fit, classes.names, sizes, purpose.seed, progress)
        given = classifier.examples(windows, classes.fit, len(classes.names), purpose.seed)
        wanted = classifier.targets(classes.calibrate, len(classes.names))
        lesson = Lesson(*given, held_out, wanted, classifier.cross_entropy)
    if role == "host" or not purpose.pruned:
        return network
    return prune(network, lesson, purpose.pruned, purpose.seed, progress).network


def _int8(
    trained: Network, purpose: Purpose, normal: Normal, scaling: list[ScalingRow], classes: Classes | None
) -> tuple[Network, list[ScalingRow]]:
    """The int8 network, and the scaling in steps of its input."""
    fit, held_out = (standardise(scaling, part) for part in (normal.fit, normal.calibrate))
    kind: ModelKind = "autoencoder" if classes is None else "classifier"
    strange = None if classes is None else classifier.strangers(fit, classes.fit, purpose.seed)
    network = quantise.best(trained, fit, held_out, kind, strange).network
    assert network.input is not None
    return network, quantise.in_steps(scaling, network.input.scale)


def _on_host(network: Network, kind: ModelKind, limit: int) -> int:
    """A node's threshold as the gateway counts (gateway/detectors/litert.py)."""
    last = network.layers[-1]
    assert last.output is not None
    if kind == "autoencoder":
        return round(1e6 * limit * last.output.scale**2 / len(last.bias))
    margins = errors.margin_of(np.array([limit])) * last.output.scale
    return round(errors.millionths(margins).item())


def _manifest(
    purpose: Purpose,
    normal: Normal,
    classes: Classes | None,
    *,
    scaling: tuple[ScalingRow, ...],
    threshold: int,
    node: NodePart | None,
    quality: Quality,
) -> Manifest:
    files = (MODEL,) if node is None else (MODEL, IMAGE)
    return Manifest(
        version=VERSION,
        name=purpose.name,
        role="host" if node is None else "node",
        kind="autoencoder" if classes is None else "classifier",
        classes=() if classes is None else (*classes.names, classifier.NONE),
        known=None if classes is None else classes.known,
        detector="litert",
        feature_set=purpose.feature_set,
        channels=purpose.channels,
        samples=purpose.samples,
        rate_millihz=purpose.rate_millihz,
        scaling=scaling,
        threshold=threshold,
        node=node,
        quality=quality,
        provenance=Provenance(
            data=normal.sources, code_version=__version__, seed=purpose.seed, created_from=purpose.created_from
        ),
        licence=purpose.licence,
        files=dict.fromkeys(files, "0" * 64),
    )


def _quality(purpose: Purpose, normal: Normal, limit: Threshold, alarms: int) -> Quality:
    return Quality(
        wanted_ppm=round(1e6 * purpose.rate),
        achieved_ppm=round(1e6 * alarms / len(normal.check)),
        false_alarms=alarms,
        windows=len(normal.check),
        calibration_windows=len(normal.calibrate),
        extrapolated=limit.extrapolated,
    )
