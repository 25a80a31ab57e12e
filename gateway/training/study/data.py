"""The rows of one node of a dataset as a two-path study shows them: to a node windows of features, to the gateway what
is finer where there is something finer. Also recordings that are altered on purpose, always named a simulation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.feature_sets import SLOW, STATISTICS, usual
from gateway.training import slow, stream
from gateway.training.dataset import Dataset, Recording, Rows, as_samples, fitting_per_unit
from gateway.training.dataset.manifest import Run
from gateway.training.held_out import Unfit
from gateway.training.judges import Seen
from gateway.training.stream import Stream
from gateway.training.view import OVERLAP, usual_hop, usual_samples

FAST_HZ = 100.0
"""From here on the usual set of vibration is taken: below, a node's learner is quieter with sizes."""
LEAST = 140
"""Windows that a static model needs: three fifths to fit, a fifth to calibrate, a fifth to check. They may overlap."""

Floats = NDArray[np.float64]
Alter = Callable[[Run, Rows], Rows]


@dataclass(frozen=True)
class Shown:
    """A run as both see it: `windows` are a node's; `readings` are the gateway's rows, the same stream where there is
    nothing finer. `learn`: so many windows at the start are learned from; 0: it goes on from the run before.
    """

    windows: Stream
    readings: Stream
    learn: int

    @cached_property
    def at(self) -> NDArray[np.intp]:
        """The row of `readings` at which each window is complete."""
        return np.searchsorted(self.readings.at_s, self.windows.at_s)

    @cached_property
    def readings_learn(self) -> int:
        """How many readings are learned from."""
        return int(self.at[self.learn - 1]) + 1 if self.learn else 0


def learned_s(one: Shown) -> float:
    """Seconds of a run of which just what was learned is learned again."""
    rows, at = one.windows, one.readings.at_s
    return float(rows.at_s[one.learn] - at[0]) if one.learn < len(rows) else float(rows.at_s[-1] - at[0]) + 1.0


def seen(rows: Stream, first: int, last: int) -> Seen:
    """What a judge is shown of rows: those whose sensor was sound. Pauses at most rows are how the node looks."""
    kept = np.flatnonzero(rows.sensor_fault[first:last] == 0) + first
    pauses = rows.breaks if 2 * len(rows.breaks) < len(rows) else np.zeros(0, np.intp)
    gaps = {int(np.searchsorted(kept, gap)) for gap in (0, *pauses.tolist()) if first <= gap < last}
    context = None if rows.context is None else rows.context[kept]
    return Seen(rows.x[kept], context, tuple(sorted(gap for gap in gaps if gap < len(kept))))


@dataclass(frozen=True, slots=True)
class _Altered(Recording):
    """A recording that is read as `how` makes it."""

    how: Alter

    def read(self) -> Rows:
        return self.how(self.run, Recording.read(self))


