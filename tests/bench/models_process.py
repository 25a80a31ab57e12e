"""Figures of slow processes: a pump's bed, and rooms. How often a learner is wrong: `models_alarms.py`.

Nothing is chosen by a label, and nothing looks ahead. A stream's row number and time are seen by nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.fusion import Fusion
from gateway.detectors.place import Place, Settings, Verdicts
from gateway.training import metrics, stream
from gateway.training.judges import EVENTS
from gateway.training.stream import Stream
from tests.bench import baselines
from tests.bench.figures import Figure
from tests.bench.progress import say
from tests.bench.shared_data import dataset

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

PAUSE = 3


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


RATES: Mapping[str, float] = {"": Settings().events, "_1_in_500": EVENTS}
"""Ends of the figures' names, and wanted events a row."""


def skab() -> Mapping[str, Figure]:
    """The published protocol: rows 0-399 of each file are learned, the others judged; F1 pooled, AUROC per file."""
    methods: dict[str, Pump] = {
        "everything anomalous": pump_static(baselines.everything), "row number alone": pump_clock(),
        "T² at 99 %": pump_static(baselines.t2), "T² and Q": pump_static(baselines.t2_q),
        "isolation forest": pump_static(baselines.forest),
    }  # fmt: skip
    rates = {rate: pump_learner(Settings(events=1 / rate)) for rate in (500, 1000, 2000, 5000)}
    for name, each in [*methods.items(), *((f"learner at 1 in {rate}", each) for rate, each in rates.items())]:
        say(f"{name}: {each}")
    others = "; ".join(f"{name} {each}" for name, each in methods.items())
    each_rate = "; ".join(f"1 in {rate} {each}" for rate, each in rates.items())
    figures: dict[str, Figure] = {}
    for end, events in RATES.items():
        found = rates[round(1 / events)]
        how = (
            f"SKAB, the {len(found.aurocs)} labelled files here, rows 0-399 of each learned, the rest judged row by row"
            f" and pooled, no labels used and no point adjustment; gateway.detectors.place at 1 wanted event in"
            f" {1 / events:g} rows: {found}. A row is a reading of a second and no window: the learner's own default is"
            " 1 in 2,000, with which the motes are judged as well; stethos model evaluate takes 1 in 500 of whatever a"
            f" row is. The same rows: {others}. The learner by rate: {each_rate}"
        )
        figures |= {
            f"skab_f1{end}": Figure(round(found.rows.f1 or 0, 3), "", how),
            f"skab_false_alarm_pct{end}": Figure(round(found.rows.false_alarm_pct or 0, 3), "%", how),
            f"skab_missed_pct{end}": Figure(round(found.rows.missed_pct or 0, 3), "%", how),
            f"skab_false_alarm_before_fault_pct{end}": Figure(
                round(found.before.false_alarm_pct or 0, 3),
                "%",
                f"alarmed rows from 400 to the first faulty one; {how}",
            ),
            f"skab_macro_auroc{end}": Figure(round(found.auroc, 3), "", f"mean over files; {how}"),
        }  # fmt: skip
    return figures


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
    """Faulty rows, rows with false alarms at 95 % recall of them; and at the learned thresholds, where nobody
    acknowledges, rows with false alarms and faulty ones that are missed.
    """

    faulty: int
    at_recall: int
    standing: int
    missed: int

    @classmethod
    def of(cls, fault: NDArray[np.int8], score: Floats, latched: Bools) -> Rows:
        """Of rows that were judged."""
        faulty = fault == 1
        standing, missed = int(np.sum(latched & (fault == 0))), int(np.sum(~latched & faulty))
        return cls(int(faulty.sum()), at_recall(fault, score), standing, missed)


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
    """Best single sensor against the fused ones, at equal recall and at their own thresholds."""
    told, worse, ratios = [], list[str](), {}
    for name, beside in (("mote-1", "mote-2"), ("mote-4", "mote-3")):
        run = mote(name)
        parts = (("humidity", slice(0, 1)), ("temperature", slice(1, 2)), ("both", slice(0, 2)))
        found = {label: alone(run, columns) for label, columns in parts}
        best, own = (min(getattr(each, key) for each in found.values()) for key in ("at_recall", "standing"))
        fused = found[f"fused with {beside}"] = together(run, mote(beside))
        worse += [name] if fused.at_recall > best else []
        ratios[best] = (best + 1) / (fused.at_recall + 1), (own + 1) / (fused.standing + 1)
        told.append(
            f"{name}, {fused.faulty} faulty rows: "
            + ", ".join(
                f"{label} {each.at_recall} at 95 % recall, {each.standing} with {each.missed} missed at its threshold"
                for label, each in found.items()
            )
        )
        say(told[-1])
    how = (
        "single-hop sensor network, rows 0-999 learned, the rest judged one by one at 1 wanted event in 2,000 readings,"
        f" nobody acknowledges; rows with false alarms: {'; '.join(told)}. Of the mote harder for its best sensor,"
        " (best + 1)/(fused + 1)"
    )
    few = "95 % of so few faulty rows is all but one or two: a ratio of two counts at one threshold, with no spread"
    at_recall, own_threshold = ratios[max(ratios)]
    if worse:
        few += f". WORSE than its best sensor is the fused one of {', '.join(worse)}"
    return {
        "wsn_false_alarm_ratio_to_best_single": Figure(round(at_recall, 2), "", f"{how} at 95 % recall; {few}"),
        "wsn_false_alarm_ratio_own_threshold": Figure(
            round(own_threshold, 2), "", f"{how} at their own thresholds, where the misses differ"
        ),
    }


def _numbers(run: Stream) -> list[str]:
    return [f"feature {number}" for number in range(run.x.shape[1])]


GROUPS: Mapping[str, Callable[[], Mapping[str, Figure]]] = {"skab": skab, "wsn": wsn}
