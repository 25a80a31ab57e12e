"""What is normal at a place: chunk random effects with full covariances, and how far a row is from that.

A learning period in chunks gives the mean, W (covariance inside chunks) and B (covariance of the chunks' means): the
random-effects model of Searle, Casella and McCulloch, "Variance Components" (1992), with matrices. A row that is new
comes of a chunk that is new as well, so it is measured against W + 4 B.

Rows are whitened by ZCA-cor (Kessy, Lewin and Strimmer, The American Statistician 72 (2018) 309), the whitening whose
components stay closest to the features; it has no directions to choose where eigenvalues are equal, as they are where
B is zero. B is known from seven differences only, and W from hundreds: so each component is a Student's t, of as many
degrees of freedom as are behind its own mixture of the two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CHUNKS = 8
BETWEEN = 4.0
"""How much wider than seen in eight chunks the chunks to come may lie: four times in variance, twice in spread."""
STILL, AT_ZERO = 0.02, 1e-3
"""Of a feature that never changed nothing tells how much is little: so much of its value, and no less than the second,
is one step. What moves by several is news; a last digit that flickers is none."""
RANK = 1e-9
"""Least eigenvalue of a correlation matrix: below it features that say the same would count as measurements."""


class Stuck(ValueError):  # noqa: N818 - says what the channels are
    """None of the features changed while they were learned: a sensor that is dead. `features` has their numbers."""

    def __init__(self, features: Sequence[int], names: Sequence[str] = ()) -> None:
        said = ", ".join(names[feature] if names else str(feature) for feature in features)
        super().__init__(f"never changed while learning: {said}")
        self.features = tuple(features)


class TooFew(ValueError):  # noqa: N818 - says what the rows are
    """Fewer rows than two in each chunk, or fewer chunks than two."""


@dataclass(frozen=True)
class Normal:
    """Mean [p], `within` [p, p] and `between` [p, p]; as if learned from `rows` rows in `chunks` chunks."""

    mean: Floats
    within: Floats
    between: Floats
    rows: float
    chunks: float = CHUNKS

    def at(self, context: Floats | None = None) -> Normal:
        """What is normal in that context [c]: here the same in all."""
        return self

    def moved(self, mean: Floats, wider: float = 1.0) -> Normal:
        """About another mean [p], `wider` times in variance; what was worked out of the widths is kept."""
        other = replace(self, mean=mean, within=self.within * wider, between=self.between * wider)
        other.__dict__.update({"whitening": self.whitening / np.sqrt(wider), "freedom": self.freedom})
        return other

    def plain(self) -> dict[str, object]:
        """Its fields, for `place_state`."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @cached_property
    def whitening(self) -> Floats:
        """Z [p, p]: distances @ Z have the variance 1 and no correlation under W + 4 B."""
        total = self.within + BETWEEN * self.between
        scale = np.sqrt(np.diag(total))
        values, vectors = np.linalg.eigh(total / np.outer(scale, scale))
        return np.asarray((vectors / np.sqrt(np.maximum(values, RANK))) @ vectors.T / scale[:, None])

    @cached_property
    def freedom(self) -> Floats:
        """Degrees of freedom of each component [p], after Satterthwaite, Biometrics Bulletin 2 (1946) 110."""
        share = np.einsum("ij,ik,kj->j", self.whitening, self.within, self.whitening).clip(0, 1)
        within, between = max(self.rows - self.chunks, 1), max(self.chunks - 1, 1)
        return np.asarray(1 / (share**2 / within + (1 - share) ** 2 / between))

    @cached_property
    def precision(self) -> Floats:
        """Inverse of W + 4 B [p, p]."""
        return np.asarray(self.whitening @ self.whitening.T)

    def surprise(self, away: Floats) -> Floats:
        """Of distances from the mean [..., p]: what each component has to do with it [..., p], about 1 each.

        (ν + 1) ln(1 + t²/ν), the log likelihood of Student's t: what is known little of cannot drown the rest.
        """
        white = away @ self.whitening
        return np.asarray((self.freedom + 1) * np.log1p(white * white / self.freedom))

    def error(self, away: Floats) -> Floats:
        """Of distances from the mean [..., p]: [...], about 1 where all is as learned.

        The root of the mean square of the surprises lies between their mean, which a fault of one sensor among many
        hardly moves, and the largest, which misses what all show a little.
        """
        return np.asarray(np.sqrt(np.mean(self.surprise(away) ** 2, axis=-1)))

    def errors(self, rows: Floats) -> Floats:
        """Of rows [n, p]: [n]."""
        return self.error(rows - self.mean)

    def density(self, away: Floats) -> Floats:
        """Of distances from the mean [..., p]: ln of their density [...], each component a Student's t."""
        each = [math.lgamma((n + 1) / 2) - math.lgamma(n / 2) - math.log(n * math.pi) / 2 for n in self.freedom]
        size = float(np.linalg.slogdet(self.whitening)[1])
        return np.asarray(sum(each) + size - self.surprise(away).sum(axis=-1) / 2)


