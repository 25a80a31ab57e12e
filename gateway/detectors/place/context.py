"""What is normal where the operating context is known: a speed, a state, the hour of the day.

The mean in each context that was learned, and between them an interpolation with an uncertainty of its own
(`place_kriging`), chosen by foretelling each learned context from the others: normal data alone decide. The uncertainty
is added to B, so that a context that was never learned is judged as widely as the learned ones allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.place.kriging import SAME, Column, Kind, Kriging, fitted
from gateway.detectors.place.normal import Floats, Normal, TooFew, cut, resolution
from gateway.detectors.place.threshold import Limit
from gateway.detectors.place.threshold import limit as limit_of

FINENESS = 24, 12, 6, 3, 2, 1
"""How many contexts are told apart in a column that is a number, at most."""
LEAST_ROWS = 8
"""Of a context, on average: with fewer, contexts are told apart less finely."""
CONTEXTS = 64
"""That are told apart at most, however many columns and rows: learning takes their number cubed."""
PIECES = 2
"""A single stay in one context is cut into so many, to see how it wanders there."""
MOST = 256
"""Contexts whose Normal is kept."""

Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class Interpolated:
    """A Known. `base` has the middle, W and B within contexts; `used`: the columns that `between` knows."""

    base: Normal
    used: tuple[int, ...]
    between: Kriging
    _found: dict[bytes, Normal] = field(default_factory=dict, compare=False, repr=False)

    def at(self, context: Floats | None = None) -> Normal:
        """What is normal in that context [c]; without one, the middle of those learned."""
        if context is None or not self.used:
            return self.base
        steps = self.between.spans * SAME
        near = np.round(np.asarray(context, dtype=float)[list(self.used)] / steps) * steps
        key = near.tobytes()
        if key not in self._found:
            if len(self._found) >= MOST:
                self._found.clear()
            mean, share = self.between.at(near)
            wider = self.base.between + share * self.between.apart
            self._found[key] = replace(self.base, mean=mean, between=wider)
        return self._found[key]

    def plain(self) -> dict[str, object]:
        """All of it, for `place_state`; `restored` takes it back."""
        k = self.between
        return {
            "base": self.base.plain(), "used": list(self.used),
            "columns": [[column.kind.value, column.period] for column in k.columns],
            "knots": k.knots, "means": k.means, "spans": k.spans, "reach": k.reach, "nugget": k.nugget,
            "apart": k.apart,
        }  # fmt: skip


def restored(base: dict[str, Any], used: list[int], columns: list[list[Any]], **between: Any) -> Interpolated:
    """From `Interpolated.plain`."""
    kinds = tuple(Column(Kind(kind), float(period)) for kind, period in columns)
    return Interpolated(Normal(**base), tuple(used), Kriging(columns=kinds, **between))


@dataclass(frozen=True)
class Contexts:
    """A Fit: `Place(names, settings, how=Contexts((Column(),)))` learns one number, such as a speed.

    A column that there are too few rows for is not used, nor is a cycle of which no hour was seen twice: what one day
    was like at noon says little of noons.
    """

    columns: tuple[Column, ...] = (Column(),)

    def __call__(self, chunks: Sequence[Floats], contexts: Sequence[Floats] | None = None) -> Interpolated:
        """Learns chunks [n, p] in contexts [n, c]. Raises Stuck, TooFew, and ValueError where contexts are missing."""
        if min(map(len, chunks), default=0) < 1:
            raise TooFew(f"{len(chunks)} chunks of {[len(chunk) for chunk in chunks]} rows")
        shapes = [(len(chunk), len(self.columns)) for chunk in chunks]
        if contexts is None or [seen.shape for seen in contexts] != shapes:
            raise ValueError(f"contexts of {len(self.columns)} columns are needed, one a row")
        rows, seen = np.concatenate(chunks), np.concatenate(contexts)
        steps = resolution(rows)
        used, cells = _cells(seen, self.columns)
        knots, means = (
            np.stack([of[cells == cell].mean(axis=0) for cell in range(cells.max() + 1)]) for of in (seen, rows)
        )
        chunk = np.repeat(np.arange(len(chunks)), [len(c) for c in chunks])
        within, between = _spreads(rows - means[cells], chunk, cells)
        base = Normal(means.mean(axis=0), within + np.diag(steps**2 / 12), between, len(rows), len(chunks))
        return Interpolated(base, used, fitted(knots[:, used], means, tuple(self.columns[i] for i in used)))

    def limit(self, chunks: Sequence[Floats], contexts: Sequence[Floats]) -> Limit:
        """The threshold's law from parts, each with its share of every context, left out one after the other.

        Chunks left out as they came would take whole contexts with them: the threshold would be for those not learned.
        """
        rows, seen = np.concatenate(chunks), np.concatenate(contexts)
        part = np.empty(len(rows), np.intp)
        _, cells = _cells(seen, self.columns)
        for cell in range(cells.max() + 1):
            here = np.flatnonzero(cells == cell)
            part[here] = np.arange(len(here)) * len(chunks) // len(here)
        parts = [part == k for k in range(len(chunks))]
        return limit_of(self, [rows[of] for of in parts], [seen[of] for of in parts])


def varying(seen: Floats) -> list[int]:
    """Columns of contexts [n, c] that are worth learning with: what was the same all the time tells nothing."""
    return [int(i) for i in np.flatnonzero(np.ptp(seen, axis=0))] if len(seen) else []


def _cells(seen: Floats, columns: Sequence[Column]) -> tuple[tuple[int, ...], Numbers]:
    """Of contexts [n, c]: which columns are used, and the number [n] of each row's context, as fine as rows allow."""
    for knots in FINENESS:
        grid = _grid(seen, columns, knots)
        cells = np.asarray(np.unique(grid, axis=0, return_inverse=True)[1].ravel(), np.intp)
        if cells.max() + 1 <= min(len(seen) // LEAST_ROWS, CONTEXTS):
            break
    merged = (np.ptp(grid, axis=0) == 0) & (np.ptp(seen, axis=0) > 0)
    return tuple(int(i) for i in np.flatnonzero(~merged)), cells


def _grid(seen: Floats, columns: Sequence[Column], knots: int) -> Floats:
    grid = np.empty(seen.shape)
    for i, column in enumerate(columns):
        values = seen[:, i]
        if column.kind is not Kind.STATE and len(np.unique(values)) > knots:
            cycle = column.kind is Kind.CYCLE
            low, span = (0.0, column.period) if cycle else (values.min(), np.ptp(values))
            values = np.minimum((values - low) * knots // span, knots - 1)
        if column.kind is Kind.CYCLE and np.count_nonzero(np.diff(values)) + 1 < 2 * len(np.unique(values)):
            values = np.zeros(len(values))
        grid[:, i] = values
    return grid


def _spreads(away: Floats, chunk: Numbers, cells: Numbers) -> tuple[Floats, Floats]:
    """W inside stays and B of the stays' means, of rows [n, p] less their context's mean.

    A stay is what one chunk has of one context; a context with a single stay is seen in pieces of it.
    """
    p = away.shape[1]
    within, between = np.zeros((p, p)), np.zeros((p, p))
    stays, contexts = 0, cells.max() + 1
    for cell in range(contexts):
        for part in _stays(away[cells == cell], chunk[cells == cell]):
            mean = part.mean(axis=0)
            within += (part - mean).T @ (part - mean)
            between += np.outer(mean, mean)
            stays += 1
    if len(away) <= stays or stays <= contexts:
        raise TooFew(f"{len(away)} rows in {contexts} contexts")
    return within / (len(away) - stays), between / (stays - contexts)


def _stays(rows: Floats, chunk: Numbers) -> list[Floats]:
    stays = [rows[chunk == which] for which in np.unique(chunk)]
    if len(stays) > 1 or len(rows) < 2 * PIECES:
        return stays
    return [rows[piece] for piece in cut(len(rows), PIECES)]
