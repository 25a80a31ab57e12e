"""The gateway's learner at a place: learns what is normal there, judges row after row, and follows slowly.

The node's learner (`nodes/wire/SPEC.md`, "Learner") with full covariances in floating point. A row is one feature
vector, or one reading of each channel of a process. What a row's place in the recording is does not go in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.place.average import averaged, worthwhile
from gateway.detectors.place.memory import Memory
from gateway.detectors.place.normal import Fit, Floats, Known, Normal, Stuck, cut, fit, still
from gateway.detectors.place.settings import Settings
from gateway.detectors.place.threshold import Limit, limit

Bools = NDArray[np.bool_]


class Phase(StrEnum):
    """What a place is at."""

    LEARNING = "learning"
    WATCHING = "watching"


class NotFinite(ValueError):  # noqa: N818 - says what the row is
    """A row with NaN or infinity: a sensor fault, which is not for a learner. `row` and `feature` say where."""

    def __init__(self, row: int, feature: int, name: str) -> None:
        super().__init__(f"row {row}: {name} is not a finite number")
        self.row, self.feature = row, feature


@dataclass(frozen=True)
class Verdicts:
    """On n rows. While it learns, error and score are NaN, nothing is alarmed and `leading` is -1."""

    error: Floats
    score: Floats
    """Error over threshold: above 1 a row is anomalous."""
    alarmed: Bools
    """Three of the last five rows were anomalous."""
    latched: Bools
    """An alarm stands: from `alarmed` until `quiet` rows in a row were not anomalous."""
    leading: NDArray[np.int64]
    """The feature that has the most to do with the error."""

    @property
    def anomalous(self) -> Bools:
        """Rows above the threshold [n]."""
        return np.asarray(self.score > 1)

    @property
    def began(self) -> Bools:
        """Rows at which an alarm event begins [n]; the first row is one if its alarm stands."""
        return np.asarray(self.latched & ~np.concatenate([[False], self.latched[:-1]]))


@dataclass(frozen=True)
class Share:
    """What a feature has to do with a row's error; `expected` is what one expects of it, given the other features."""

    name: str
    value: float
    expected: float
    part: float
    """Of the squared error, 0 to 1; together 1."""


