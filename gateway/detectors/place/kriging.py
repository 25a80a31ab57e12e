"""Between contexts that were learned: universal kriging with a straight trend in every column that is a number.

Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006): 2.7 the trend, 4.2 Matérn with 5/2,
5.4.2 leaving one out in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

import numpy as np

from gateway.detectors.place.normal import Floats

REACHES = (0.08, 0.12, 0.18, 0.27, 0.4, 0.6, 0.9)
"""Of the span of a column: how far a learned context says something about others."""
NUGGETS = (1e-3, 1e-2, 1e-1)
"""Share of the variance between contexts that comes anew at each: what no neighbour foretells."""
OTHER_STATE = 0.25
"""Correlation of what is normal in two states of a machine."""
SAME = 1e-3
"""Of a column's span: contexts no farther apart are one."""


class Kind(StrEnum):
    """What a column of the context is."""

    SPEED = "speed"
    """A number: between two of them lies what is between."""
    CYCLE = "cycle"
    """A number that comes round, like the hour of the day."""
    STATE = "state"
    """A name by number: 2 is no nearer to 3 than to 7."""


@dataclass(frozen=True)
class Column:
    """One column of the context; `period` of a cycle."""

    kind: Kind = Kind.SPEED
    period: float = 24.0


@dataclass(frozen=True)
class Kriging:
    """Fitted to `means` [k, p] at `knots` [k, c]; `apart` [p, p] is how far means lie from the trend."""

    columns: tuple[Column, ...]
    knots: Floats
    means: Floats
    spans: Floats
    reach: float
    nugget: float
    apart: Floats

    def at(self, context: Floats) -> tuple[Floats, float]:
        """The mean [p] in a context [c], and how much of `apart` it is uncertain by, 0 where it was learned exactly."""
        if all(column.kind is Kind.STATE for column in self.columns):  # between states there is nothing
            there = np.flatnonzero((np.abs(self.knots - context) <= SAME * self.spans).all(axis=1))
            if len(there):
                return self.means[there[0]], 0.0
        inverse, trend, slopes, rest, bend = _solved(self, self.means)
        near = likeness(context[None], self.knots, self.columns, self.spans, self.reach)[0]
        here = _trend(context[None], self.knots, self.columns, self.spans)[0]
        missed = here - near @ inverse @ trend
        mean = here @ slopes + near @ inverse @ rest
        return mean, max(float(1 + self.nugget - near @ inverse @ near + missed @ np.linalg.solve(bend, missed)), 0.0)


def fitted(knots: Floats, means: Floats, columns: tuple[Column, ...]) -> Kriging:
    """Chooses reach and nugget by how well each mean [k, p] is foretold from the others, and `apart` by the errors.

    One knot tells nothing of other contexts: they are taken to be like it.
    """
    spans = np.maximum(np.ptp(knots, axis=0), 1e-12)
    best, least = None, np.inf
    for reach, nugget in product(REACHES, NUGGETS):
        tried = Kriging(columns, knots, means, spans, reach, nugget, np.empty(0))
        errors, shares = _left_out(tried)
        spread = np.maximum((errors**2 / shares[:, None]).mean(axis=0), 1e-12)
        unlikely = float(len(errors) * np.log(spread).sum() + len(spread) * np.log(shares).sum())
        if unlikely < least:
            apart = errors.T @ (errors / shares[:, None]) / len(errors)
            best, least = Kriging(columns, knots, means, spans, reach, nugget, apart), unlikely
    assert best is not None
    degrees = len(knots) - _trend(knots[:1], knots, columns, spans).shape[1]
    return Kriging(columns, knots, means, spans, best.reach, best.nugget, towards_diagonal(best.apart, degrees))


def likeness(a: Floats, b: Floats, columns: Sequence[Column], spans: Floats, reach: float) -> Floats:
    """Correlation [m, k] of what is normal in contexts [m, c] and [k, c]."""
    found = np.ones((len(a), len(b)))
    for i, column in enumerate(columns):
        gap = np.abs(a[:, i, None] - b[None, :, i])
        if column.kind is Kind.STATE:
            found *= np.where(gap > SAME * spans[i], OTHER_STATE, 1.0)
            continue
        if column.kind is Kind.CYCLE:
            far = np.abs(np.sin(np.pi * gap / column.period)) / reach
        else:
            far = gap / spans[i] / reach
        root = np.sqrt(5) * far
        found *= (1 + root + root**2 / 3) * np.exp(-root)
    return found


def _trend(at: Floats, knots: Floats, columns: Sequence[Column], spans: Floats) -> Floats:
    """[m, 1 + speeds]: one, and each speed that was learned at several values, where knots are enough to check it."""
    straight = [i for i, c in enumerate(columns) if c.kind is Kind.SPEED and len(np.unique(knots[:, i])) > 2]
    straight = straight if len(knots) > len(straight) + 1 else []
    centred = (at - knots.mean(axis=0)) / spans
    return np.column_stack([np.ones(len(at)), centred[:, straight]])


def _solved(k: Kriging, means: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Inverse [k, k] of the correlations, the trend [k, t], its slopes [t, p], what is left [k, p], and [t, t]."""
    like = likeness(k.knots, k.knots, k.columns, k.spans, k.reach) + k.nugget * np.eye(len(k.knots))
    inverse = np.asarray(np.linalg.inv(like), dtype=float)
    trend = _trend(k.knots, k.knots, k.columns, k.spans)
    bend = trend.T @ inverse @ trend
    slopes = np.asarray(np.linalg.solve(bend, trend.T @ inverse @ means), dtype=float)
    return inverse, trend, slopes, means - trend @ slopes, bend


def _left_out(k: Kriging) -> tuple[Floats, Floats]:
    """Of each knot, foretold from the others: the errors [k, p], and their variance as a share of `apart` [k]."""
    inverse, trend, _, rest, bend = _solved(k, k.means)
    around = inverse - inverse @ trend @ np.linalg.solve(bend, trend.T @ inverse)
    own = np.maximum(np.diag(around), 1e-12)
    return (inverse @ rest) / own[:, None], 1 / own


def towards_diagonal(covariance: Floats, degrees: float) -> Floats:
    """A covariance [p, p] of so many degrees of freedom, with correlations shrunk; the variances stay.

    The oracle approximating shrinkage of Chen, Wiesel, Eldar and Hero (IEEE Trans. Signal Processing 58, 2010, 5016),
    of the correlations, for which the identity is the target. It needs nothing but the matrix and the number.
    """
    p = len(covariance)
    spread = np.sqrt(np.maximum(np.diag(covariance), 0))
    if p < 2 or degrees <= 1 or not spread.all():
        return np.diag(np.diag(covariance))
    correlation = covariance / np.outer(spread, spread)
    square = float((correlation**2).sum())
    above = (1 - 2 / p) * square + p * p
    below = (degrees + 1 - 2 / p) * (square - p)
    share = min(1.0, above / below) if below > 0 else 1.0
    return np.asarray((1 - share) * covariance + share * np.diag(np.diag(covariance)))