class Known(Protocol):
    """What was learned, whatever the context: `Normal` itself where there is none."""

    def at(self, context: Floats | None = None) -> Normal:
        """What is normal in that context [c]; without one, in the middle of them."""
        ...

    def plain(self) -> dict[str, object]:
        """All of it, for `place_state`: numbers, texts, arrays, and lists and dicts of these."""
        ...


class Fit(Protocol):
    """From chunks of rows to what is normal. Deterministic."""

    def __call__(self, chunks: Sequence[Floats], contexts: Sequence[Floats] | None = None) -> Known:
        """`chunks`: each [n, p]; `contexts`: each [n, c], of the same rows. Raises ValueError for too little."""
        ...


def fit(chunks: Sequence[Floats], contexts: Sequence[Floats] | None = None) -> Normal:
    """The plain one. Raises Stuck and TooFew.

    W is the posterior mean under an inverse Wishart prior about its own diagonal with the weight of p + 1 rows, the
    least that has a mean: so it has an inverse however few the rows are.
    """
    if len(chunks) < 2 or min(map(len, chunks)) < 2:
        raise TooFew(f"{len(chunks)} chunks of {[len(chunk) for chunk in chunks]} rows")
    together = np.concatenate(chunks)
    steps = resolution(together)
    means = np.stack([chunk.mean(axis=0) for chunk in chunks])
    products = sum((chunk - mean).T @ (chunk - mean) for chunk, mean in zip(chunks, means, strict=True))
    freedom, weight = len(together) - len(chunks), len(steps) + 1
    own = np.diag(np.diag(products) / freedom + steps**2 / 12)
    within = (products + weight * own) / (freedom + weight) + np.diag(steps**2 / 12)
    between = np.cov(means.T).reshape(within.shape)
    return Normal(means.mean(axis=0), within, between, len(together), len(chunks))


def resolution(rows: Floats) -> Floats:
    """Of each feature of rows [n, p] the least step that it took [p]: what it is rounded to.

    A value rounded to steps of q has an error of variance q²/12, which no number of rows takes away. Where it never
    changed, q is what STILL and AT_ZERO say. Raises Stuck where none did.
    """
    found = np.empty(rows.shape[1])
    for feature, column in enumerate(rows.T):
        steps = _steps(column)
        found[feature] = steps.min() if len(steps) else max(STILL * float(np.abs(column).max(initial=0.0)), AT_ZERO)
    if len(still(rows)) == len(found):
        raise Stuck(still(rows))
    return found


def still(rows: Floats) -> list[int]:
    """Features of rows [n, p] that never changed."""
    return [feature for feature, column in enumerate(rows.T) if not len(_steps(column))]


def _steps(column: Floats) -> Floats:
    """Between the values of a column [n] in their order: those that are more than rounding of the machine."""
    steps = np.diff(np.unique(column))
    return np.asarray(steps[steps > 1e-9 * np.abs(column).max(initial=0.0)])


def cut(rows: int, chunks: int = CHUNKS) -> list[slice]:
    """Chunks of equal length of so many rows; the oldest rows that do not divide are left out."""
    each = rows // chunks
    first = rows - each * chunks
    return [slice(first + k * each, first + (k + 1) * each) for k in range(chunks)]
