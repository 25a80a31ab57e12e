"""The threshold of a place: from what each chunk looked like to the others, for a wanted number of alarm events."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gateway.detectors.place.normal import Fit, Floats, Normal

ALARM, OF = 3, 5
LEAST_SPREAD = 0.15
LONGEST = 500  # rows: a longer chunk is looked at in pieces, for in the whole of it several events are wanted
EULER = 0.5772156649015329


@dataclass(frozen=True)
class Limit:
    """A Gumbel law of ln of the largest error that alarms in `each` rows of one of `chunks` chunks: `loc` and `s`."""

    loc: float
    s: float
    each: int
    chunks: int

    def threshold(self, events: float) -> float:
        """For so many alarm events a row on normal data.

        The expected number of excesses of x in a chunk is exp(-(x - loc)/s), solved for x (Coles, "An Introduction
        to Statistical Modeling of Extreme Values", 2001, 3.3); √(1 + 1/chunks) because loc is a mean of chunks.

        That s is of few chunks, too, is left out on purpose. In full a Gumbel law of 8 chunks would ask for 2.35 s
        where this has 2.0 s (0.15 events a chunk), and for 5.9 s where it has 4.5 s (0.015). But ln of errors has a
        lighter tail than that law: of independent Gaussian values 240 rows keep the promise as it is.
        """
        return math.exp(self.loc - self.s * math.sqrt(1 + 1 / self.chunks) * math.log(events * self.each))

    def events(self, error: float) -> float:
        """How many alarm events a row a threshold of `error` would let through."""
        if error <= 0:
            return math.inf
        return math.exp((self.loc - math.log(error)) / (self.s * math.sqrt(1 + 1 / self.chunks))) / self.each


def third_of_five(errors: Floats) -> Floats:
    """At each row the third largest of the last five [n]: above it an alarm begins."""
    padded = np.concatenate([np.zeros(OF - 1), errors])
    return np.asarray(np.sort(sliding_window_view(padded, OF), axis=1)[:, OF - ALARM])


def limit(fit: Fit, chunks: Sequence[Floats], contexts: Sequence[Floats] | None = None) -> Limit:
    """Leave one chunk out, learn from the others, and see how far it goes. Raises what `fit` raises."""
    return law(left_out(fit, chunks, contexts))


def left_out(fit: Fit, chunks: Sequence[Floats], contexts: Sequence[Floats] | None = None) -> list[Floats]:
    """Errors of each chunk's rows [n], as all the other chunks have them. Raises what `fit` raises."""
    parts = _by_others(fit, chunks, contexts)
    return [np.concatenate([normal.errors(rows) for normal, rows in part]) for part in parts]


def foretold(fit: Fit, chunks: Sequence[Floats], contexts: Sequence[Floats] | None = None) -> Floats:
    """Of each chunk the mean of ln density of its rows, as all the other chunks have it. Raises what `fit` raises."""
    parts = _by_others(fit, chunks, contexts)
    each = [np.concatenate([normal.density(rows - normal.mean) for normal, rows in part]) for part in parts]
    return np.array([densities.mean() for densities in each])


def _by_others(
    fit: Fit, chunks: Sequence[Floats], contexts: Sequence[Floats] | None
) -> Iterator[list[tuple[Normal, Floats]]]:
    """Each chunk's rows [n, p], and what is normal then by all the other chunks."""
    for k, chunk in enumerate(chunks):
        rest = [other for i, other in enumerate(chunks) if i != k]
        known = fit(rest, None if contexts is None else [seen for i, seen in enumerate(contexts) if i != k])
        if contexts is None:
            yield [(known.at(), chunk)]
        else:
            yield [(known.at(seen), row[None]) for row, seen in zip(chunk, contexts[k], strict=True)]


def law(errors: Sequence[Floats]) -> Limit:
    """From errors that each chunk has where it was left out."""
    each = min(*map(len, errors), LONGEST)
    worst = [
        math.log(max(float(alarming[first : first + each].max()), 1e-12))
        for alarming in map(third_of_five, errors)
        for first in range(0, len(alarming) - each + 1, each)
    ]
    s = max(LEAST_SPREAD, float(np.std(worst, ddof=1)) * math.sqrt(6) / math.pi)
    return Limit(float(np.mean(worst)) - EULER * s, s, each, len(errors))
