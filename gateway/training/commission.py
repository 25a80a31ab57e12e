"""From normal windows to a node's and a gateway's Bundle: standardise, train, quantise, calibrate, check, write."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway import __version__
from gateway.detectors.bundle import (
    IMAGE,
    MODEL,
    Bundle,
    DataSource,
    Manifest,
    NodePart,
    Provenance,
    Quality,
    ScalingRow,
)
from gateway.detectors.feature_sets import STATISTICS, Kind, kinds
from gateway.detectors.litert import LiteRtDetector
from gateway.detectors.scaling import quantise as to_int8
from gateway.detectors.scaling import standardise
from gateway.training import autoencoder, bundle_writer, quantise, reference_int8, tflite_file
from gateway.training.autoencoder import Progress
from gateway.training.bundle_writer import SelfTest
from gateway.training.threshold import Threshold, threshold

Features = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a Bundle is for. `left_out` are features that the model is not to see; `rate` is the wanted share of false
    alarms among normal windows.
    """

    name: str
    channels: int
    samples: int
    created_from: str
    left_out: frozenset[int] = frozenset()
    rate: float = 0.001
    seed: int = 1
    generation: int = 1
    feature_set: int = STATISTICS


@dataclass(frozen=True)
class Normal:
    """Windows of features [n, features] taken to be normal, in three parts that share no recording or time: `fit`
    trains the model, `calibrate` gives the threshold, `check` is touched by neither and gives the achieved rate.
    """

    fit: Features
    calibrate: Features
    check: Features
    sources: tuple[DataSource, ...] = field(default=())


def level_features(channels: int, feature_set: int = STATISTICS) -> frozenset[int]:
    """The means and levels of a set: on an accelerometer they tell how the sensor lies, not how the machine runs."""
    return frozenset(i for i, kind in enumerate(kinds(feature_set, channels)) if kind is Kind.LEVEL)


def node_bundle(folder: Path, purpose: Purpose, normal: Normal, progress: Progress | None = None) -> Bundle:
    """An int8 autoencoder with all that a node needs; its threshold is calibrated on the node's own arithmetic."""
    float_scaling = quantise.standardisation(normal.fit, purpose.left_out)
    windows = standardise(float_scaling, normal.fit)
    sizes = autoencoder.node_sizes(windows.shape[1])
    network = quantise.quantise(autoencoder.train(windows, sizes, purpose.seed, progress), windows)
    assert network.input is not None
    step = network.input.scale
    scaling = quantise.in_steps(float_scaling, step)
    limit = threshold(reference_int8.errors(network, scaling, normal.calibrate).tolist(), purpose.rate)
    found = reference_int8.errors(network, scaling, normal.check)
    manifest = _manifest(
        purpose,
        normal,
        scaling=tuple(scaling),
        threshold=round(1e6 * limit.value * step**2 / windows.shape[1]),
        node=NodePart(generation=purpose.generation, threshold=limit.value),
        quality=_quality(purpose, normal, limit, int(np.sum(found > limit.value))),
    )
    example = normal.fit[:1]
    error = int(reference_int8.errors(network, scaling, example)[0])
    outputs = reference_int8.infer(network, to_int8(scaling, example, network.input.zero_point))[0]
    self_test = SelfTest([int(f) for f in example[0]], error, outputs.astype(np.int8).tobytes())
    return bundle_writer.write(folder, manifest, tflite_file.write(network), self_test)


def host_bundle(folder: Path, purpose: Purpose, normal: Normal, progress: Progress | None = None) -> Bundle:
    """A wider float32 autoencoder, calibrated on the detector that will run it."""
    scaling = quantise.standardisation(normal.fit, purpose.left_out)
    windows = standardise(scaling, normal.fit)
    network = autoencoder.train(windows, autoencoder.host_sizes(windows.shape[1]), purpose.seed, progress)
    model = tflite_file.write(network)
    unknown = Threshold(0, extrapolated=True)
    manifest = _manifest(
        purpose,
        normal,
        scaling=tuple(scaling),
        threshold=unknown.value,
        node=None,
        quality=_quality(purpose, normal, unknown, 0),
    )
    detector = LiteRtDetector(Bundle(folder, manifest, model))
    limit = threshold(detector.score(normal.calibrate.tolist()), purpose.rate)
    alarms = sum(value > limit.value for value in detector.score(normal.check.tolist()))
    quality = _quality(purpose, normal, limit, alarms)
    manifest = manifest.model_copy(update={"threshold": limit.value, "quality": quality})
    return bundle_writer.write(folder, manifest, model, None)


def _manifest(
    purpose: Purpose,
    normal: Normal,
    *,
    scaling: tuple[ScalingRow, ...],
    threshold: int,
    node: NodePart | None,
    quality: Quality,
) -> Manifest:
    files = (MODEL,) if node is None else (MODEL, IMAGE)
    return Manifest(
        version=1,
        name=purpose.name,
        role="host" if node is None else "node",
        detector="litert",
        feature_set=purpose.feature_set,
        channels=purpose.channels,
        samples=purpose.samples,
        scaling=scaling,
        threshold=threshold,
        node=node,
        quality=quality,
        provenance=Provenance(
            data=normal.sources, code_version=__version__, seed=purpose.seed, created_from=purpose.created_from
        ),
        licence="Apache-2.0",
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
