"""What a node's Bundle would say about recorded samples: windows, verdicts, false alarms and misses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.bundle import Bundle
from gateway.detectors.feature_sets import STATISTICS
from gateway.training import reference_int8, tflite_file
from gateway.training.features import Samples, compute_all, sensor_fault

Features = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A labelled stretch of a recording, in samples from its start; `fault` is "" while the machine is normal."""

    start: int
    end: int
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Windows that lie wholly in one kind of interval, how many of them were judged wrongly, and those left out:
    `mixed` touch a change of label, in `sensor_faults` the sensor itself was stuck or saturated.
    """

    normal: int
    false_alarms: int
    faulty: int
    missed: int
    mixed: int
    sensor_faults: int


def windows(samples: Samples, length: int, hop: int, feature_set: int = STATISTICS) -> Features:
    """Features [n, features] of the windows of `length` samples that start every `hop` samples. ValueError if not even
    one fits in.
    """
    if len(samples) < length:
        raise ValueError(f"{len(samples)} samples are less than one window of {length}")
    all_of_them = np.lib.stride_tricks.sliding_window_view(samples, length, axis=0)[::hop]
    return compute_all(feature_set, np.swapaxes(all_of_them, 1, 2)).astype(np.int64)


def outcome(bundle: Bundle, samples: Samples, labels: Sequence[Interval], hop: int) -> Outcome:
    """Judge a recording exactly as a node with this Bundle would that looks every `hop` samples."""
    manifest = bundle.manifest
    if manifest.node is None:
        raise ValueError(f"{bundle.name} is not a node's bundle")
    faulty = _fault_per_sample(len(samples), labels)
    length = manifest.samples
    starts = range(0, len(samples) - length + 1, hop)
    share = np.array([faulty[at : at + length].mean() for at in starts])
    broken = np.array([sensor_fault(manifest.feature_set, samples[at : at + length]) != 0 for at in starts])
    network = tflite_file.read(bundle.model)
    features = windows(samples, length, hop, manifest.feature_set)
    errors = reference_int8.errors(network, manifest.scaling, features, manifest.kind, manifest.known)
    anomalous = errors > manifest.node.threshold
    normal, fault = ~broken & (share == 0.0), ~broken & (share == 1.0)
    return Outcome(
        normal=int(normal.sum()),
        false_alarms=int((normal & anomalous).sum()),
        faulty=int(fault.sum()),
        missed=int((fault & ~anomalous).sum()),
        mixed=int((~broken & (share > 0.0) & (share < 1.0)).sum()),
        sensor_faults=int(broken.sum()),
    )


def _fault_per_sample(samples: int, labels: Sequence[Interval]) -> NDArray[np.bool_]:
    faulty = np.zeros(samples, dtype=np.bool_)
    for interval in labels:
        faulty[interval.start : interval.end] = bool(interval.fault)
    return faulty
