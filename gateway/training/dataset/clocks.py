"""Columns that tell how long a recording has been going on, which no detector may see: counters and clocks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.training.dataset.manifest import MANIFEST, TIMES_OF_DAY, DatasetBroken, Run

_ROWS = 32  # between breaks: whatever is measured turns within so many
_TICKS = 16
_EVEN = 0.25
_DAY_H = 24.0

Columns = NDArray[Any]
Steps = NDArray[np.float64]


def must_not_tell_the_time(file: Path, run: Run, values: Columns, context: Columns | None) -> None:
    """Raises DatasetBroken for a channel of `values` [n, p] or `context` [n, k] that is a clock, whatever its name.

    Features are of samples, where there would be one. The hour is a context of slow sensors (Run), and ends at 24.
    """
    for at in _clocks(values, run.breaks) if run.kind != "features" else ():
        channel = run.channels[at]
        if not channel.counter:
            may = f', or make it a counter: "counter": true in {MANIFEST}' if run.kind == "values" else ""
            raise DatasetBroken(
                file,
                f"values: {channel.name!r} only rises, or only falls, as a clock does: no detector may see it. "
                f"Leave it out{may}",
            )
    if context is None:
        return
    hours = [at for at, channel in enumerate(run.context) if channel.name.lower() in TIMES_OF_DAY]
    for at in _clocks(context, run.breaks):
        if at not in hours:
            raise DatasetBroken(
                file, f"context: {run.context[at].name!r} only rises, or only falls, as a clock does: leave it out"
            )
    for at in hours:
        if not 0 <= context[:, at].min() <= context[:, at].max() <= _DAY_H:
            raise DatasetBroken(file, f"context: {run.context[at].name!r} is not within 0 to {_DAY_H:g}")


def in_steps(values: Columns, counters: Sequence[int], breaks: Sequence[int]) -> Columns:
    """The values with each counter as its steps. Behind a break there is none: it has that before, the first row the
    one behind it.
    """
    columns = list(counters)
    steps = np.diff(values[:, columns], axis=0, prepend=values[:1, columns])
    for row in breaks:
        steps[row] = steps[row - 1]
    if len(steps) > 1:
        steps[0] = steps[1]
    changed = values.copy()
    changed[:, columns] = steps
    return changed


def _clocks(columns: Columns, breaks: Sequence[int]) -> list[int]:
    """Which columns [n, k] never turn between breaks, and move in every row, or evenly as a coarse clock does."""
    inside = np.ones(max(len(columns) - 1, 0), np.bool_)
    inside[np.array(breaks, np.intp) - 1] = False
    if np.count_nonzero(inside) < _ROWS - 1:
        return []
    return [at for at in range(columns.shape[1]) if _is_clock(np.diff(columns[:, at].astype(np.float64))[inside])]


def _is_clock(steps: Steps) -> bool:
    if (steps < 0).any() and (steps > 0).any():
        return False
    ticks = np.flatnonzero(steps)
    if len(ticks) == len(steps):
        return True
    if len(ticks) < _TICKS:
        return False
    sizes, gaps = np.abs(steps[ticks]), np.diff(ticks)
    usual = float(np.median(gaps))
    even = float(np.mean(np.abs(gaps - usual) <= max(1.0, _EVEN * usual)))
    return bool(np.ptp(sizes) <= 1e-3 * sizes.max() and even > 1 - _EVEN)
