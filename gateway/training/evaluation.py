"""A detector on a dataset: commissioned as each run says, shown the rest row by row, and measured against the labels.

Labels are read after everything has been judged. What they cannot give (no faults, no labels at all) is None.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.training import metrics, stream
from gateway.training.dataset import Dataset, Recording
from gateway.training.judges import CannotLearn, Judge, Maker, Seen, Subject
from gateway.training.metrics import Confusion, Labels, Numbers
from gateway.training.stream import Stream
from gateway.training.view import NotEvaluable, View, gathered, joined, usual_hop, usual_samples

_AT_ONCE = 4096  # rows, from one word of progress to the next

Progress = Callable[[str, float], None]
"""Called with a run's name and the share of the whole that is done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Track:
    """What a detector said of a run, behind what it learned from: n rows. `score` is NaN where it did not judge."""

    run: str
    node: str
    asset: str
    session: str
    learned: int
    row_s: float
    wanted: float
    at_s: Numbers
    fault: Labels
    label: tuple[str, ...]
    score: Numbers
    alarm: NDArray[np.bool_]
    note: str = ""

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Which rows were."""
        return ~np.isnan(self.score)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one or more tracks, pooled. `*_pct` are of rows, `anomalous_*` without waiting for more rows and without
    latching; an event is an alarm that begins. `wanted_false_events` are promised for the normal rows, `wanted_events`
    for all that were judged, if all of them were normal. `clock_auroc`: what a clock alone would reach.
    """

    rows: int
    not_judged: int
    hours: float
    normal_rows: int
    fault_rows: int
    auroc: float | None
    auprc: float | None
    accuracy: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    false_alarm_pct: float | None
    missed_pct: float | None
    anomalous_normal_pct: float | None
    anomalous_fault_pct: float | None
    alarmed_pct: float | None
    events: int
    false_events: int
    wanted_false_events: float
    wanted_events: float
    achieved_over_wanted: float | None
    faults: int
    faults_found: int
    delay_s: float | None
    longest_delay_s: float | None
    clock_auroc: float | None
    alarmed_pct_by_label: dict[str, float]


@dataclass(frozen=True, slots=True)
class OfRun:
    """One run's."""

    run: str
    node: str
    asset: str
    session: str
    learned: int
    note: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that `stethos model evaluate` finds. `macro_auroc` is the mean over the runs that have one."""

    dataset: str
    dataset_sha256: str
    detector: str
    windows_per_s: float
    pooled: Figures
    macro_auroc: float | None
    runs: tuple[OfRun, ...]

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def evaluate(
    dataset: Dataset, make: Maker, name: str, view: View | None = None, progress: Progress | None = None
) -> Result:
    """Run the detector that `make` gives for each node. Raises NotEvaluable, DatasetBroken, and what `make` raises."""
    return measured(dataset, name, tracks(dataset, make, view or View(), progress))


def measured(dataset: Dataset, name: str, said: Iterable[Track]) -> Result:
    """What comes of a detector's tracks, and how long they took to come. Raises NotEvaluable."""
    begun = time.perf_counter()
    found = list(said)
    took_s = time.perf_counter() - begun
    if not any(track.judged.any() for track in found):
        empty = "no row behind what is learned from"
        why = ((t.run, t.note.removeprefix(f"{t.run}: ") or empty) for t in found)
        raise NotEvaluable(gathered(why) or "nothing to judge")
    runs = tuple(OfRun(t.run, t.node, t.asset, t.session, t.learned, t.note, figures([t])) for t in found)
    own = [run.figures.auroc for run in runs if run.figures.auroc is not None]
    rows = sum(track.learned + len(track.score) for track in found)
    return Result(
        dataset=dataset.name,
        dataset_sha256=dataset.sha256(),
        detector=name,
        windows_per_s=rows / took_s,
        pooled=figures(found),
        macro_auroc=float(np.mean(own)) if own else None,
        runs=runs,
    )


def tracks(dataset: Dataset, make: Maker, view: View, progress: Progress | None = None) -> Iterator[Track]:
    """What the detector says, run by run: a judge for each node, which meets the node's runs in their order.

    Raises NotEvaluable, also where a node's runs are not of one kind, DatasetBroken, and what `make` raises.
    """
    chosen = view.recordings(dataset)
    done = _Done(chosen, progress)
    for node in dict.fromkeys(r.run.node for r in chosen):
        recordings = [r for r in chosen if r.run.node == node]
        judge: Judge | None = None
        subject: Subject | None = None
        lessons: list[Seen] = []
        for recording, (seen, learnt_s) in zip(recordings, streams(recordings, view), strict=True):
            subject = subject or Subject.of(seen)
            if Subject.of(seen) != subject:
                raise NotEvaluable(f"run {seen.name}: its channels or features are not those of the node's first run")
            judge = judge or make(subject)
            yield _track(recording, seen, judge, learnt_s, lessons, done)


