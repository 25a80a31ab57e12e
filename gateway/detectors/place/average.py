"""Averaging of rows before they are judged: against noise the cheapest gain, and of what is smooth but delay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gateway.detectors.place.normal import Floats, cut

MOST = 10
"""Rows that are averaged at most: a fault that is over sooner would drown."""
WORTH = 0.5
"""The share of the gain in white noise, on a logarithmic scale, from which on averaging is worth its delay."""


def averaged(rows: Sequence[Floats], gaps: Sequence[bool], reach: int, before: Floats | None = None) -> list[Floats]:
    """Exponential means of rows [p] that reach back so far; `gaps`: they begin anew; `before`: the mean until then."""
    keep, found, mean = 1 - 2 / (reach + 1), [], before
    for row, gap in zip(rows, gaps, strict=True):
        mean = row if gap or mean is None else keep * mean + (1 - keep) * row
        found.append(mean)
    return found


def worthwhile(rows: Sequence[Floats], gaps: Sequence[bool], chunks: int) -> int:
    """How far back to average rows that are normal: a fifth of a chunk, or 1 where they are too smooth for that.

    Of white noise a mean that reaches back r rows leaves the r-th part in variance; how much it leaves here inside
    the chunks, in the geometric mean over the features, is compared with that.
    """
    reach = min(len(rows) // chunks // 5, MOST)
    if reach < 2:
        return 1
    parts = cut(len(rows), chunks)
    raw, mean = (_within(np.array(each), parts) for each in (rows, averaged(rows, gaps, reach)))
    moving = (raw > 0) & (mean > 0)
    gain = float(np.mean(np.log(raw[moving] / mean[moving]))) if moving.any() else 0.0
    return reach if gain >= WORTH * np.log(reach) else 1


def _within(rows: Floats, parts: Sequence[slice]) -> Floats:
    return np.asarray(np.mean([rows[part].var(axis=0) for part in parts], axis=0))
