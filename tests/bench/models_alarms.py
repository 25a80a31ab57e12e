"""How often a learner at its place is wrong, and a static threshold on the same rows and on the same terms.

Nothing is chosen by a label, and nothing looks ahead. A stream's row number and time are seen by nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.place import Settings
from gateway.detectors.place.memory import Alarm
from gateway.detectors.place.normal import Stuck
from gateway.training import stream
from gateway.training.judges import EVENTS
from gateway.training.stream import Stream
from tests.bench import baselines
from tests.bench.figures import Figure
from tests.bench.models_process import later, learned_place
from tests.bench.progress import say
from tests.bench.shared_data import dataset

Floats = NDArray[np.float64]

LEARN = 240
SEEN = 60
"""Rows that an alarm stands until someone acknowledges it, where nothing is wrong."""
LEAST = 1000
"""Rows of a normal stretch between faults that is taken for a stream."""
AIM = 5.0

NORMAL: Mapping[str, Callable[[Stream], bool]] = {
    "occupancy": lambda run: True, "skab": lambda run: "anomaly-free" in run.name,
    "wsn": lambda run: not (run.fault == 1).any(), "fan": lambda run: run.name in ("normal", "moving"),
    "nab": lambda run: True,
}  # fmt: skip
"""Sets, and their runs in which nothing is wrong, or which have long stretches of that."""


def normal_runs(sets: Iterable[str] = tuple(NORMAL)) -> Iterator[tuple[Stream, int]]:
    """Streams, or stretches of them, without a fault; and how many rows are learned."""
    for name in sets:
        for run in map(stream.of, dataset(name).recordings):
            if NORMAL[name](run):
                learn = min(LEARN, run.learn)
                yield from ((each, learn) for each in stretches(run))


def stretches(run: Stream) -> Iterator[Stream]:
    """The run, or its stretches between faults; each is learned from its own beginning."""
    if (run.fault == 0).all():
        yield run
        return
    ends = np.flatnonzero(np.diff(np.concatenate([[False], run.fault == 0, [False]])))
    for begin, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        if end - begin >= LEAST and (run.fault[begin:end] == 0).all():
            inside = run.breaks[(run.breaks >= begin) & (run.breaks < end)] - begin
            yield replace(run, x=run.x[begin:end], at_s=run.at_s[begin:end], breaks=inside, fault=run.fault[begin:end])


class Detector(Protocol):
    """What is shown the rows behind those that it has learned, one after the other."""

    def next(self, row: Floats, gap: bool) -> bool | None:
        """Whether an alarm stands at this row [p]; None while it learns."""
        ...

    def acknowledge(self) -> None:
        """Someone has seen what stands, and that nothing is wrong: it learns from what comes."""
        ...


class Ours:
    """The learner."""

    def __init__(self, run: Stream, learn: int) -> None:
        self._place = learned_place(run, Settings(learn=learn, events=EVENTS))

    def next(self, row: Floats, gap: bool) -> bool | None:
        """Rows that cannot be learned from are a sensor fault, which is not for a learner; it learns from the next."""
        try:
            verdict = self._place.judge(row[None], [0] if gap else [])
        except Stuck:
            return None
        return None if np.isnan(verdict.score[0]) else bool(verdict.latched[0])

    def acknowledge(self) -> None:
        """It learns anew, as a gateway that was told so."""
        self._place.acknowledge()


class Static:
    """Mahalanobis with peaks over threshold, fitted once. Its alarm begins and ends as the learner's."""

    def __init__(self, run: Stream, learn: int) -> None:
        self._learn, self._rows = learn, list(run.x[:learn])
        self._judge = baselines.T2Pot(run.x[:learn], EVENTS)
        self._alarm = Alarm(Settings().quiet)

    def next(self, row: Floats, gap: bool) -> bool | None:
        """It knows no pauses."""
        if len(self._rows) < self._learn:
            self._rows.append(row)
            if len(self._rows) == self._learn:
                self._judge = baselines.T2Pot(np.array(self._rows), EVENTS)
            return None
        self._alarm.next(bool(self._judge(row[None])[0]))
        return self._alarm.latched

    def acknowledge(self) -> None:
        """What stands ends; it may begin again at once."""
        self._alarm = Alarm(Settings().quiet)


class Refitted(Static):
    """The same, fitted again after each acknowledgement as an engineer would, from as many rows as before."""

    def acknowledge(self) -> None:
        """It is fitted to what comes."""
        super().acknowledge()
        self._rows = []


