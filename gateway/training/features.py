"""Features of one window of samples: the Python reference of `nodes/wire/SPEC.md`, "Feature sets" and "Why".

Integers throughout, so that C, MicroPython and Python agree to the last bit.
"""

from __future__ import annotations

from math import isqrt

import numpy as np
import numpy.typing as npt

STATISTICS = 1  # number of the feature set

STUCK = 4  # "why" codes of the sensor faults that samples can show
SATURATED = 5

Samples = npt.NDArray[np.int16]
Features = npt.NDArray[np.int32]


def statistics(samples: Samples) -> Features:
    """Feature set 1: mean, standard deviation and peak-to-peak of each channel in turn.

    `samples` has shape (n, channels), n in 1..4096, in the sensor's unit; the result has shape (3 * channels,), in
    sixteenths of that unit.
    """
    x = _checked(samples).astype(np.int64)
    n = x.shape[0]
    total = x.sum(axis=0)
    mean = (16 * total + n // 2) // n
    variance_256 = 256 * (n * (x * x).sum(axis=0) - total * total) // n**2
    deviation = [isqrt(int(v)) for v in variance_256]
    peak_to_peak = 16 * (x.max(axis=0) - x.min(axis=0))
    return np.stack([mean, np.array(deviation, np.int64), peak_to_peak], axis=1).reshape(-1).astype(np.int32)


def sensor_fault(samples: Samples) -> int:
    """0, or the "why" code of the sensor fault that `samples` (n, channels) show; stuck goes before saturated."""
    x = _checked(samples)
    if np.any(np.all(x == x[0], axis=0)):
        return STUCK
    at_limit = np.count_nonzero((x == 32767) | (x == -32768), axis=0)
    return SATURATED if np.any(32 * at_limit >= x.shape[0]) else 0


def _checked(samples: Samples) -> Samples:
    if samples.dtype != np.int16 or samples.ndim != 2 or not 1 <= samples.shape[0] <= 4096 or samples.shape[1] < 1:
        raise ValueError(f"not a window of 16-bit samples: shape {samples.shape}, {samples.dtype}")
    return samples
