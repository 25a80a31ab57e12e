"""What detectors and evaluation see of a run: rows of features or values, when they were, and what was known then.

Windows never reach across a break. `fault`, `label`, `at_s` and the number of a row are for evaluation alone: no
detector is given them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.feature_sets import NAMES, SLOW, usual
from gateway.training.dataset import Recording, Rows, as_samples
from gateway.training.dataset.manifest import SAMPLES_MAX, SAMPLES_MIN, UNLABELLED, Run
from gateway.training.features import SATURATED, STUCK, Samples, compute_all

_AT_ONCE = 1024  # windows, which bounds the memory
_USUAL_MIN = 64  # samples: below that a spectrum has 32 points only (feature set 2)


@dataclass(frozen=True, slots=True)
class Stream:
    """A run, row by row: n windows of features, or n readings. All arrays have n rows.

    `x` float64 [n, p], as the feature set gives them, or values in their unit; `at_s` when the row was complete;
    `context` [n, k] or None; `learn`: so many rows at the start a detector may learn from (0: it goes on from the run
    before of the same node); `breaks`: rows before which the recording paused; `fault` 1, 0 or -1 (unlabelled, or a
    window across a change); `label` "" where that is -1; `sensor_fault` 0, or the "why" code of a window whose sensor
    was stuck or saturated, which a node does not judge.
    """

    name: str
    node: str
    asset: str
    session: str
    feature_set: int | None
    channels: tuple[str, ...]
    context_names: tuple[str, ...]
    row_s: float
    learn: int
    x: NDArray[np.float64]
    at_s: NDArray[np.float64]
    context: NDArray[np.float64] | None
    breaks: NDArray[np.intp]
    fault: NDArray[np.int8]
    label: tuple[str, ...]
    sensor_fault: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.x)

    def within(self, seconds: float) -> int:
        """How many rows at the start were complete within so many seconds of the first row's beginning."""
        return int(np.searchsorted(self.at_s, self.at_s[0] - self.row_s + seconds + 1e-9)) if len(self) else 0


def of(
    recording: Recording,
    feature_set: int | None = None,
    samples: int | None = None,
    hop: int | None = None,
    commission_s: float | None = None,
) -> Stream:
    """The stream of a run. Of kind "samples": features of `feature_set` (default: `usual`) of windows of `samples`
    (default: `usual_samples`) that begin every `hop` samples (default: `samples`). Other kinds take the rows as they
    are. `commission_s` in place of the manifest's.

    Raises DatasetBroken, or ValueError for features of another set or length than asked for.
    """
    run, rows = recording.run, recording.read()
    learnt_s = run.commission_s if commission_s is None else commission_s
    if run.kind == "samples":
        length = samples or usual_samples(run, len(rows))
        wanted = usual(len(run.channels)) if feature_set is None else feature_set
        return _windowed(run, rows, wanted, length, hop or length, learnt_s)
    if run.kind == "features":
        _must_be_wanted(run, feature_set, samples)
    fault = run.fault_at(rows.at_s)
    return Stream(
        **_about(run),
        feature_set=run.feature_set,
        row_s=1 / run.rate_hz,
        learn=_learnt(rows.at_s, rows.at_s[0], learnt_s),
        x=rows.values.astype(np.float64),
        at_s=rows.at_s,
        context=None if rows.context is None else rows.context.astype(np.float64),
        breaks=np.array(run.breaks, np.intp),
        fault=fault,
        label=run.label_at(rows.at_s),
        sensor_fault=np.zeros(len(rows), np.int8),
    )


def usual_samples(run: Run, rows: int) -> int:
    """A window of about a second: the power of two below `rate_hz`, 64 to 1024, that fits between the breaks."""
    length = int(np.clip(2 ** np.floor(np.log2(run.rate_hz)), _USUAL_MIN, SAMPLES_MAX))
    lengths = [end - start for start, end in _stretches(run, rows)]
    typical = float(np.median(np.repeat(lengths, lengths)))  # the stretch of a typical row
    while length > max(typical, SAMPLES_MIN):
        length //= 2
    return length


