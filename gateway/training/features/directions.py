"""Energies in the principal directions of vectors in space, in integers: `nodes/wire/SPEC.md`, "Feature sets"."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gateway.training.features.fixed import ONE, Integers, bit_length, log2, root

AXES = 3
"""Axes of a group: one sensor that measures in space."""

_TRACE_BITS = 30
_ROOT_FLOOR = 4


def groups(windows: Integers) -> Iterator[Integers]:
    """The sensors, up to three channels each, of windows (windows, n, channels)."""
    for first in range(0, windows.shape[2], AXES):
        yield windows[:, :, first : first + AXES]


def centred(samples: Integers) -> Integers:
    """Samples (windows, n, axes) less their mean, in sixteenths; halves are rounded away from zero."""
    n = samples.shape[1]
    total = samples.sum(axis=1, keepdims=True)
    mean = np.sign(total) * ((16 * np.abs(total) + n // 2) // n)
    return np.asarray(16 * samples - mean)


def directions(x: Integers, floor: int = 0) -> Integers:
    """Half the logarithms (windows, axes) of the mean energies of vectors `x` (windows, n, axes) in their principal
    directions, the largest first: of the eigenvalues of their sums of products, `floor` added, over n.
    """
    axes = x.shape[2]
    products = np.zeros((len(x), AXES, AXES), np.int64)
    products[:, :axes, :axes] = np.einsum("wna,wnb->wab", x, x)
    shift = np.maximum(bit_length(np.trace(products, axis1=1, axis2=2)) - _TRACE_BITS, 0)
    size = np.abs(products) >> shift[:, None, None]
    log_n, least = log2(np.array(x.shape[1])), _ROOT_FLOOR + (floor >> shift)
    found = _roots(np.where(products < 0, -size, size).astype(np.int64))[:axes]
    return np.stack([(log2(r + least) + shift * ONE - log_n) >> 1 for r in found], axis=1)


def _roots(m: Integers) -> list[Integers]:
    """The three eigenvalues, rounded down, of symmetric matrices (windows, 3, 3) whose trace has 30 bits at most."""
    a, b, c = m[:, 0, 0], m[:, 1, 1], m[:, 2, 2]
    ab, ac, bc = m[:, 1, 0], m[:, 2, 0], m[:, 2, 1]
    without_a = b * c - bc * bc
    e1, e2 = a + b + c, without_a + (a * c - ac * ac) + (a * b - ab * ab)
    e3 = _product(without_a, a) - _product(ab * c - bc * ac, ab) + _product(ab * bc - b * ac, ac)
    reach = root(e1 * e1 - 3 * e2)
    first, second = np.maximum(e1 - reach, 0) // 3, (e1 + reach) // 3

    def between(low: Integers, high: Integers, negative: bool) -> Integers:
        high = high + 1
        while np.any(high - low > 1):
            middle = (low + high) // 2
            value = _product(np.asarray((middle - e1) * middle + e2), np.asarray(middle)) - e3
            below = ((value[0] + (value[1] >> 32)) < 0) == negative
            undecided = high - low > 1
            low, high = np.where(undecided & below, middle, low), np.where(undecided & ~below, middle, high)
        return low

    return [between(second, e1, True), between(first, second, False), between(np.zeros_like(first), first, True)]


def _product(x: Integers, factor: Integers) -> Integers:
    """The product, which 64 bits do not hold, as two rows: multiples of 2^32, and of 1."""
    low = (x & 0xFFFFFFFF) * factor
    return np.stack([(x >> 32) * factor + (low >> 32), low & 0xFFFFFFFF])
