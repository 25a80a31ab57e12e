"""What is evaluated: detectors that are shown a node's rows one after the other, and say how strange each is.

A judge sees `Seen` and nothing else: no labels, no times, no row numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.detectors import detector, direct, judged
from gateway.detectors.bundle import Bundle
from gateway.detectors.learner import Learner, LearnerRefused, Reply
from gateway.detectors.place import Place, Settings
from gateway.detectors.place.context import Contexts, varying
from gateway.detectors.place.kriging import Column, Kind
from gateway.detectors.place.normal import Fit, fit
from gateway.detectors.place.threshold import third_of_five
from gateway.training.stream import Stream

EVENTS = 1 / 500
"""False-alarm events that are wanted in a row of normal data, where nothing else is."""

LEAST_LEARNED = 24
"""Windows that a node's learner needs (core/learner.h)."""

_QUIET = 10
_STATE_NAMES = "state", "mode", "regime", "recipe", "program"
_PERIODS = {"time_of_day": 24.0, "day_of_week": 7.0, "weekday": 7.0}
_STATES = 16  # a context that is called so has no more of them

Floats = NDArray[np.float64]


class CannotLearn(ValueError):  # noqa: N818 - says what the rows are
    """Rows that a judge cannot learn from: too few, or without any change."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Which node a judge is for, and what its rows are."""

    node: str
    asset: str
    feature_set: int | None
    channels: tuple[str, ...]
    context_names: tuple[str, ...]

    @classmethod
    def of(cls, stream: Stream) -> Subject:
        """Of a stream."""
        return cls(stream.node, stream.asset, stream.feature_set, stream.channels, stream.context_names)

    def terms(self, x: Floats) -> Floats:
        """Rows [n, p] as the gateway's learner judges them: of features `judged`, readings as they are."""
        return x if self.feature_set is None else judged.judged(self.feature_set, len(self.channels), x)

    @property
    def term_names(self) -> tuple[str, ...]:
        """Of the columns of `terms`."""
        return self.channels if self.feature_set is None else judged.names(self.feature_set, self.channels)


@dataclass(frozen=True, slots=True)
class Seen:
    """Rows [n, p] in order, what was known of the machine then [n, k], and rows before which there was a pause."""

    x: Floats
    context: Floats | None
    breaks: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, slots=True)
class Judged:
    """For each row `score`, above 1 where it is anomalous, NaN where it was not judged; and whether an alarm stands."""

    score: Floats
    alarm: NDArray[np.bool_]


class Judge(Protocol):
    """A detector under evaluation, for one node; strictly streaming."""

    wanted: float
    """False-alarm events that it promises in a row of normal data."""

    def commission(self, rows: Seen) -> None:
        """Learn what is normal, anew. Raises CannotLearn."""
        ...

    def judge(self, rows: Seen) -> Judged:
        """The next rows. What it says of one does not depend on those behind it."""
        ...


Maker = Callable[[Subject], Judge]


class BundleJudge:
    """A Bundle with the threshold for this node and asset, and for the context of each row where that is known. An
    event begins as its calibration has it: with a window above the threshold, or three of the last five; it ends after
    ten that are not.
    """

    def __init__(self, bundle: Bundle, subject: Subject, context_known: bool = False) -> None:
        """`context_known`: whoever judges is told the context; nodes and re-scoring are not. Raises BundleBroken,
        Refused or LibraryMissing if the model cannot be run.
        """
        self._manifest, self._subject = bundle.manifest, subject
        calibration = bundle.manifest.calibration
        self.wanted = calibration.events_ppb / 1e9 if calibration else bundle.manifest.quality.wanted_ppm / 1e6
        self._three = bool(calibration and calibration.by == "event_3of5")
        self._network = direct.Network(bundle.model) if bundle.manifest.role == "node" else None
        self._host = detector(bundle) if bundle.manifest.role == "host" else None
        self._context_known = context_known
        self._quiet, self._recent = _QUIET, np.zeros(0)

    def commission(self, rows: Seen) -> None:
        """It has learned already; an alarm that stands is over."""
        self._quiet, self._recent = _QUIET, np.zeros(0)

    def judge(self, rows: Seen) -> Judged:
        """Of a node's Bundle what the node computes, to the bit."""
        score = self._errors(rows.x.astype(np.int64)) / np.maximum(self._thresholds(rows), 1)
        begins = score > 1
        if self._three:
            joined = np.concatenate([self._recent, score])
            begins = third_of_five(joined)[len(self._recent) :] > 1
            self._recent = joined[-4:]
        alarm, self._quiet = standing(begins, score > 1, self._quiet)
        return Judged(score, alarm)

    def _thresholds(self, rows: Seen) -> NDArray[np.int64]:
        """Of each row."""
        of, node, asset = self._manifest.threshold_for, self._subject.node, self._subject.asset
        if rows.context is None or not self._context_known:
            return np.full(len(rows), of(node, asset), np.int64)
        contexts, number = np.unique(rows.context, axis=0, return_inverse=True)
        names = self._subject.context_names
        found = [of(node, asset, dict(zip(names, context, strict=True))) for context in contexts.tolist()]
        return np.array(found, np.int64)[number.ravel()]

    def _errors(self, features: NDArray[np.int64]) -> Floats:
        m = self._manifest
        if self._host is not None:
            return np.array(self._host.score(features.tolist()), np.float64)
        assert self._network is not None
        return direct.errors(self._network, m.scaling, features, m.kind, m.known).astype(np.float64)