def streams(recordings: Sequence[Recording], view: View) -> Iterator[tuple[Stream, float]]:
    """A node's runs as rows, and how many seconds of each may be learned from."""
    learned_s, samples = view.learned_s(recordings), view.samples or usual_samples(recordings)
    hop = view.hop or (usual_hop(recordings, samples, learned_s) if samples else None)
    for recording, learnt_s in zip(recordings, learned_s, strict=True):
        yield stream.of(recording, view.feature_set, samples, hop, learnt_s), learnt_s


def figures(found: Sequence[Track]) -> Figures:
    """Of all tracks together."""
    kept = [track.judged for track in found]
    fault, score, alarm = (
        np.concatenate([getattr(track, name)[keep] for track, keep in zip(found, kept, strict=True)])
        for name in ("fault", "score", "alarm")
    )
    pooled = sum((metrics.confusion(t.fault[k], t.alarm[k]) for t, k in zip(found, kept, strict=True)), Confusion())
    at_once = metrics.confusion(fault, score > 1)
    false_events = sum(metrics.false_events(t.fault[k], t.alarm[k]) for t, k in zip(found, kept, strict=True))
    wanted = sum(t.wanted * int(np.sum(t.fault[k] == 0)) for t, k in zip(found, kept, strict=True))
    delays = [d for t, k in zip(found, kept, strict=True) for d in metrics.delays_s(t.fault[k], t.alarm[k], t.at_s[k])]
    caught = [delay for delay in delays if delay is not None]
    return Figures(
        rows=len(fault),
        not_judged=sum(len(track.score) for track in found) - len(fault),
        hours=sum(_seconds(track) for track in found) / 3600,
        normal_rows=pooled.normal,
        fault_rows=pooled.faulty,
        auroc=metrics.auroc(fault, score),
        auprc=metrics.auprc(fault, score),
        accuracy=pooled.accuracy,
        precision=pooled.precision,
        recall=pooled.recall,
        f1=pooled.f1,
        false_alarm_pct=pooled.false_alarm_pct,
        missed_pct=pooled.missed_pct,
        anomalous_normal_pct=at_once.false_alarm_pct,
        anomalous_fault_pct=None if at_once.recall is None else 100 * at_once.recall,
        alarmed_pct=float(100 * alarm.mean()) if len(alarm) else None,
        events=sum(len(metrics.onsets(t.alarm[k])) for t, k in zip(found, kept, strict=True)),
        false_events=false_events,
        wanted_false_events=wanted,
        wanted_events=sum(track.wanted * int(keep.sum()) for track, keep in zip(found, kept, strict=True)),
        achieved_over_wanted=false_events / wanted if wanted else None,
        faults=len(delays),
        faults_found=len(caught),
        delay_s=float(np.median(caught)) if caught else None,
        longest_delay_s=max(caught, default=None),
        clock_auroc=metrics.clock_auroc(
            [t.fault[k] for t, k in zip(found, kept, strict=True)],
            [t.at_s[k] for t, k in zip(found, kept, strict=True)],
        ),
        alarmed_pct_by_label=_by_label(found, kept),
    )


class _Done:
    """How much of all rows has been judged, which is told to whoever wants to know."""

    def __init__(self, recordings: Sequence[Recording], told: Progress | None) -> None:
        self._told, self._before = told, 0.0
        rows = {r.name: r.rows() for r in recordings} if told else {}
        self._share = {name: n / max(sum(rows.values()), 1) for name, n in rows.items()}

    def of(self, run: str, share: float) -> None:
        """So much of this run, and all of those before it; a run is done at 1."""
        if self._told is not None:
            self._told(run, self._before + share * self._share[run])
            self._before += self._share[run] if share == 1 else 0


def _track(
    recording: Recording, seen: Stream, judge: Judge, learnt_s: float, lessons: list[Seen], done: _Done
) -> Track:
    """Commissions where the run says so; a judge that cannot learn, there or from what was before, judges no row."""
    sound, learn = seen.sensor_fault == 0, seen.learn
    done.of(seen.name, 0)
    why, knows = _commissioned(recording, seen, judge, learnt_s, lessons)
    refused = "" if knows else why
    score, alarm = np.full(len(seen) - learn, np.nan), np.zeros(len(seen) - learn, np.bool_)
    if not refused:
        score[sound[learn:]], alarm[sound[learn:]] = _judged(seen, judge, done)
        if sound[learn:].any() and np.isnan(score).all():
            refused = why or f"nothing learned: its commission_s is {learnt_s:g}"
    done.of(seen.name, 1)
    notes = [refused] if refused else [*([why] if why else []), *_notes(seen)]
    return Track(
        run=seen.name,
        node=seen.node,
        asset=seen.asset,
        session=seen.session,
        learned=learn,
        row_s=seen.row_s,
        wanted=judge.wanted,
        at_s=seen.at_s[learn:],
        fault=seen.fault[learn:],
        label=seen.label[learn:],
        score=score,
        alarm=alarm,
        note="".join(f"{seen.name}: {'; '.join(notes)}" for _ in notes[:1]),
    )