@dataclass
class Watched:
    """What came of rows in which nothing is wrong; `blind`: those that came while it learned anew."""

    rows: int = 0
    alarmed: int = 0
    events: int = 0
    acknowledged: int = 0
    blind: int = 0

    def __add__(self, other: Watched) -> Watched:
        return Watched(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    @property
    def share(self) -> float:
        """Of the rows that were judged those in alarm."""
        return self.alarmed / max(self.rows, 1)

    def __str__(self) -> str:
        return (
            f"{self.alarmed} of {self.rows} rows judged ({100 * self.share:.1f} %), {self.acknowledged} times"
            f" acknowledged, {self.blind} rows while it learned anew"
        )


def watch(detector: Detector, run: Stream, learn: int, seen: int | None = SEEN) -> Watched:
    """A detector that has learned the first `learn` rows, on the others; somebody acknowledges what stands for `seen`
    rows (None: nobody does).
    """
    found, gaps, stood = Watched(), set(later(run, learn)), 0
    for at, row in enumerate(run.x[learn:]):
        stands = detector.next(row, at in gaps)
        if stands is None:
            found.blind += 1
            continue
        found.rows, found.alarmed = found.rows + 1, found.alarmed + stands
        found.events += stands and not stood
        stood = stood + 1 if stands else 0
        if stood == seen:
            detector.acknowledge()
            found.acknowledged += 1
            stood = 0
    return found


def alarms() -> Mapping[str, Figure]:
    """Alarmed rows against a static threshold, and alarm events against those wanted."""
    makers: Mapping[str, Callable[[Stream, int], Detector]] = {"ours": Ours, "static": Static, "refitted": Refitted}
    told = {(who, seen): Watched() for who in makers for seen in (SEEN, None) if seen or who != "refitted"}
    for run, learn in normal_runs():
        for who, seen in told:
            told[who, seen] += watch(makers[who](run, learn), run, learn, seen)
        say(f"{run.name}: " + "; ".join(f"{who} {found}" for (who, _), found in told.items()))
    ours = told["ours", SEEN]
    wanted = ours.rows * EVENTS
    assert wanted >= 10, f"only {wanted:.1f} events are expected"
    data = (
        f"rooms, machine temperature and CPU between failures, pump without anomalies, fan, and motes without events:"
        f" at most {LEARN} rows learned of each, the others judged row by row, 1 wanted event in {1 / EVENTS:g} rows;"
        " static: Mahalanobis with peaks over threshold; an alarm of either begins with three of five rows above the"
        " threshold and ends with ten that are not"
    )
    terms = f"who alarms for {SEEN} rows is acknowledged, and ours then learns anew from as many rows as at first"
    ratios = {
        name: (_ratio(other, own), f"static {other}; ours {own}")
        for name, other, own in (
            ("to_static", told["static", SEEN], ours),
            ("to_refitted", told["refitted", SEEN], ours),
            ("unacknowledged", told["static", None], told["ours", None]),
        )
    }
    reached = {name: "" if ratio >= AIM else f" BELOW {AIM:g}." for name, (ratio, _) in ratios.items()}
    what = "share of rows at which an alarm stands, static over ours."
    return {
        "alarmed_normal_ratio_to_static": Figure(
            ratios["to_static"][0], "",
            f"{what}{reached['to_static']} The static one is fitted once; {terms}: {ratios['to_static'][1]}. Where the"
            f" static one is fitted again as often as ours: {ratios['to_refitted'][0]:g}; where nobody acknowledges"
            f" either: {ratios['unacknowledged'][0]:g}; {data}",
        ),
        "alarmed_normal_ratio_to_refitted": Figure(
            ratios["to_refitted"][0], "",
            f"{what}{reached['to_refitted']} The static one is fitted again after each acknowledgement, as ours"
            f" is; {terms}: {ratios['to_refitted'][1]}; {data}",
        ),
        "alarmed_normal_ratio_unacknowledged": Figure(
            ratios["unacknowledged"][0], "",
            f"{what}{reached['unacknowledged']} Nobody acknowledges either: {ratios['unacknowledged'][1]}; {data}",
        ),
        "events_achieved_over_wanted": Figure(
            round(ours.events / wanted, 2), "",
            f"{ours.events} alarm events, {wanted:.1f} wanted, pooled; {terms}: {ours}; {data}",
        ),
    }  # fmt: skip


def _ratio(other: Watched, own: Watched) -> float:
    return round(other.share / max(own.share, 1 / max(own.rows, 1)), 2)


GROUPS: Mapping[str, Callable[[], Mapping[str, Figure]]] = {"alarms": alarms}
