"""A detector on a dataset: commissioned as each run says, shown the rest row by row, and measured against the labels.

Labels are read after everything has been judged. What they cannot give (no faults, no labels at all) is None.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.training import metrics, stream
from gateway.training.dataset import Dataset, Recording
from gateway.training.judges import CannotLearn, Judge, Maker, Seen, Subject
from gateway.training.metrics import Confusion, Labels, Numbers
from gateway.training.stream import Stream


class NotEvaluable(ValueError):  # noqa: N818 - says what the dataset is
    """A dataset of which nothing can be judged; the message says why."""


@dataclass(frozen=True, slots=True)
class View:
    """How runs are made into rows; None: as `stream.of` does by itself, the same for all runs of a node.

    `commission_s`: in place of the manifest's, of each node's first run in a session; the others go on from it.
    """

    feature_set: int | None = None
    samples: int | None = None
    hop: int | None = None
    nodes: tuple[str, ...] = ()
    commission_s: float | None = None


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
    latching; an event is an alarm that begins. `clock_auroc`: what a clock alone would reach.
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


def evaluate(dataset: Dataset, make: Maker, name: str, view: View | None = None) -> Result:
    """Run the detector that `make` gives for each node. Raises NotEvaluable, DatasetBroken, and what `make` raises."""
    return measured(dataset, name, tracks(dataset, make, view or View()))


def measured(dataset: Dataset, name: str, said: Iterable[Track]) -> Result:
    """What comes of a detector's tracks, and how long they took to come. Raises NotEvaluable."""
    begun = time.perf_counter()
    found = list(said)
    took_s = time.perf_counter() - begun
    if not any(track.judged.any() for track in found):
        why = (track.note or f"{track.run}: no row behind what is learned from" for track in found)
        raise NotEvaluable("; ".join(why) or "nothing to judge")
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


def tracks(dataset: Dataset, make: Maker, view: View) -> Iterator[Track]:
    """What the detector says, run by run: a judge for each node, which meets the node's runs in their order.

    Raises NotEvaluable, also where a node's runs are not of one kind, DatasetBroken, and what `make` raises.
    """
    if strangers := set(view.nodes) - set(dataset.nodes):
        raise NotEvaluable(f"no node {sorted(strangers)[0]!r}: there are {', '.join(dataset.nodes)}")
    for node in view.nodes or dataset.nodes:
        recordings = dataset.of_node(node)
        samples = view.samples or usual_samples(recordings)
        judge: Judge | None = None
        subject: Subject | None = None
        sessions: set[str] = set()
        for recording in recordings:
            run = recording.run
            learnt_s = run.commission_s
            if view.commission_s is not None:
                learnt_s = 0.0 if run.session in sessions else view.commission_s
            sessions.add(run.session)
            seen = stream.of(recording, view.feature_set, samples, view.hop, learnt_s)
            subject = subject or Subject.of(seen)
            if Subject.of(seen) != subject:
                raise NotEvaluable(f"run {run.name}: its channels or features are not those of the node's first run")
            judge = judge or make(subject)
            yield _track(seen, judge, learnt_s)


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
        hours=sum(track.row_s * int(keep.sum()) for track, keep in zip(found, kept, strict=True)) / 3600,
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
        achieved_over_wanted=false_events / wanted if wanted else None,
        faults=len(delays),
        faults_found=len(caught),
        delay_s=float(np.median(caught)) if caught else None,
        longest_delay_s=max(caught, default=None),
        clock_auroc=metrics.clock_auroc([t.fault for t in found], [t.at_s for t in found]),
        alarmed_pct_by_label=_by_label(found, kept),
    )


def usual_samples(recordings: Sequence[Recording]) -> int | None:
    """The window that fits all of these runs; None where none is of samples."""
    lengths = (stream.usual_samples(r.run, r.rows()) for r in recordings if r.run.kind == "samples")
    return min(lengths, default=None)


def _track(seen: Stream, judge: Judge, learnt_s: float) -> Track:
    """Commissions where the run says so; a judge that cannot learn from it judges none of its rows."""
    sound = seen.sensor_fault == 0
    note, learn = "", seen.learn
    if learnt_s and not learn:
        note = f"{seen.name}: no whole row in the {learnt_s:g} s to learn from"
    if learn:
        try:
            judge.commission(_seen(seen, 0, learn))
        except CannotLearn as error:
            unsound = learn - int(sound[:learn].sum())
            why = f"; in {unsound} more the sensor was stuck or saturated" if unsound else ""
            note = f"{seen.name}: {error}{why}"
    score, alarm = np.full(len(seen) - learn, np.nan), np.zeros(len(seen) - learn, np.bool_)
    if not note:
        found = judge.judge(_seen(seen, learn, len(seen)))
        score[sound[learn:]], alarm[sound[learn:]] = found.score, found.alarm
        if len(found.score) and np.isnan(found.score).all():
            note = f"{seen.name}: nothing learned: its commission_s is {learnt_s:g}"
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
        note=note or _unknown(seen),
    )


def _unknown(seen: Stream) -> str:
    """Says which values changed only behind what is learned from: nothing can be known of them there."""
    if seen.feature_set is not None or not 0 < seen.learn < len(seen):
        return ""
    still = (np.ptp(seen.x[: seen.learn], axis=0) == 0) & (np.ptp(seen.x, axis=0) > 0)
    names = [name for name, one in zip(seen.channels, still.tolist(), strict=True) if one]
    return f"{seen.name}: {', '.join(names)} did not change in what is learned from" if names else ""


def _seen(seen: Stream, first: int, last: int) -> Seen:
    """The rows that a judge is shown: those whose sensor was sound. A run begins with a break.

    Where most rows follow a pause, that is how the node looks at its machine, and no break in anything.
    """
    rows = np.flatnonzero(seen.sensor_fault[first:last] == 0) + first
    pauses = seen.breaks if 2 * len(seen.breaks) < len(seen) else ()
    gaps = [np.searchsorted(rows, gap) for gap in (0, *pauses) if first <= gap < last]
    context = None if seen.context is None else seen.context[rows]
    return Seen(seen.x[rows], context, tuple(sorted({int(gap) for gap in gaps if gap < len(rows)})))


def _by_label(found: Sequence[Track], kept: Sequence[NDArray[np.bool_]]) -> dict[str, float]:
    """Rows of each label that were alarmed, per cent."""
    names = np.array([n for t, k in zip(found, kept, strict=True) for n in np.array(t.label, object)[k]], object)
    alarm = np.concatenate([t.alarm[k] for t, k in zip(found, kept, strict=True)])
    return {name: float(100 * alarm[names == name].mean()) for name in sorted(set(names.tolist())) if name}
