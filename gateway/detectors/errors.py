"""The error of a window from what a node's network gives for it, by kind of model (nodes/wire/SPEC.md, "Score").

Whole numbers: the node's own arithmetic, to the bit.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
ModelKind = Literal["autoencoder", "classifier"]
Known = int | Ints | None
"""The class that windows are known to belong to: one for all, or one each [batch]; None: it is not known, and the last
output is that of what is none of the classes."""

_SUREST = 255  # how far apart two int8 outputs can be


def highest_threshold(kind: ModelKind) -> int:
    """The highest threshold that an error can still be above."""
    return 2**32 - 1 if kind == "autoencoder" else 2 * _SUREST - 1


def of(kind: ModelKind, inputs: Ints, outputs: Ints, known: Known = None) -> Ints:
    """Errors [batch] of int8 inputs [batch, features] and outputs [batch, outputs], both held in int64."""
    return reconstruction(inputs, outputs) if kind == "autoencoder" else confidence(outputs, known)


def reconstruction(inputs: Ints, outputs: Ints) -> Ints:
    """An autoencoder's: how far its outputs are from its inputs."""
    found: Ints = np.sum((inputs - outputs) ** 2, axis=1, dtype=np.int64)
    return found


def confidence(outputs: Ints, known: Known = None) -> Ints:
    """A classifier's: by how little the class stands out, 0 to 510. IndexError for a class that there is none of."""
    return margin_of(margin(outputs, known))


def margin_of(error: Ints) -> Ints:
    """The margin of a classifier's error in output steps, and the error of a margin: one is 255 less the other."""
    found: Ints = _SUREST - error
    return found


def millionths(margins: NDArray[Any]) -> NDArray[np.float64]:
    """A classifier's value on the gateway, of margins in the units of its outputs: ln(1 + e^−margin) in millionths. Of
    logits that is how surprising the class is beside its rival; it falls as the margin rises, for any outputs.
    """
    found: NDArray[np.float64] = 1e6 * np.logaddexp(0.0, -margins.astype(np.float64))
    return found


def margin(outputs: NDArray[Any], known: Known = None) -> NDArray[Any]:
    """How far the output of the known class is above the highest of the others; or, where none is known, the highest of
    all but the last above the last, which stands for what is none of them [batch].
    """
    rows = np.arange(len(outputs))
    apart = np.broadcast_to(outputs.shape[1] - 1 if known is None else known, len(outputs))
    others = np.ones(outputs.shape, np.bool_)
    others[rows, apart] = False
    highest = outputs[others].reshape(len(outputs), -1).max(axis=1)
    ahead: NDArray[Any] = outputs[rows, apart] - highest
    return -ahead if known is None else ahead
