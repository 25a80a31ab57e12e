"""Figures of slow processes: a pump's bed, rooms, and how often a learner at its place is wrong.

Nothing is chosen by a label, and nothing looks ahead. A stream's row number and time are seen by nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.fusion import Fusion
from gateway.detectors.place import Place, Settings, Verdicts
from gateway.detectors.place.normal import Stuck
from gateway.training import metrics, stream
from gateway.training.stream import Stream
from tests.bench import baselines
from tests.bench.figures import Figure
from tests.bench.progress import say
from tests.bench.shared_data import dataset

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

EVENTS = 1 / 500
"""Wanted alarm events a row of the streams that are all normal."""
LEARN = 240
SEEN = 60
"""Rows that an alarm stands until someone acknowledges it, where nothing is wrong."""
PAUSE = 3
LEAST = 1000
"""Rows of a normal stretch between faults that is taken for a stream."""


def learned_place(run: Stream, settings: Settings) -> Place:
    """A place that has learned the run's first `settings.learn` rows."""
    place = Place(run.channels if len(run.channels) == run.x.shape[1] else _numbers(run), settings)
    place.commission(run.x[: settings.learn], [at for at in pauses(run) if at < settings.learn])
    return place


def pauses(run: Stream) -> list[int]:
    """Rows before which more than PAUSE rows are missing: not the moment between two windows of a fan."""
    return [at for at in run.breaks.tolist() if run.at_s[at] - run.at_s[at - 1] > PAUSE * run.row_s]


def later(run: Stream, first: int) -> list[int]:
    """Pauses of the rows from `first` on, counted from there."""
    return [at - first for at in pauses(run) if at >= first]


# --- the pump


@dataclass
class Pump:
    """What a method does to all files, pooled."""

    rows: metrics.Confusion = field(default_factory=metrics.Confusion)
    before: metrics.Confusion = field(default_factory=metrics.Confusion)
    aurocs: list[float] = field(default_factory=list)

    def add(self, fault: NDArray[np.int8], score: Floats, alarm: Bools) -> None:
        """A file's rows from 400 on."""
        self.rows += metrics.confusion(fault, alarm)
        first = int(np.argmax(fault == 1))
        self.before += metrics.confusion(fault[:first], alarm[:first])
        self.aurocs.append(metrics.auroc(fault, score) or 0.0)

    @property
    def auroc(self) -> float:
        """Mean over the files."""
        return float(np.mean(self.aurocs))

    def __str__(self) -> str:
        """For `how`."""
        return (
            f"F1 {self.rows.f1:.3f}, false alarms {self.rows.false_alarm_pct:.1f} %,"
            f" missed {self.rows.missed_pct:.1f} %, before the fault {self.before.false_alarm_pct:.1f} %,"
            f" AUROC {self.auroc:.3f}"
        )


def pump_runs() -> Iterator[Stream]:
    """The labelled files of SKAB that are here."""
    for recording in dataset("skab").recordings:
        run = stream.of(recording)
        if (run.fault == 1).any():
            yield run


def pump_verdicts(run: Stream, settings: Settings) -> Verdicts:
    """On the rows of a file after those learned."""
    return learned_place(run, replace(settings, learn=run.learn)).judge(run.x[run.learn :], later(run, run.learn))


def pump_learner(settings: Settings) -> Pump:
    """The learner, file after file."""
    found = Pump()
    for run in pump_runs():
        verdicts = learned_place(run, replace(settings, learn=run.learn)).judge(
            run.x[run.learn :], later(run, run.learn)
        )
        found.add(run.fault[run.learn :], verdicts.score, verdicts.latched)
    return found


def pump_static(method: baselines.Static) -> Pump:
    """A static detector, file after file."""
    found = Pump()
    for run in pump_runs():
        found.add(run.fault[run.learn :], *method(run.x[: run.learn], run.x[run.learn :]))
    return found


def pump_clock() -> Pump:
    """What the number of the row alone gives, which no detector may have: alarm from 573 to 976."""
    found = Pump()
    for run in pump_runs():
        rows = np.arange(run.learn, len(run))
        found.add(run.fault[run.learn :], -np.abs(rows - 774.5), (rows >= 573) & (rows < 976))
    return found


