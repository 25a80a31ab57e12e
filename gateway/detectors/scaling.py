"""Features to the inputs of a model: one integer form for the node's int8 models and the gateway's float ones.

A row is (offset, multiplier, shift): the standardised feature is (f − offset) · multiplier / 2^shift, in steps of the
model's input scale where the model is int8. A multiplier of 0 keeps a feature out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Scaling = Sequence[tuple[int, int, int]]


def quantise(scaling: Scaling, features: NDArray[np.int64], zero_point: int) -> NDArray[np.int64]:
    """int8 inputs [batch, n] (held in int64) of features [batch, n], as nodes/wire/SPEC.md ("Score") defines them."""
    offset, multiplier, shift = np.array(scaling, dtype=np.int64).T
    steps = ((features - offset) * multiplier + (np.int64(1) << (shift - 1))) >> shift
    clipped: NDArray[np.int64] = np.clip(zero_point + steps, -128, 127)
    return clipped


def standardise(scaling: Scaling, features: NDArray[np.int64]) -> NDArray[np.float64]:
    """Standardised features [batch, n], not rounded."""
    offset, multiplier, shift = np.array(scaling, dtype=np.int64).T
    standardised: NDArray[np.float64] = (features - offset) * np.ldexp(multiplier.astype(np.float64), -shift)
    return standardised