class Source:
    """One node of a dataset, and how its runs become rows."""

    def __init__(self, dataset: Dataset, node: str | None = None, feature_set: int | None = None) -> None:
        """`node`: by default the first. Raises Unfit for a node that is not there or whose rows no node could have."""
        self.dataset, self.node = dataset, node or dataset.nodes[0]
        if self.node not in dataset.nodes:
            raise Unfit(f"dataset {dataset.name} has no node {self.node!r}, but {', '.join(dataset.nodes)}")
        self.recordings = tuple(dataset.of_node(self.node))
        self.run = self.recordings[0].run
        self.slow = self.run.kind == "values"
        if len(self.run.channels) > 9:
            raise Unfit(f"{self.node}: {len(self.run.channels)} channels, where a node has 9 at most")
        fast = self.run.rate_hz >= FAST_HZ
        own = SLOW if self.slow else self.run.feature_set
        self.feature_set = own or feature_set or (usual(len(self.run.channels)) if fast else STATISTICS)
        self.samples = slow.SAMPLES if self.slow else self.run.samples or usual_samples(self.recordings) or 0
        self.hop = self._hop()
        self._per_unit: tuple[float, ...] = ()
        if self.slow:
            values = np.concatenate([recording.read().values for recording in self.recordings])
            self._per_unit = tuple(fitting_per_unit(column) for column in values.T)

    def _hop(self) -> int:
        """Windows that are judged overlap only where a node's learner would have too few of them else."""
        if self.slow:
            return slow.HOP
        if self.run.kind == "features":
            return 1
        return usual_hop(self.recordings, self.samples, [r.run.commission_s for r in self.recordings])

    @property
    def dense_hop(self) -> int:
        """Of the windows that a static model is trained from, which overlap."""
        return 1 if self.run.kind == "features" else min(self.hop, max(self.samples // OVERLAP, 1)) // (1 + self.slow)

    def lesson(self, shown: Shown) -> Stream:
        """What was learned of a run, in windows that overlap."""
        recording = next(r for r in self.recordings if r.name == shown.windows.name)
        if self.slow:
            rows = stream.of(self._sampled(recording), SLOW, self.samples, self.dense_hop)
        else:
            samples = self.samples if self.run.kind == "samples" else None
            rows = stream.of(recording, self.feature_set, samples, self.dense_hop)
        return first_rows(rows, int(np.searchsorted(rows.at_s, shown.windows.at_s[shown.learn - 1], side="right")))

    def shown(self, recording: Recording, learn_s: float | None = None, alter: Alter | None = None) -> Shown:
        """A run; `learn_s` in place of what the manifest says, `alter`: a simulation. Raises DatasetBroken."""
        altered = recording if alter is None else _Altered(recording.folder, recording.run, alter)
        if not self.slow:
            samples = self.run.kind == "samples"
            rows = stream.of(altered, self.feature_set, self.samples if samples else None, self.hop, learn_s)
            return Shown(rows, rows, rows.learn)
        readings = stream.of(altered, commission_s=learn_s)
        windows = stream.of(self._sampled(altered), SLOW, self.samples, self.hop, learn_s)
        return Shown(windows, readings, windows.learn)

    def _sampled(self, recording: Recording) -> Recording:
        """Readings as the 16-bit samples of a slow sensor."""
        run, rows = slow.sampled_run(recording.run, self._per_unit), recording.read()
        return _Altered(recording.folder, run, lambda _run, _rows: rows)


def first_rows(rows: Stream, n: int) -> Stream:
    """The first `n` rows."""
    return replace(
        rows, x=rows.x[:n], at_s=rows.at_s[:n], context=None if rows.context is None else rows.context[:n],
        breaks=rows.breaks[rows.breaks < n], fault=rows.fault[:n], label=rows.label[:n],
        sensor_fault=rows.sensor_fault[:n],
    )  # fmt: skip


# --- recordings altered on purpose

TURN, GAIN = (2, 0, 1), 0.9
DRIFT_GAIN, DRIFT_SD = 1.25, 2.0


def turned(run: Run, rows: Rows) -> Rows:
    """Another mount: a quarter turn about two axes of each sensor of three, and one that transmits less; readings: a
    sensor whose scale differs. What the range of 16 bits does not hold is cut off, as a sensor does.
    """
    if run.kind == "values":
        return replace(rows, values=(rows.values * np.float32(GAIN)).astype(np.float32))
    samples = as_samples(run, rows.values).astype(np.float64)
    if samples.shape[1] % 3 == 0:
        order = [3 * (i // 3) + TURN[i % 3] for i in range(samples.shape[1])]
        samples = samples[:, order]
    return replace(rows, values=_steps(samples * GAIN))


def drifting(learn_s: float, sd: Floats) -> Alter:
    """From the end of what is learned to the run's end the gain rises by a quarter; readings: by two of the standard
    deviations `sd` [channels] of what was normal. Without anything to learn: as it is at the end.
    """

    def alter(run: Run, rows: Rows) -> Rows:
        share = ramp(rows.at_s, rows.at_s[0] + learn_s, rows.at_s[-1]) if learn_s else np.ones(len(rows))
        if run.kind == "values":
            return replace(rows, values=(rows.values + DRIFT_SD * share[:, None] * sd).astype(np.float32))
        samples = as_samples(run, rows.values).astype(np.float64)
        return replace(rows, values=_steps(samples * (1 + (DRIFT_GAIN - 1) * share[:, None])))

    return alter


def ramp(at_s: Floats, begin_s: float, end_s: float) -> Floats:
    """0 before, 1 after, and a straight line between."""
    return np.asarray(np.clip((at_s - begin_s) / max(end_s - begin_s, 1e-9), 0.0, 1.0))


def _steps(samples: Floats) -> NDArray[np.int16]:
    return np.clip(np.rint(samples), -(2**15), 2**15 - 1).astype(np.int16)
