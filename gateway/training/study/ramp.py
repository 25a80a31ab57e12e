"""A recorded fault that comes slowly: put into normal rows on purpose, as a share that rises from nothing to all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.feature_sets import Kind, kinds
from gateway.training.dataset import Recording, Rows
from gateway.training.dataset.manifest import Run
from gateway.training.stream import Stream
from gateway.training.study.data import Shown, Source, first_rows, learned_s, ramp

RAMP_S, BEFORE_S, AFTER_S = 120.0, 60.0, 120.0
BEFORE, AFTER = 30, 10
"""Rows that there are at least before and after a ramp, whatever time they take."""
_KINDS = 4  # of faults that are ramped

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Fault:
    """A kind of fault, and what it adds to the rows on average: to readings, or to features where there are none."""

    label: str
    effect: Floats


def ramped(
    source: Source, taught: Sequence[Shown], sessions: Sequence[Sequence[Recording]]
) -> tuple[Shown, list[Shown], str]:
    """The run with the longest normal stretch, each kind of fault of these sessions as it comes into that in RAMP_S,
    and why there is none.
    """
    base, begin_s, last_s = _longest(taught)
    before_s, after_s = max(BEFORE_S, BEFORE * base.windows.row_s), max(AFTER_S, AFTER * base.windows.row_s)
    need_s, there_s = before_s + RAMP_S + after_s, max(last_s - begin_s, 0.0)
    if there_s < need_s:
        return base, [], f"needs {need_s:g} s of normal rows behind what is learned from; there are {there_s:.0f}"
    faults = list(_faults(source, sessions))[:_KINDS]
    found = [_with_fault(source, base, fault, begin_s + before_s, after_s) for fault in faults]
    return base, found, "" if found else "no fault is recorded"


def _longest(taught: Sequence[Shown]) -> tuple[Shown, float, float]:
    """The run with the longest normal stretch right behind what is learned from it, and its begin and end."""
    found = []
    for one in taught:
        fault = one.windows.fault[one.learn :]
        end = one.learn + (int(np.argmax(fault != 0)) if (fault != 0).any() else len(fault))
        at = one.windows.at_s
        begin = at[one.learn - 1]
        found.append((one, float(begin), float(at[end - 1]) if end > one.learn else float(begin)))
    return max(found, key=lambda each: each[2] - each[1])


def _faults(source: Source, sessions: Sequence[Sequence[Recording]]) -> Iterator[_Fault]:
    """Each kind of fault of the node: the mean of what it adds to the normal rows of its session."""
    effects: dict[str, list[Floats]] = {}
    for runs in sessions:
        rows = [source.shown(r).readings for r in runs]
        x = np.concatenate([_smooth(source, one.x) for one in rows])
        fault, label = np.concatenate([one.fault for one in rows]), np.concatenate([np.array(r.label) for r in rows])
        if not (fault == 0).any():
            continue
        for name in dict.fromkeys(label[fault == 1].tolist()):
            here = (fault == 1) & (label == name)
            effects.setdefault(name, []).append(x[here].mean(axis=0) - x[fault == 0].mean(axis=0))
    for name, each in effects.items():
        yield _Fault(name, np.mean(each, axis=0))


def _with_fault(source: Source, base: Shown, fault: _Fault, begin_s: float, after_s: float) -> Shown:
    end_s = begin_s + RAMP_S + after_s
    if source.slow:
        recording = next(r for r in source.recordings if r.name == base.windows.name)

        def alter(run: Run, rows: Rows) -> Rows:
            share = ramp(rows.at_s, begin_s, begin_s + RAMP_S)[:, None]
            return replace(rows, values=(rows.values + share * fault.effect).astype(np.float32))

        shown = source.shown(recording, learned_s(base), alter)
        return Shown(_marked(shown.windows, fault, begin_s, end_s), _cut(shown.readings, end_s), shown.learn)
    rows = base.windows
    share = ramp(rows.at_s, begin_s, begin_s + RAMP_S)[:, None]
    x = np.rint(_rough(source, _smooth(source, rows.x) + share * fault.effect))
    marked = _marked(replace(rows, x=np.where(share > 0, x, rows.x)), fault, begin_s, end_s)
    return Shown(marked, marked, base.learn)


def _smooth(source: Source, x: Floats) -> Floats:
    """Rows in which a fault adds the same everywhere: of features that are sizes, the logarithm."""
    if source.slow:
        return x
    scale = _sizes(source)
    return np.where(scale, np.log2(np.maximum(x, 1.0)), x)


def _rough(source: Source, x: Floats) -> Floats:
    return np.where(_sizes(source), np.exp2(np.where(_sizes(source), x, 0.0)), x)


def _sizes(source: Source) -> NDArray[np.bool_]:
    return np.array([kind is Kind.SCALE for kind in kinds(source.feature_set, len(source.run.channels))])


def _marked(rows: Stream, fault: _Fault, begin_s: float, end_s: float) -> Stream:
    """Faulty from the ramp's first row on, and no longer than `end_s`."""
    faulty = rows.at_s > begin_s
    label = tuple(fault.label if f else "normal" for f in faulty.tolist())
    marked = replace(rows, name=f"{rows.name}, {fault.label}", fault=faulty.astype(np.int8), label=label)
    return _cut(marked, end_s)


def _cut(rows: Stream, end_s: float) -> Stream:
    return first_rows(rows, int(np.searchsorted(rows.at_s, end_s, side="right")))