def skab() -> Mapping[str, Figure]:
    """The published protocol: rows 0-399 of each file are learned, the others judged; F1 pooled, AUROC per file."""
    found = pump_learner(Settings())
    methods: dict[str, Pump] = {
        "everything anomalous": pump_static(baselines.everything), "row number alone": pump_clock(),
        "T² at 99 %": pump_static(baselines.t2), "T² and Q": pump_static(baselines.t2_q),
        "isolation forest": pump_static(baselines.forest),
    }  # fmt: skip
    rates = {rate: pump_learner(Settings(events=1 / rate)) for rate in (500, 1000, 5000)}
    for name, each in [*methods.items(), *((f"learner at 1 in {rate}", each) for rate, each in rates.items())]:
        say(f"{name}: {each}")
    how = (
        f"SKAB, the {len(found.aurocs)} labelled files here, rows 0-399 of each learned, the rest judged row by row and"
        " pooled, no labels used and no point adjustment; gateway.detectors.place at 1 wanted event in 2,000 rows."
        f" Missed {found.rows.missed_pct:.1f} %. The same rows: "
        + "; ".join(f"{name} {each}" for name, each in methods.items())
        + ". The learner at other rates: "
        + "; ".join(f"1 in {rate} {each}" for rate, each in rates.items())
    )
    return {
        "skab_f1": Figure(round(found.rows.f1 or 0, 3), "", how),
        "skab_false_alarm_pct": Figure(round(found.rows.false_alarm_pct or 0, 3), "%", how),
        "skab_missed_pct": Figure(round(found.rows.missed_pct or 0, 3), "%", how),
        "skab_false_alarm_before_fault_pct": Figure(
            round(found.before.false_alarm_pct or 0, 3), "%", f"alarmed rows from 400 to the first faulty one; {how}"
        ),
        "skab_macro_auroc": Figure(round(found.auroc, 3), "", f"mean over files; {how}"),
    }


# --- rooms


def at_recall(fault: NDArray[np.int8], score: Floats, recall: float = 0.95) -> int:
    """False alarms (rows) at the highest threshold that finds this share of the faulty rows."""
    faulty = np.sort(score[fault == 1])[::-1]
    threshold = faulty[int(np.ceil(recall * len(faulty))) - 1]
    return int(np.sum((score >= threshold) & (fault == 0)))


def mote(name: str) -> Stream:
    """One mote of the sensor network."""
    [recording] = dataset("wsn").of_node(name)
    return stream.of(recording)


class Rows(NamedTuple):
    """Rows with false alarms: at 95 % recall, and at the learned thresholds, where nobody acknowledges."""

    at_recall: int
    standing: int

    @classmethod
    def of(cls, fault: NDArray[np.int8], score: Floats, latched: Bools) -> Rows:
        """Of rows that were judged."""
        return cls(at_recall(fault, score), int(np.sum(latched & (fault == 0))))


def alone(run: Stream, columns: slice) -> Rows:
    """A learner of these channels of one mote."""
    part = replace(run, x=run.x[:, columns], channels=run.channels[columns])
    verdicts = learned_place(part, Settings(learn=run.learn)).judge(part.x[run.learn :], later(run, run.learn))
    return Rows.of(run.fault[run.learn :], verdicts.score, verdicts.latched)


def together(run: Stream, neighbour: Stream) -> Rows:
    """A mote fused with its neighbour, at the gateway."""
    rows = min(len(run), len(neighbour))
    assert np.array_equal(run.at_s[:rows], neighbour.at_s[:rows]), "the motes are not read together"
    fusion = Fusion({each.node: each.channels for each in (run, neighbour)}, Settings(learn=run.learn))
    fusion.commission({each.node: each.x[: run.learn] for each in (run, neighbour)})
    found = fusion.judge({each.node: each.x[run.learn : rows] for each in (run, neighbour)})
    return Rows.of(run.fault[run.learn : rows], found.score, found.latched)


