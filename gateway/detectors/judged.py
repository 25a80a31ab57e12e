"""From a feature set's whole numbers to what a learner judges: no levels, logarithms of what varies by factors.

As the node's learner has it (nodes/wire/SPEC.md, "Learner"): a level says how a sensor lies, not how the machine runs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gateway.detectors.feature_sets import Kind, kinds

_PER_OCTAVE = 4096
_FLOOR = 16  # a unit of the sample: below it a logarithm would be all noise


def names(feature_set: int, channels: int) -> tuple[str, ...]:
    """Of the columns of `judged`: "f" and the feature's number in the set."""
    return tuple(f"f{i}" for i, kind in enumerate(kinds(feature_set, channels)) if kind is not Kind.LEVEL)


def judged(feature_set: int, channels: int, rows: ArrayLike) -> NDArray[np.float64]:
    """Feature rows [n, features] as [n, p], in octaves; what is no logarithm (the slope of a slow sensor) as it is."""
    features = np.asarray(rows, dtype=np.float64)
    columns = []
    for i, kind in enumerate(kinds(feature_set, channels)):
        if kind is Kind.SCALE:
            columns.append(np.log2(np.maximum(features[:, i], 0) + _FLOOR))
        elif kind is Kind.LOG:
            columns.append(features[:, i] / _PER_OCTAVE)
    return np.stack(columns, axis=1)