class PlaceJudge:
    """The gateway's learner (gateway/detectors/place.py). Contexts that vary while it learns are learned with."""

    def __init__(self, subject: Subject, settings: Settings | None = None) -> None:
        self._subject, self._settings = subject, settings or Settings(events=EVENTS)
        self.wanted = self._settings.events
        self._place: Place | None = None
        self._known: list[int] = []

    def commission(self, rows: Seen) -> None:
        """From all of these rows. Raises CannotLearn."""
        x, self._place = self._subject.terms(rows.x), None
        self._known = [] if rows.context is None else varying(rows.context)
        how: Fit = Contexts(tuple(self._column(i, rows) for i in self._known)) if self._known else fit
        least = 2 * self._settings.chunks
        if len(x) < least:
            raise CannotLearn(f"{len(x)} rows to learn from, where {least} are the least")
        if not np.ptp(x, axis=0).any():
            raise CannotLearn(f"{len(x)} rows without any change")
        place = Place(self._subject.term_names, replace(self._settings, learn=max(len(x), 1)), how)
        try:
            place.commission(x, rows.breaks, self._contexts(rows))
        except (ValueError, np.linalg.LinAlgError) as error:  # TooFew, Stuck, and what the algebra cannot do
            raise CannotLearn(str(error)) from error
        self._place = place

    def judge(self, rows: Seen) -> Judged:
        """NaN while it knows nothing."""
        if self._place is None:
            return Judged(np.full(len(rows), np.nan), np.zeros(len(rows), np.bool_))
        found = self._place.judge(self._subject.terms(rows.x), rows.breaks, self._contexts(rows))
        return Judged(found.score, found.latched)

    def _contexts(self, rows: Seen) -> Floats | None:
        return rows.context[:, self._known] if rows.context is not None and self._known else None

    def _column(self, number: int, rows: Seen) -> Column:
        assert rows.context is not None
        name, values = self._subject.context_names[number], rows.context[:, number]
        if "hour" in name or name.lower() in _PERIODS:
            return Column(Kind.CYCLE, _PERIODS.get(name.lower(), 24.0))
        whole = np.array_equal(values, np.rint(values)) and len(np.unique(values)) <= _STATES
        called = any(word in name.lower() for word in _STATE_NAMES)
        return Column(Kind.STATE if whole and called else Kind.SPEED)


class NodeLearnerJudge:
    """The node's own learner, as the node computes it. It knows no context and no breaks."""

    def __init__(self, subject: Subject, wanted: float = EVENTS, average: int = 1) -> None:
        self._subject, self.wanted, self._average = subject, wanted, average
        self._learner: Learner | None = None

    def commission(self, rows: Seen) -> None:
        """From these rows, or as many of the newest of them as fit; it may want more. Raises CannotLearn."""
        subject = self._subject
        self._learner = None
        if subject.feature_set is None:
            raise CannotLearn("a node's learner is for features, not for values")
        if len(rows) < LEAST_LEARNED:
            raise CannotLearn(f"{len(rows)} rows to learn from, where {LEAST_LEARNED} are the least")
        try:
            self._learner = Learner(
                subject.feature_set, len(subject.channels), windows=len(rows), average=self._average,
                events_ppb=round(1e9 * self.wanted),
            )  # fmt: skip
        except LearnerRefused as error:
            raise CannotLearn(f"{len(rows)} rows: {error}") from error
        for row in rows.x:
            self._next(row)

    def judge(self, rows: Seen) -> Judged:
        """NaN while it learns."""
        found = [self._next(row) for row in rows.x]
        return Judged(np.array([score for score, _ in found], float), np.array([alarm for _, alarm in found], bool))

    def _next(self, row: Floats) -> tuple[float, bool]:
        if self._learner is None:
            return np.nan, False
        features = [int(f) for f in row]
        try:
            verdict = self._learner.detect(features)
        except LearnerRefused as error:
            if error.reply is Reply.NOT_NOW:
                self._learner.learn(features)
            return np.nan, False
        return verdict.error / max(verdict.threshold, 1), verdict.latched


class Both:
    """Two judges side by side: as strange as the one finds it that finds it stranger, alarmed where either is."""

    def __init__(self, judges: Sequence[Judge]) -> None:
        self._judges = tuple(judges)
        self.wanted = sum(judge.wanted for judge in self._judges)

    def commission(self, rows: Seen) -> None:
        """Each of them. Raises CannotLearn only if none can."""
        refused = []
        for judge in self._judges:
            try:
                judge.commission(rows)
            except CannotLearn as error:
                refused.append(error)
        if len(refused) == len(self._judges):
            raise refused[0]

    def judge(self, rows: Seen) -> Judged:
        """A row that only one of them judges is as that one has it."""
        found = [judge.judge(rows) for judge in self._judges]
        score = np.fmax.reduce([one.score for one in found])
        return Judged(score, np.logical_or.reduce([one.alarm for one in found]))


def standing(begins: NDArray[np.bool_], above: NDArray[np.bool_], quiet: int = _QUIET) -> tuple[NDArray[np.bool_], int]:
    """Rows at which an alarm stands: from a row where it `begins` until ten in a row were not `above`; and how many
    those are at the end. `quiet`: how many there were before; ten or more: no alarm stands.
    """
    alarm = np.zeros(len(begins), np.bool_)
    for row, (begin, high) in enumerate(zip(begins.tolist(), above.tolist(), strict=True)):
        stands = begin or (high and quiet < _QUIET)
        quiet = 0 if stands else min(quiet + 1, _QUIET)
        alarm[row] = quiet < _QUIET
    return alarm, quiet
