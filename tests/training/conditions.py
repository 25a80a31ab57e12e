"""Windows of a machine that runs in one of three conditions, and of one that runs in none of them."""

from __future__ import annotations

import numpy as np

from gateway.detectors.manifest import DataSource, channels_of
from gateway.training.commission import Classes, Normal, Purpose

NAMES = ("slow", "middle", "fast")
_CENTRES = np.array(
    [[2000, 500, 9000, 4000, 1000, 3000], [2600, 1500, 5000, 4400, 2500, 800], [3500, 400, 2500, 900, 2200, 2400]]
)
PURPOSE = Purpose("conditions", channels_of("mg", "x", "y"), 64, 100_000, "tests")


def drawn(seed: int, count: int, names: tuple[int, ...] = (0, 1, 2)) -> tuple[np.ndarray, np.ndarray]:
    """Features [count, 6] and the condition of each."""
    random = np.random.default_rng(seed)
    labels = random.choice(names, count)
    return np.rint(_CENTRES[labels] + random.normal(0, 120, (count, 6))).astype(np.int64), labels


def strange(seed: int, count: int) -> np.ndarray:
    """In all conditions, but two features are not what belongs to any."""
    return drawn(seed, count)[0] + np.array([0, 1500, 0, 0, -2500, 0])


def parts(known: int | None = None) -> tuple[Normal, Classes]:
    (fit, a), (calibrate, b), (check, c) = drawn(1, 300), drawn(2, 240), drawn(3, 240)
    source = DataSource(description="drawn", sha256="0" * 64)
    return Normal(fit, calibrate, check, (source,)), Classes(NAMES, a, b, c, known)


def standardised(features: np.ndarray) -> np.ndarray:
    fit = drawn(1, 300)[0]
    return (features - fit.mean(axis=0)) / fit.std(axis=0)
