"""The two-path study: a static int8 model, the learner on the node, both, and the learner at the gateway, on the same
rows, in the conditions in which a node's life differs from its first hour.

What a detector learns from is what the manifest says may be learned from. Labels are read when everything has been
judged, except where a fault is put into a ramp on purpose, of which no threshold knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from gateway.detectors.feature_sets import NAMES
from gateway.training import evaluation, metrics
from gateway.training.dataset import Dataset
from gateway.training.dense import Unsuitable
from gateway.training.evaluation import Figures, Track
from gateway.training.held_out import Unfit
from gateway.training.judges import CannotLearn, Judge, Subject
from gateway.training.stream import Stream
from gateway.training.study import conditions as study_conditions
from gateway.training.study import paths as study_paths
from gateway.training.study.conditions import Condition, Visit
from gateway.training.study.data import Shown, Source, seen
from gateway.training.study.footprint import Footprint, of_paths
from gateway.training.study.paths import PLACE, STATIC, Static

Say = Callable[[str], None]


@dataclass(frozen=True)
class OfPath:
    """What a path did in a condition: pooled figures, the tracks behind them, and remarks on what it learned."""

    figures: Figures
    tracks: tuple[Track, ...]
    notes: tuple[str, ...]
    float_auroc: float | None = None
    """Of the static model before it is int8."""

    @property
    def int8_cost(self) -> float | None:
        """AUROC that was lost in becoming int8."""
        own = self.figures.auroc
        return None if self.float_auroc is None or own is None else self.float_auroc - own


@dataclass(frozen=True)
class OfCondition:
    """A condition, and what each path did in it."""

    condition: Condition
    paths: Mapping[str, OfPath]


@dataclass(frozen=True)
class Domain:
    """A dataset's part of the study. `missing`: conditions that it cannot give, and why. `static`: None if no model
    could be trained; `refused` says why.
    """

    source: Source
    training: tuple[str, ...]
    learned: int
    static: Static | None
    refused: str
    conditions: Mapping[str, OfCondition]
    missing: Mapping[str, str]
    footprint: Mapping[str, Footprint]

    @property
    def name(self) -> str:
        """Of the dataset, and of the node where there are several."""
        nodes = self.source.dataset.nodes
        return self.source.dataset.name + (f" / {self.source.node}" if len(nodes) > 1 else "")


@dataclass(frozen=True)
class Study:
    """All of it."""

    seed: int
    domains: tuple[Domain, ...]
    not_studied: Mapping[str, str] = field(default_factory=dict)
    """Datasets of which nothing could be shown, and why."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to study: a node of a dataset (None: the first), how long its first session is learned from by the static
    model (None: as the manifest says), sessions that are left out, and the feature set (None: as its rate asks for).
    """

    dataset: Dataset
    node: str | None = None
    train_s: float | None = None
    without: frozenset[str] = frozenset()
    feature_set: int | None = None


def study(wishes: Sequence[Wish], seed: int = 1, say: Say = lambda _: None) -> Study:
    """Runs everything; the same for the same seed. `say` is told what is being done."""
    domains, refused = [], {}
    for wish in wishes:
        try:
            domains.append(_domain(wish, seed, say))
        except Unfit as error:
            refused[wish.dataset.name] = str(error)
            say(f"{wish.dataset.name}: {error}")
    return Study(seed, tuple(domains), refused)


def _domain(wish: Wish, seed: int, say: Say) -> Domain:
    source = Source(wish.dataset, wish.node, wish.feature_set)
    name = wish.dataset.name
    say(f"{name}: {source.node}, {NAMES[source.feature_set]} features of {source.samples} samples")
    lessons = study_conditions.lessons(source, wish.train_s, wish.without)
    if not lessons:
        raise Unfit("nothing may be learned from: set the commission_s of a run in dataset.json, or --train-s")
    static, refused = _static(source, lessons, seed)
    say(
        f"{name}: {refused or 'static model of ' + '-'.join(map(str, study_paths.sizes(static)))}"
        if static
        else refused
    )
    found: dict[str, OfCondition] = {}
    conditions, missing = study_conditions.conditions(source, lessons, wish.without)
    for condition in conditions:
        say(f"{name}: {condition.name}")
        found[condition.name] = OfCondition(condition, _paths(source, condition, lessons, static))
    return Domain(
        source=source,
        training=tuple(dict.fromkeys(one.windows.session for one in lessons)),
        learned=sum(one.learn for one in lessons),
        static=static,
        refused=refused,
        conditions=found,
        missing=missing,
        footprint=of_paths(source, static),
    )


def _static(source: Source, lessons: Sequence[Shown], seed: int) -> tuple[Static | None, str]:
    with TemporaryDirectory() as folder:
        try:
            return study_paths.train(source, lessons, Path(folder) / "study", seed), ""
        except (Unfit, Unsuitable) as error:
            return None, f"no static model: {error}"


def _paths(source: Source, condition: Condition, lessons: Sequence[Shown], static: Static | None) -> dict[str, OfPath]:
    found = {}
    for path, make in study_paths.makers(static).items():
        said = [
            _visited(visit, make, lessons, gateway=path == PLACE and source.slow, hop=source.hop)
            for visit in condition.visits
        ]
        tracks = tuple(track for part, _ in said for track in part)
        notes = tuple(dict.fromkeys(note for _, part in said for note in part))
        score = _float_auroc(condition, tracks, static) if path == STATIC and static is not None else None
        found[path] = OfPath(evaluation.figures(tracks), tracks, notes, score)
    return found


def _visited(
    visit: Visit, make: Callable[[Subject], Judge], lessons: Sequence[Shown], *, gateway: bool, hop: int
) -> tuple[list[Track], list[str]]:
    """A judge's tracks of the runs of one session, on the windows behind what is learned from, and its notes."""
    first = visit.shown[0].readings if gateway else visit.shown[0].windows
    judge = make(Subject.of(first))
    tracks, notes = [], []
    learned = False
    for shown in visit.shown:
        rows, learn = (shown.readings, shown.readings_learn) if gateway else (shown.windows, shown.learn)
        if learn or not learned:
            notes += _commission(judge, shown, rows, learn, lessons, gateway=gateway)
            learned = True
        found = judge.judge(seen(rows, learn, len(rows)))
        score, alarm = np.full(len(rows), np.nan), np.zeros(len(rows), np.bool_)
        sound = np.flatnonzero(rows.sensor_fault[learn:] == 0) + learn
        score[sound], alarm[sound] = found.score, found.alarm
        if gateway:
            score, alarm = score[shown.at], alarm[shown.at]
        each = judge.wanted * (hop if gateway else 1)
        tracks.append(_track(shown, max(shown.learn, visit.after), score, alarm, each, "; ".join(notes)))
    return tracks, notes


