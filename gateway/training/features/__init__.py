"""Features of one window of samples: the Python reference of `nodes/wire/SPEC.md`, "Feature sets" and "Why".

Integers throughout, so that C, MicroPython and Python agree to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from gateway.detectors.feature_sets import INVARIANT, PRINCIPAL, SLOW, STATISTICS
from gateway.training.features.fixed import Integers, root
from gateway.training.features.invariant import invariant as _invariant
from gateway.training.features.principal import principal as _principal
from gateway.training.features.slow import slow as _slow

STUCK = 4  # "why" codes of the sensor faults that samples can show
SATURATED = 5

Samples = npt.NDArray[np.int16]
Features = npt.NDArray[np.int32]


def compute(feature_set: int, samples: Samples) -> Features:
    """The features (features,) of one window `samples` (n, channels), n in 32..1024. KeyError for an unknown set."""
    return np.asarray(compute_all(feature_set, samples[None])[0])


def compute_all(feature_set: int, windows: npt.NDArray[np.int16]) -> Features:
    """The features (windows, features) of windows (windows, n, channels) of one length. KeyError for an unknown set."""
    wanted = _SETS[feature_set]
    if len(windows):
        _checked(windows[0])
    starts = range(0, max(len(windows), 1), _AT_ONCE)
    return np.concatenate([wanted(windows[i : i + _AT_ONCE].astype(np.int64)) for i in starts]).astype(np.int32)


def statistics(samples: Samples) -> Features:
    """Feature set 1: mean, standard deviation and peak-to-peak of each channel in turn.

    `samples` has shape (n, channels), n in 1..4096, in the sensor's unit; the result has shape (3 * channels,), in
    sixteenths of that unit.
    """
    return compute(STATISTICS, _checked(samples))


def sensor_fault(feature_set: int, samples: Samples) -> int:
    """0, or the "why" code of the sensor fault that `samples` (n, channels) show; stuck goes before saturated. Slow
    readings may stand still.
    """
    x = _checked(samples)
    if feature_set != SLOW and np.any(np.all(x == x[0], axis=0)):
        return STUCK
    at_limit = np.count_nonzero((x == 32767) | (x == -32768), axis=0)
    return SATURATED if np.any(32 * at_limit >= x.shape[0]) else 0


def _statistics(x: Integers) -> Integers:
    n = x.shape[1]
    total = x.sum(axis=1)
    mean = (16 * total + n // 2) // n
    deviation = root(256 * (n * (x * x).sum(axis=1) - total * total) // n**2)
    peak_to_peak = 16 * (x.max(axis=1) - x.min(axis=1))
    return np.stack([mean, deviation, peak_to_peak], axis=2).reshape(len(x), 3 * x.shape[2])


_AT_ONCE = 256  # windows, which bounds the memory
_SETS: dict[int, Callable[[Integers], Integers]] = {
    STATISTICS: _statistics,
    INVARIANT: _invariant,
    SLOW: _slow,
    PRINCIPAL: _principal,
}


def _checked(samples: Samples) -> Samples:
    if samples.dtype != np.int16 or samples.ndim != 2 or not 1 <= samples.shape[0] <= 4096 or samples.shape[1] < 1:
        raise ValueError(f"not a window of 16-bit samples: shape {samples.shape}, {samples.dtype}")
    return samples
