"""Energies along the principal directions of a vibration and of its change, for whoever has the raw samples.

Of each sensor with three axes, for its samples less their mean and for the differences of neighbouring ones: half the
binary logarithms of the eigenvalues of the covariance, the largest first. Six numbers, which no mounting changes.
Differences weigh high frequencies by their square, so that the six together are a spectrum in two bands with
directions. Levels are not in it. A rate gyroscope on a shaft and gravity that leaks into an accelerometer fill the
first one or two directions only, and leave the others to what matters.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

AXES = 3
ROUNDING = 1 / 12
"""Variance of a sample for having been rounded to a whole step."""


def principal(windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float64]:
    """`windows` (windows, n, channels), n at least 3; the result (windows, 2 * channels) is in octaves of a step.

    Three channels at a time are one sensor: its features are its energies, then those of its change.
    """
    x = windows.astype(np.float64)
    groups = [x[:, :, first : first + AXES] for first in range(0, x.shape[2], AXES)]
    return np.concatenate([_energies(part) for group in groups for part in (group, np.diff(group, axis=1))], axis=1)


def names(channels: int) -> tuple[str, ...]:
    """What each feature is called, for so many channels."""
    found: list[str] = []
    for first in range(0, channels, AXES):
        axes, sensor = min(AXES, channels - first), first // AXES + 1
        found += [f"{what} {axis} of sensor {sensor}" for what in ("energy", "change") for axis in range(1, axes + 1)]
    return tuple(found)


def _energies(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    x = x - x.mean(axis=1, keepdims=True)
    values = np.linalg.eigvalsh(np.einsum("wna,wnb->wab", x, x) / x.shape[1])[:, ::-1]
    return np.asarray(np.log2(np.maximum(values, 0) + ROUNDING) / 2)
