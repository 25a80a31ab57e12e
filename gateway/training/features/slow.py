"""Feature set 3, for what changes slowly (temperature, humidity): the Python reference of `nodes/wire/SPEC.md`.

Level, slope and spread; the time of day is context to these, and no feature.
"""

from __future__ import annotations

import numpy as np

from gateway.training.features.fixed import Integers


def slow(windows: Integers) -> Integers:
    """`windows` has shape (windows, n, channels), n in 4..4096; the result (windows, 3 * channels) is in sixteenths
    of the sample unit.
    """
    count, n, channels = windows.shape
    found = np.stack([_level(windows, n // 4), _slope(windows), _spread(windows)], axis=2)
    return found.reshape(count, 3 * channels)


def _level(windows: Integers, last: int) -> Integers:
    return np.asarray((16 * windows[:, -last:].sum(axis=1) + last // 2) // last)


def _slope(windows: Integers) -> Integers:
    """How far the straight line of least squares rises in n samples."""
    n = windows.shape[1]
    moment = np.einsum("n,wnc->wc", 2 * np.arange(n) - n + 1, windows)
    return np.asarray(np.sign(moment) * (96 * np.abs(moment) // (n**2 - 1)))


def _spread(windows: Integers) -> Integers:
    """Between the quartiles: what a single odd reading does not move."""
    n = windows.shape[1]
    ranked = np.sort(windows, axis=1)
    return np.asarray(16 * (ranked[:, n - 1 - n // 4] - ranked[:, n // 4]))
