"""From a feature set's whole numbers to what a learner judges: no levels, logarithms of what varies by factors.

As the node's learner has it (nodes/wire/SPEC.md, "Learner"): a level says how a sensor lies, not how the machine runs.
But what a node has relative to another feature, since it judges each alone, is whole here: a gateway's covariances say
what goes with what, and a fleet's prior and a course over speeds describe energies better than their quotients.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gateway.detectors.feature_sets import Kind, kinds, named, relative_to

_PER_OCTAVE = 4096
_FLOOR = 16  # a unit of the sample: below it a logarithm would be all noise


def names(feature_set: int, channels: int | Sequence[str]) -> tuple[str, ...]:
    """Of the columns of `judged`, for channels that have names, or so many that have none."""
    of = kinds(feature_set, channels if isinstance(channels, int) else len(channels))
    every = named(feature_set, channels)
    return tuple(name for name, kind in zip(every, of, strict=True) if kind is not Kind.LEVEL)


def judged(feature_set: int, channels: int, rows: ArrayLike) -> NDArray[np.float64]:
    """Feature rows [n, features] as [n, p], in octaves; what is no logarithm (the slope of a slow sensor) as it is."""
    features = np.asarray(rows, dtype=np.float64)
    columns = []
    whole = relative_to(feature_set, channels)
    for i, kind in enumerate(kinds(feature_set, channels)):
        if kind is Kind.SCALE:
            columns.append(np.log2(np.maximum(features[:, i], 0) + _FLOOR))
        elif kind is Kind.LOG:
            other = features[:, whole[i]] if whole[i] != i else 0.0
            columns.append((features[:, i] + other) / _PER_OCTAVE)
    return np.stack(columns, axis=1)