def _windowed(run: Run, rows: Rows, feature_set: int, length: int, hop: int, learnt_s: float) -> Stream:
    samples = as_samples(run, rows.values)
    starts, breaks = _starts(run, len(rows), length, hop)
    last = starts + length - 1
    x, sensor_fault = _features(samples, starts, length, feature_set)
    number, texts = run.label_number(rows.at_s), [*(label.label for label in run.labels), ""]
    name = np.where(_all_same(number, starts, length), number[last], -1)
    fault = run.fault_at(rows.at_s)
    return Stream(
        **_about(run),
        feature_set=feature_set,
        row_s=hop / run.rate_hz,
        learn=_learnt(rows.at_s[last], rows.at_s[0], learnt_s),
        x=x.astype(np.float64),
        at_s=rows.at_s[last],
        context=_context(rows, starts, length),
        breaks=breaks,
        fault=np.where(_all_same(fault, starts, length), fault[last], UNLABELLED).astype(np.int8),
        label=tuple(texts[i] for i in name),
        sensor_fault=sensor_fault,
    )


def _about(run: Run) -> dict[str, Any]:
    """What a stream has from its run as it is."""
    return {
        "name": run.name,
        "node": run.node,
        "asset": run.asset,
        "session": run.session,
        "channels": tuple(c.name for c in run.channels),
        "context_names": tuple(c.name for c in run.context),
    }


def _must_be_wanted(run: Run, feature_set: int | None, samples: int | None) -> None:
    if feature_set not in (None, run.feature_set):
        there, wanted = (NAMES.get(number or 0, str(number)) for number in (run.feature_set, feature_set))
        raise ValueError(f"{run.name}: its features are {there}, not {wanted}")
    if None not in (samples, run.samples) and samples != run.samples:
        raise ValueError(f"{run.name}: its features are of {run.samples} samples, not {samples}")


def _learnt(at_s: NDArray[np.float64], begin_s: float, learnt_s: float) -> int:
    return int(np.searchsorted(at_s, begin_s + learnt_s))


def _stretches(run: Run, rows: int) -> list[tuple[int, int]]:
    return list(pairwise((0, *run.breaks, rows)))


def _starts(run: Run, rows: int, length: int, hop: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where windows start, and which of them are the first after a break."""
    found = [np.arange(begin, end - length + 1, hop) for begin, end in _stretches(run, rows)]
    firsts = np.cumsum([0, *map(len, found)])[1:-1]
    starts = np.concatenate(found).astype(np.intp)
    return starts, np.unique(firsts[(firsts > 0) & (firsts < len(starts))]).astype(np.intp)


def _features(
    samples: Samples, starts: NDArray[np.intp], length: int, feature_set: int
) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """Features [windows, p], and the sensor fault of each window."""
    parts = list(_windows(samples, starts, length))
    return (
        np.concatenate([compute_all(feature_set, part) for part in parts]),
        np.concatenate([_sensor_faults(part, feature_set) for part in parts]),
    )


def _windows(samples: Samples, starts: NDArray[np.intp], length: int) -> Iterator[Samples]:
    """Windows [some, length, channels]; one empty part where there is none."""
    for first in range(0, max(len(starts), 1), _AT_ONCE):
        yield samples[starts[first : first + _AT_ONCE, None] + np.arange(length)]


def _sensor_faults(windows: Samples, feature_set: int) -> NDArray[np.int8]:
    """`features.sensor_fault` of many windows."""
    stuck = (windows == windows[:, :1]).all(axis=1).any(axis=1) & (feature_set != SLOW)
    at_limit = ((windows == 32767) | (windows == -32768)).sum(axis=1)
    saturated = (32 * at_limit >= windows.shape[1]).any(axis=1)
    return np.where(stuck, STUCK, np.where(saturated, SATURATED, 0)).astype(np.int8)


def _all_same(kinds: NDArray[Any], starts: NDArray[np.intp], length: int) -> NDArray[np.bool_]:
    """Whether all rows of a window are of one kind."""
    changes = np.concatenate([[0], np.cumsum(kinds[1:] != kinds[:-1])])
    return np.asarray(changes[starts] == changes[starts + length - 1])


def _context(rows: Rows, starts: NDArray[np.intp], length: int) -> NDArray[np.float64] | None:
    """Of a window the lower median of its rows: a speed that jitters, and a state that changes, are one value each, and
    one that was there.
    """
    if rows.context is None:
        return None
    if not len(starts):
        return np.empty((0, rows.context.shape[1]))
    parts = [
        np.quantile(rows.context[starts[i : i + _AT_ONCE, None] + np.arange(length)], 0.5, axis=1, method="lower")
        for i in range(0, len(starts), _AT_ONCE)
    ]
    return np.concatenate(parts).astype(np.float64)
