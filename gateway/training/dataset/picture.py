"""A run on one line: how much it moves, and where it is labelled as what."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from gateway.training.dataset import Rows, Run

_BARS = "▁▂▃▄▅▆▇█"
_STYLES = {1: "red", 0: "green", -1: "dim"}
MIXED = 2
"""Of a part of a run that is partly faulty."""


def strip(run: Run, rows: Rows, width: int = 32) -> tuple[str, NDArray[np.int8]]:
    """`width` bars at most, and for each 1 (fault), 0, -1 (unlabelled) or MIXED.

    A bar is the spread of a part of the rows about that part's mean, each channel by its own spread in the whole run;
    of readings, which are few, the distance from the run's median.
    """
    fault = run.fault_at(rows.at_s)
    parts = np.array_split(np.arange(len(rows)), min(width, len(rows)))
    values = rows.values.astype(np.float64)
    spread = np.maximum(values.std(axis=0), 1e-12)
    if run.kind == "samples":
        moves = np.array([np.mean(values[part].std(axis=0) / spread) for part in parts])
    else:
        away = np.abs(values - np.median(values, axis=0)) / spread
        moves = np.array([away[part].mean() for part in parts])
    heights = np.rint((len(_BARS) - 1) * moves / max(float(moves.max()), 1e-12)).astype(int)
    kinds = [set(fault[part].tolist()) for part in parts]
    marks = np.array([k.pop() if len(k) == 1 else MIXED if 1 in k else max(k) for k in kinds], np.int8)
    return "".join(_BARS[h] for h in heights), marks


def markup(bars: str, marks: NDArray[np.int8]) -> str:
    """For a terminal (rich's markup): red where faulty, yellow where partly, green where normal, dim else."""
    found = []
    for mark, group in groupby(zip(bars, marks.tolist(), strict=True), key=lambda pair: pair[1]):
        style = _STYLES.get(mark, "yellow")
        found.append(f"[{style}]{''.join(bar for bar, _ in group)}[/{style}]")
    return "".join(found)