def _commission(
    judge: Judge, shown: Shown, rows: Stream, learn: int, lessons: Sequence[Shown], *, gateway: bool
) -> list[str]:
    """Learn at the place, or, where there is too little to learn from, go on with what was learned before."""
    try:
        if learn:
            judge.commission(seen(rows, 0, learn))
            return []
        why = "nothing to learn from"
    except CannotLearn as error:
        why = str(error)
    before = study_conditions.together(lessons, gateway=gateway)
    try:
        judge.commission(before)
    except CannotLearn as error:
        return [f"{rows.session}: {why}; nor before: {error}"]
    return [f"{rows.session}: {why}; it goes on with what it learned before"]


def _track(shown: Shown, first: int, score: metrics.Numbers, alarm: metrics.Alarms, wanted: float, note: str) -> Track:
    rows = shown.windows
    return Track(
        run=rows.name, node=rows.node, asset=rows.asset, session=rows.session, learned=first, row_s=rows.row_s,
        wanted=wanted, at_s=rows.at_s[first:], fault=rows.fault[first:], label=rows.label[first:],
        score=score[first:], alarm=alarm[first:], note=note,
    )  # fmt: skip


def _float_auroc(condition: Condition, tracks: Sequence[Track], static: Static) -> float | None:
    """On the rows that were judged."""
    runs = [shown.windows for visit in condition.visits for shown in visit.shown]
    errors = [static.float_errors(run.x)[track.learned :] for run, track in zip(runs, tracks, strict=True)]
    kept = [track.judged for track in tracks]
    fault = np.concatenate([track.fault[k] for track, k in zip(tracks, kept, strict=True)])
    return metrics.auroc(fault, np.concatenate([e[k] for e, k in zip(errors, kept, strict=True)]))