class Place:
    """One learner. Not thread-safe. The same rows, however they are cut into calls, give the same verdicts."""

    def __init__(self, names: Sequence[str], settings: Settings | None = None, how: Fit = fit) -> None:
        """Begins to learn. `how` learns what is normal: `place_normal.fit`, or one with a prior or a context."""
        self.names = tuple(names)
        self.settings = settings or Settings()
        self.how = how
        self.known: Known | None = None
        self.limit: Limit | None = None
        self.threshold = np.nan
        self.memory: Memory | None = None
        self.reach = 1
        self.mean: Floats | None = None
        self.rows: list[Floats] = []
        self.gaps: list[bool] = []
        self.contexts: list[Floats] = []
        self.still: tuple[str, ...] = ()
        """Features that did not change in what was learned last; not kept in its state."""

    @property
    def phase(self) -> Phase:
        """Learning until `settings.learn` rows are there, or `commission` ends it."""
        return Phase.LEARNING if self.known is None else Phase.WATCHING

    def commission(self, rows: Floats, breaks: Sequence[int] = (), contexts: Floats | None = None) -> None:
        """Learns from these rows [n, p] and no others, and watches from now on.

        `breaks`: rows at which the mean begins anew, for what was before them is long ago.
        Raises NotFinite, Stuck, TooFew; then it still learns, and knows none of them.
        """
        rows = self._checked(rows)
        self.acknowledge()
        gaps = set(breaks)
        self.rows, self.gaps = list(rows), [at in gaps for at in range(len(rows))]
        self.contexts = [] if contexts is None else list(np.asarray(contexts, dtype=float))
        self._settle()

    def judge(self, rows: Floats, breaks: Sequence[int] = (), contexts: Floats | None = None) -> Verdicts:
        """The next rows [n, p]; with `contexts` [n, c] if it was commissioned with them.

        Raises NotFinite, and knows none of the rows then. While it learns also Stuck or TooFew: then it begins anew.
        """
        rows = self._checked(rows)
        found = Verdicts(
            np.full(len(rows), np.nan), np.full(len(rows), np.nan), np.zeros(len(rows), bool),
            np.zeros(len(rows), bool), np.full(len(rows), -1),
        )  # fmt: skip
        gaps = set(breaks)
        for at, row in enumerate(rows):
            context = None if contexts is None else np.asarray(contexts[at], dtype=float)
            self._next(row, context, at in gaps, found, at)
        return found

    def acknowledge(self) -> None:
        """Someone has seen what there was, and the place is normal again: learn anew."""
        self.known = self.limit = self.memory = self.mean = None
        self.threshold = np.nan
        self.rows, self.gaps, self.contexts = [], [], []

    def sensitivity(self, events: float) -> None:
        """Another number of wanted alarm events a row."""
        self.settings = replace(self.settings, events=events)
        if self.limit:
            self.threshold = self.limit.threshold(events)

    def explain(self, row: Floats, context: Floats | None = None) -> list[Share]:
        """What each feature of a row [p] has to do with its error, the most first; `mean` is the row judged last.

        Raises RuntimeError while it learns, and NotFinite.
        """
        if self.known is None or self.memory is None:
            raise RuntimeError("it still learns")
        row = self._checked(np.asarray(row)[None])[0]
        normal = self.known.at(context)
        away = row - normal.mean - self.memory.follower.offset
        expected = row - normal.precision @ away / np.diag(normal.precision)
        parts = normal.surprise(away) ** 2
        parts = parts / max(float(parts.sum()), 1e-300)
        shares = [
            Share(*each) for each in zip(self.names, row.tolist(), expected.tolist(), parts.tolist(), strict=True)
        ]
        return sorted(shares, key=lambda share: -share.part)

    @property
    def drift(self) -> float:
        """How far the followed mean has come on the way to what was an anomaly: 0 to 1, NaN while it learns."""
        if self.known is None or self.memory is None:
            return float("nan")
        return self.memory.follower.error(self.known.at()) / self.threshold

    def _next(self, row: Floats, context: Floats | None, gap: bool, found: Verdicts, at: int) -> None:
        if self.known is None or self.memory is None:
            self.rows.append(row)
            self.gaps.append(gap)
            if context is not None:
                self.contexts.append(context)
            if len(self.rows) >= self.settings.learn:
                self._settle()
            return
        [self.mean] = averaged([row], [gap], self.reach, self.mean)
        normal = self.known.at(context)
        away = self.mean - normal.mean - self.memory.follower.offset
        surprise = normal.surprise(away)
        error = math.sqrt(float(surprise @ surprise) / len(surprise))
        self.memory.next(away, error, self.known.at(), self.threshold)
        found.error[at], found.score[at] = error, error / self.threshold
        found.alarmed[at], found.latched[at] = self.memory.alarm.alarmed, self.memory.alarm.latched
        found.leading[at] = np.argmax(surprise)

    def _settle(self) -> None:
        """Enough has been seen: from learning to watching."""
        fixed, seen_rows = self.settings.average, self.rows
        self.still = tuple(self.names[feature] for feature in still(np.array(seen_rows)))
        self.reach = worthwhile(seen_rows, self.gaps, self.settings.chunks) if fixed is None else fixed
        means, contexts = averaged(seen_rows, self.gaps, self.reach), self.contexts
        rows = np.array(means).reshape(-1, len(self.names))
        parts = cut(len(rows), self.settings.chunks)
        chunks = [rows[part] for part in parts]
        seen = [np.array(contexts[part]) for part in parts] if contexts else None
        try:
            known = self.how(chunks, seen)
            own = getattr(self.how, "limit", None)  # a Fit with a prior knows better where rows are few
            self.limit = own(chunks, seen) if own else limit(self.how, chunks, seen)
        except Stuck as error:
            raise Stuck(error.features, self.names) from None
        finally:
            self.rows, self.gaps, self.contexts = [], [], []
        self.known = known
        self.threshold = self.limit.threshold(self.settings.events)
        self.mean = means[-1]
        self.memory = Memory.of(known.at(), self.settings)

    def _checked(self, rows: Floats) -> Floats:
        rows = np.asarray(rows, dtype=float)
        if rows.ndim != 2 or rows.shape[1] != len(self.names):
            raise ValueError(f"rows of shape {rows.shape} where there are {len(self.names)} features")
        bad = np.argwhere(~np.isfinite(rows))
        if len(bad):
            raise NotFinite(int(bad[0, 0]), int(bad[0, 1]), self.names[bad[0, 1]])
        return rows


__all__ = ["Normal", "NotFinite", "Phase", "Place", "Settings", "Share", "Verdicts"]
