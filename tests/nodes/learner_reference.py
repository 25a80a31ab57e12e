"""The learner in Python's whole numbers: nodes/wire/SPEC.md, "Learner", read a second time. It defines the bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cbor2

from tests.nodes.learner_arithmetic import clamp, exp2, log2, quick_log2, score, towards_zero
from tests.nodes.learner_base import (
    BILLION,
    LEVEL,
    LIMIT,
    LOG,
    SCALE,
    WINDOWS_MIN,
    Feature,
    Limit,
    error_of,
    read_state,
)
from tests.nodes.learner_lesson import CHUNKS, Lesson

__all__ = ["LEVEL", "LIMIT", "LOG", "SCALE", "Learner", "Verdict", "read_state"]

EMPTY, LEARNING, WATCHING, FROZEN = range(4)  # states
OK, MORE, DONE, ANOMALOUS, NOT_NOW, MISFIT, DAMAGED = range(7)  # replies

BYTES, HEAD, FEATURE, KEPT = 4096, 108, 32, 16  # of the C structure: all of it, its head, a feature, a feature kept
WINDOWS_MAX = 240
AVERAGE = (0, 65536, 43691, 32768, 26214, 21845)
EVENTS = 200_000
JUMP = 8 * 256
QUIET = 10
ANEW_MAX = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    error: int
    threshold: int
    similarity: int
    score: int
    leading: int
    anomalous: bool
    latched: bool
    moved: bool
    drifted: bool


class Learner:
    """`kinds`: of each feature, as feature_kind says."""

    def __init__(
        self, feature_set: int, channels: int, kinds: Sequence[int], windows: int = 0, events: int = 0, average: int = 0
    ) -> None:
        self.feature_set, self.channels, self.kinds = feature_set, channels, list(kinds)
        room = BYTES - HEAD - (FEATURE + KEPT) * len(kinds)
        self.fits = min(room // len(kinds), WINDOWS_MAX)
        self.windows = min(windows or self.fits, self.fits) // CHUNKS * CHUNKS
        self.average = average or 1
        self.misfit = self.windows < WINDOWS_MIN or self.average > 5
        self.events = min(events or EVENTS, BILLION)
        self.kept: tuple[list[Feature], Limit, int, int] | None = None
        self.refused = self.followed = 0
        self._calm()
        self._begin()

    def relearn(self, windows: int = 0) -> int:
        wanted = min(windows or self.windows, self.fits) // CHUNKS * CHUNKS
        if wanted < WINDOWS_MIN:
            return MISFIT
        if self.state >= WATCHING:
            self.kept = self._base()
        self.windows = wanted
        self._calm()
        self._begin()
        return OK

    def _begin(self) -> None:
        self.state = LEARNING
        self.features = [Feature(kind) for kind in self.kinds]
        self.lesson = Lesson(self.features, self.windows)
        self.limit = Limit()
        self.drift = 0
        self.averaging = False
        self.refused_in_a_row = 0

    @property
    def rows(self) -> list[list[int]]:
        """The windows that are kept to learn from."""
        return self.lesson.rows

    def _calm(self) -> None:
        self.history = self.jumps = self.quiet = 0
        self.latched = self.moved = self.drifted = False
        self.anew = 0

    def _base(self) -> tuple[list[Feature], Limit, int, int]:
        return [replace(f) for f in self.features], replace(self.limit), self.events, self.state

    # --- learn

    def _averages(self, values: Sequence[int]) -> list[int]:
        found = []
        for f, value in zip(self.features, values, strict=True):
            y = quick_log2(max(value, 0) + 16) if f.kind == SCALE else clamp(value, -LIMIT, LIMIT)
            y <<= 8
            found.append(f.average + ((y - f.average) * AVERAGE[self.average] >> 16) if self.averaging else y)
        return found

    def learn(self, values: Sequence[int]) -> int:
        if self.state != LEARNING:
            return NOT_NOW
        averages = self._averages(values)
        if self.lesson.strange(averages):
            self.refused += 1
            self.refused_in_a_row += 1
            if self.refused_in_a_row >= len(self.rows) and self.anew < ANEW_MAX:
                self.anew += 1
                self._begin()
            return ANOMALOUS
        self.lesson.keep(averages)
        self.averaging = True
        self.refused_in_a_row = 0
        for f, a in zip(self.features, averages, strict=True):
            f.average = a
        limit = self.lesson.finish() if len(self.rows) == self.windows else None
        if limit is None:
            return MORE
        self.limit = limit
        self.state = WATCHING
        self._stand()
        return DONE

    # --- limit

    def _stand(self) -> None:
        """Everything that follows from the base."""
        for f in self.features:
            f.derive(self.limit.learned)
            f.mean = f.base
        self._calm()
        self._threshold()
        self.drift = 0

    def _threshold(self) -> None:
        x = min(self.events * self.limit.chunk, BILLION // 2)
        self.hazard = log2(x) - log2(2 * BILLION - x) + 4096
        self.limit_log = self.limit.loc - ((self.limit.steepness * 3011 >> 12) * self.hazard >> 12)
        self.threshold = min(exp2(self.limit_log), 2**32 - 1)

    def sensitivity(self, events: int) -> int:
        self.events = min(events or EVENTS, BILLION)
        if self.state >= WATCHING:
            self._threshold()
        return OK

    def rate_ppb(self, similarity: int) -> int:
        hazard = towards_zero((100 - min(similarity, 100)) * self.hazard, 50)
        h = exp2(30 * 4096 + hazard)
        return exp2(log2(h) + 4096 + log2(BILLION) - log2(2**31 + h) - log2(self.limit.chunk))

    # --- detect

    def detect(self, values: Sequence[int]) -> tuple[int, Verdict | None]:
        if self.state < WATCHING:
            return NOT_NOW, None
        for f, a in zip(self.features, self._averages(values), strict=True):
            f.average = a
        self.averaging = True
        terms = [f.spreads(f.average - f.mean) for f in self.features]
        error = error_of(self.features, [f.average - f.mean for f in self.features])
        judged = [t * t >> 6 if f.kind != LEVEL else -1 for t, f in zip(terms, self.features, strict=True)]
        jumped = any(abs(t) > JUMP and f.kind == LEVEL for t, f in zip(terms, self.features, strict=True))
        anomalous = error > self.threshold
        self._remember(anomalous, jumped)
        if self.state == WATCHING and not (anomalous or jumped or self.latched or self.moved):
            self._follow()
        similarity = 100 - towards_zero(
            50 * (quick_log2(max(error, 1)) - self.limit.loc), self.limit_log - self.limit.loc
        )
        similarity = clamp(similarity, 0, 49) if anomalous else clamp(similarity, 50, 100)
        return OK, Verdict(
            error, self.threshold, similarity, score(error, self.threshold), judged.index(max(judged)),
            anomalous, self.latched, self.moved, self.drifted,
        )  # fmt: skip

    def _remember(self, anomalous: bool, jumped: bool) -> None:
        self.history = (self.history << 1 | anomalous) & 31
        self.jumps = (self.jumps << 1 | jumped) & 31
        self.quiet = 0 if anomalous else min(self.quiet + 1, QUIET)
        if self.history.bit_count() >= 3:
            self.latched = True
        elif self.quiet == QUIET:
            self.latched = False
        self.moved |= self.jumps.bit_count() >= 3

    def _follow(self) -> None:
        far = self.drift > self.threshold >> 1
        for f in self.features:
            step = (f.average - f.mean) * f.gain >> 16
            outward = (step < 0) == (f.mean < f.base)
            if not (far and outward and f.kind != LEVEL):
                f.mean += step
        self.followed += 1
        if self.followed % 8 == 0:
            self._drift()
            self.drifted = self.drift > self.threshold >> (2 if self.drifted else 1)

    def _drift(self) -> None:
        self.drift = error_of(self.features, [f.mean - f.base for f in self.features])

    def drift_q8(self) -> int:
        """How far the followed mean is on the way from the base to the threshold, 256 being there."""
        if self.state < WATCHING:
            return 0
        way = log2(max(self.drift, 1)) - log2(self.threshold)
        return min(exp2((way >> 1) + 8 * 4096), 65535)

    # --- keep

    def freeze(self, frozen: bool) -> None:
        if self.state >= WATCHING:
            self.state = FROZEN if frozen else WATCHING

    def acknowledge(self) -> None:
        if self.state < WATCHING:
            return
        if self.moved:
            self.relearn()
        else:
            self._calm()

    def rollback(self) -> int:
        if self.kept is None:
            return NOT_NOW
        self.features, self.limit, self.events, self.state = self.kept
        self.kept = None
        self.averaging = False
        self._stand()
        return OK

    def save(self) -> bytes | None:
        if self.state < WATCHING:
            return None
        rows = [[f.low, f.high, f.within, f.between, f.mean - f.base] for f in self.features]
        return cbor2.dumps([
            1, self.feature_set, self.channels, self.average, int(self.state == FROZEN), self.events,
            self.limit.learned, self.limit.chunk, self.limit.loc, self.limit.steepness, rows,
        ])  # fmt: skip

    def load(self, image: bytes) -> int:
        reply, fields = self._read(image)
        if fields is not None:
            if self.state >= WATCHING:
                self.kept = self._base()
            _, _, _, _, frozen, self.events, learned, chunk, loc, steepness, rows = fields
            self.features = [Feature(k, *row[:4]) for k, row in zip(self.kinds, rows, strict=True)]
            self.limit = Limit(loc, steepness, chunk, learned)
            self.state = FROZEN if frozen else WATCHING
            self.averaging = False
            self._stand()
            for f, row in zip(self.features, rows, strict=True):
                f.mean = f.base + row[4]
            self._drift()
        return reply

    def merge(self, image: bytes) -> int:
        if self.state < WATCHING:
            return NOT_NOW
        reply, fields = self._read(image)
        if fields is not None:
            self.kept = self._base()
            _, _, _, _, _, _, learned, chunk, loc, steepness, rows = fields
            for f, (low, high, within, between, _) in zip(self.features, rows, strict=True):
                f.low, f.high = min(f.low, low), max(f.high, high)
                f.within, f.between = max(f.within, within), max(f.between, between)
            self.limit = self.limit.pooled(Limit(loc, steepness, chunk, learned))
            self._stand()
        return reply

    def _read(self, image: bytes) -> tuple[int, list | None]:
        fields = read_state(image)
        if fields is None:
            return DAMAGED, None
        if fields[1:4] != [self.feature_set, self.channels, self.average] or len(fields[-1]) != len(self.kinds):
            return MISFIT, None
        return OK, fields