def wsn() -> Mapping[str, Figure]:
    """Best single sensor against the fused ones, at equal recall."""
    told, ratios = [], {}
    for name, beside in (("mote-1", "mote-2"), ("mote-4", "mote-3")):
        run = mote(name)
        parts = (("humidity", slice(0, 1)), ("temperature", slice(1, 2)), ("both", slice(0, 2)))
        singles = {label: alone(run, columns) for label, columns in parts}
        fused = together(run, mote(beside))
        best = min(single.at_recall for single in singles.values())
        ratios[best] = (best + 1) / (fused.at_recall + 1)
        each = ", ".join(f"{label} {single.at_recall}" for label, single in singles.items())
        told.append(
            f"{name}: {each}, fused with {beside} {fused.at_recall} (at their own thresholds, acknowledged by none:"
            f" both {singles['both'].standing}, humidity {singles['humidity'].standing}, fused {fused.standing})"
        )
        say(told[-1])
    how = (
        "single-hop sensor network, rows 0-999 learned, the rest judged one by one; false alarms (rows) at 95 % recall"
        f" of the faulty rows: {'; '.join(told)}. Of the mote harder for its best sensor, (best + 1)/(fused + 1)"
    )
    return {"wsn_false_alarm_ratio_to_best_single": Figure(ratios[max(ratios)], "", how)}


# --- everything that is normal


@dataclass
class Watched:
    """What came of streams in which nothing is wrong."""

    rows: int = 0
    alarmed: int = 0
    static: int = 0
    events: int = 0
    blind: int = 0
    """Rows while it learned anew."""

    def __add__(self, other: Watched) -> Watched:
        return Watched(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


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
                yield from ((moving(each, learn), learn) for each in stretches(run))


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


def moving(run: Stream, learn: int) -> Stream:
    """Without channels that cannot be learned, as they stand still: a lamp that is off all night."""
    try:
        learned_place(run, Settings(learn=learn))
    except Stuck as error:
        kept = [number for number in range(run.x.shape[1]) if number not in error.features]
        return moving(replace(run, x=run.x[:, kept], channels=tuple(run.channels[k] for k in kept)), learn)
    return run


def watch(run: Stream, learn: int, seen: int = SEEN) -> Watched:
    """The learner, with someone who acknowledges what stands for `seen` rows; and the static one on the same rows."""
    place = learned_place(run, Settings(learn=learn, events=EVENTS))
    static = baselines.t2_pot(run.x[:learn], run.x[learn:], EVENTS)
    found, gaps, stood, stands = Watched(), set(later(run, learn)), 0, False
    for at, row in enumerate(run.x[learn:]):
        try:
            verdict = place.judge(row[None], [0] if at in gaps else [])
        except Stuck:
            continue  # a sensor fault, which is not for a learner; it learns from what comes
        if np.isnan(verdict.score[0]):
            found.blind += 1
            continue
        latched = bool(verdict.latched[0])
        found += Watched(1, latched, bool(static[at]), latched and not stands)
        stood, stands = stood + 1 if latched else 0, latched
        if stood == seen:
            place.acknowledge()
            stood, stands = 0, False
    return found


def alarms() -> Mapping[str, Figure]:
    """Alarmed rows against a static threshold, and alarm events against those wanted."""
    found, unseen = Watched(), Watched()
    for run, learn in normal_runs():
        each = watch(run, learn)
        say(f"{run.name}: {each}")
        found += each
        unseen += watch(run, learn, seen=len(run))
    wanted = found.rows * EVENTS
    assert wanted >= 10, f"only {wanted:.1f} events are expected"
    how = (
        "rooms, machine temperature and CPU between failures, pump without anomalies, fan, and motes without events:"
        f" at most {LEARN} rows learned of each, {found.rows} judged row by row, and none while it learned anew"
        f" ({found.blind}); an alarm that stands for {SEEN} rows is acknowledged (were none, {unseen.alarmed} of"
        f" {unseen.rows} rows would be alarmed, {unseen.static} with the static one);"
        f" 1 wanted event in {1 / EVENTS:g} rows"
    )
    ratio = found.static / max(found.alarmed, 1)
    return {
        "alarmed_normal_ratio_to_static": Figure(
            round(ratio, 1),
            "",
            f"{found.static} rows of static Mahalanobis with peaks over threshold, {found.alarmed} ours; {how}",
        ),
        "events_achieved_over_wanted": Figure(
            round(found.events / wanted, 2), "", f"{found.events} alarm events, {wanted:.1f} wanted, pooled; {how}"
        ),
    }


def _numbers(run: Stream) -> list[str]:
    return [f"feature {number}" for number in range(run.x.shape[1])]


GROUPS: Mapping[str, Callable[[], Mapping[str, Figure]]] = {"skab": skab, "wsn": wsn, "alarms": alarms}