def _commissioned(
    recording: Recording, seen: Stream, judge: Judge, learnt_s: float, lessons: list[Seen]
) -> tuple[str, bool]:
    """Learns at the place, or, where there is too little to learn from, from that and all before it (`lessons`).

    Gives why it did not learn at the place, and whether it can judge all the same.
    """
    why, known = "", len(lessons)
    if seen.learn:
        lessons.append(_seen(seen, 0, seen.learn))
        try:
            judge.commission(lessons[-1])
            return "", True
        except CannotLearn as error:
            unsound = _unsound(recording, seen.sensor_fault[: seen.learn] == 0)
            why = f"{error}, of its first {learnt_s:g} s (commission_s){unsound}"
    elif learnt_s:
        why = f"no whole row in the {learnt_s:g} s to learn from"
    if not why or not known or not len(seen):
        return why, not seen.learn
    try:
        judge.commission(joined(lessons))
    except CannotLearn:
        return why, False
    return f"{why}; it goes on with what it learned before", True


def _judged(seen: Stream, judge: Judge, done: _Done) -> tuple[Numbers, NDArray[np.bool_]]:
    """Score and alarm of the sound rows behind what was learned from; a piece at a time, which no judge can tell."""
    rows, score, alarm = _seen(seen, seen.learn, len(seen)), [np.zeros(0)], [np.zeros(0, np.bool_)]
    for first in range(0, len(rows), _AT_ONCE):
        last = min(first + _AT_ONCE, len(rows))
        context = None if rows.context is None else rows.context[first:last]
        breaks = tuple(gap - first for gap in rows.breaks if first <= gap < last)
        found = judge.judge(Seen(rows.x[first:last], context, breaks))
        score.append(found.score)
        alarm.append(found.alarm)
        done.of(seen.name, 0.999 * last / len(rows))
    return np.concatenate(score), np.concatenate(alarm)


def _unsound(recording: Recording, sound: NDArray[np.bool_]) -> str:
    """Says how many windows were left out because of the sensor, and which channels never give anything else."""
    if sound.all():
        return ""
    values = recording.read().values
    still = [c.name for c, spread in zip(recording.run.channels, np.ptp(values, axis=0), strict=True) if not spread]
    why = f": {', '.join(still)} never changes" if still else ""
    return f"; in {np.count_nonzero(~sound)} more the sensor was stuck or saturated{why}"


def _notes(seen: Stream) -> list[str]:
    """What a person should know who reads the figures."""
    found = []
    if faulty := int(np.sum(seen.fault[: seen.learn] == 1)):
        found.append(f"{faulty} of {seen.learn} rows that it learned from are labelled as a fault")
    if unsound := int(np.count_nonzero(seen.sensor_fault[seen.learn :])):
        found.append(f"{unsound} rows not judged: the sensor was stuck or saturated")
    return found + _unknown(seen)


def _unknown(seen: Stream) -> list[str]:
    """Which values changed only behind what is learned from: how far they usually move is a guess."""
    if seen.feature_set is not None or not 0 < seen.learn < len(seen):
        return []
    still = (np.ptp(seen.x[: seen.learn], axis=0) == 0) & (np.ptp(seen.x, axis=0) > 0)
    names = [name for name, one in zip(seen.channels, still.tolist(), strict=True) if one]
    return [f"{', '.join(names)} did not change in what is learned from"] if names else []


def _seen(seen: Stream, first: int, last: int) -> Seen:
    """The rows that a judge is shown: those whose sensor was sound. A run begins with a break.

    Where most rows follow a pause, that is how the node looks at its machine, and no break in anything.
    """
    rows = np.flatnonzero(seen.sensor_fault[first:last] == 0) + first
    pauses = seen.breaks if 2 * len(seen.breaks) < len(seen) else ()
    gaps = [np.searchsorted(rows, gap) for gap in (0, *pauses) if first <= gap < last]
    context = None if seen.context is None else seen.context[rows]
    return Seen(seen.x[rows], context, tuple(sorted({int(gap) for gap in gaps if gap < len(rows)})))


def _seconds(track: Track) -> float:
    """From the beginning of the first row that was judged to the end of the last."""
    at_s = track.at_s[track.judged]
    return float(at_s[-1] - at_s[0]) + track.row_s if len(at_s) else 0.0


def _by_label(found: Sequence[Track], kept: Sequence[NDArray[np.bool_]]) -> dict[str, float]:
    """Rows of each label that were alarmed, per cent."""
    names = np.array([n for t, k in zip(found, kept, strict=True) for n in np.array(t.label, object)[k]], object)
    alarm = np.concatenate([t.alarm[k] for t, k in zip(found, kept, strict=True)])
    return {name: float(100 * alarm[names == name].mean()) for name in sorted(set(names.tolist())) if name}
