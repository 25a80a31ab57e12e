"""The learner in Python's whole numbers: nodes/wire/SPEC.md, "Learner", read a second time. It defines the bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isqrt

import cbor2

from tests.nodes.learner_arithmetic import clamp, exp2, log2, log_sum, quick_log2, score, towards_zero

LEVEL, SCALE, LOG = range(3)  # kinds of feature
EMPTY, LEARNING, WATCHING, FROZEN = range(4)  # states
OK, MORE, DONE, ANOMALOUS, NOT_NOW, MISFIT, DAMAGED = range(7)  # replies

BYTES, HEAD, FEATURE, KEPT = 4096, 108, 32, 16  # of the C structure: all of it, its head, a feature, a feature kept
CHUNKS, WINDOWS_MIN, WINDOWS_MAX, LEARNED_MAX = 8, 24, 240, 65535
LIMIT = 2**22 - 1
AVERAGE = (0, 65536, 43691, 32768, 26214, 21845)
EVENTS, BILLION = 200_000, 10**9
STEEPNESS = (886, 16384)
STRANGE, JUMP = 144, 8 * 256
QUIET = 10
LOC_MAX = 131072
LEVEL_GAIN, GAIN_LIMIT = 1024, 8192
NARROWEST = {LEVEL: 2048, SCALE: 3072, LOG: 3072}


@dataclass
class Feature:
    kind: int
    low: int = 0
    high: int = 0
    within: int = 0  # W and B: log2 in Q8
    between: int = 0
    mean: int = 0  # Q20, as it has followed
    average: int = 0  # Q20
    shift: int = 0
    mantissa: int = 0
    gain: int = 0
    origin: int = 0  # while learning
    exponent: int = 0

    @property
    def base(self) -> int:
        return (self.low + self.high) << 7

    def spreads(self, difference: int) -> int:
        """A difference in Q8 of the unit, in spreads, Q8."""
        return clamp(difference >> self.shift, -32767, 32767) * self.mantissa >> 15

    def derive(self, learned: int, unit: int = 0) -> None:
        """What follows from W, B and the reach of the base; `unit` is log2 of the unit they are in."""
        reach = 2 * (log2(self.high - self.low) - 4096) >> 4
        wide = log_sum(self.within, log_sum(self.between, reach) + 512)
        half = 8 * max(wide, NARROWEST[self.kind] - 512 * unit)
        self.shift = half >> 12
        self.mantissa = exp2(15 * 4096 - half % 4096)
        root = exp2(16 * 4096 + 8 * (self.between - self.within - (log2(50 * learned) >> 4)))
        root = min(root, GAIN_LIMIT)
        self.gain = LEVEL_GAIN if self.kind == LEVEL else (root << 16) // (65536 + root)


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


@dataclass
class Limit:
    loc: int = 0
    steepness: int = 0
    chunk: int = 0
    learned: int = 0


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
        self._begin()

    def relearn(self, windows: int = 0) -> int:
        wanted = min(windows or self.windows, self.fits) // CHUNKS * CHUNKS
        if wanted < WINDOWS_MIN:
            return MISFIT
        if self.state >= WATCHING:
            self.kept = self._base()
        self.windows = wanted
        self._begin()
        return OK

    def _begin(self) -> None:
        self.state = LEARNING
        self.features = [Feature(kind) for kind in self.kinds]
        self.rows: list[list[int]] = []
        self.limit = Limit()
        self.drift = 0
        self._calm()
        self.averaging = False

    def _calm(self) -> None:
        self.history = self.jumps = self.quiet = 0
        self.latched = self.moved = self.drifted = False

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
        n = len(self.rows)
        if n == 0:
            for f, a in zip(self.features, averages, strict=True):
                f.origin = a >> 8
        if n >= self.windows // CHUNKS and any(map(self._strange, range(len(values)), averages)):
            self.refused += 1
            return ANOMALOUS
        row = [self._step(j, a) for j, a in enumerate(averages)]
        self.rows.append(row)
        self.averaging = True
        for f, a in zip(self.features, averages, strict=True):
            f.average = a
        if len(self.rows) < self.windows:
            return MORE
        self._finish()
        return DONE

    def _in_steps(self, j: int, average: int) -> int:
        f = self.features[j]
        return (average >> 8) - f.origin + (1 << f.exponent >> 1) >> f.exponent

    def _strange(self, j: int, average: int) -> bool:
        f, n = self.features[j], len(self.rows)
        mean = towards_zero(16 * sum(row[j] for row in self.rows), n)
        away = 16 * clamp(self._in_steps(j, average), -2047, 2047) - mean
        variance = 256 * sum(row[j] ** 2 for row in self.rows) // n - mean**2
        least = max(256 << NARROWEST[f.kind] // 256 >> 2 * f.exponent, 256)
        return away**2 > STRANGE * (variance + least)

    def _step(self, j: int, average: int) -> int:
        while not -127 <= self._in_steps(j, average) <= 127:
            self.features[j].exponent += 1
            for row in self.rows:
                row[j] = row[j] + 1 >> 1
        return self._in_steps(j, average)

    # --- limit

    def _fit(self, left_out: int | None) -> None:
        n = self.windows // CHUNKS
        chunks = [self.rows[k * n : (k + 1) * n] for k in range(CHUNKS) if k != left_out]
        c = len(chunks)
        for j, f in enumerate(self.features):
            sums = [sum(row[j] for row in chunk) for chunk in chunks]
            inside = sum(n * sum(row[j] ** 2 for row in chunk) - s * s for chunk, s in zip(chunks, sums, strict=True))
            among = c * sum(s * s for s in sums) - sum(sums) ** 2
            f.within = max(log2(inside) - log2(n * (n - 1) * c) >> 4, 0)
            f.between = max(log2(among) - log2(n * n * c * (c - 1)) >> 4, -2048)
            f.mean = towards_zero(256 * sum(sums), n * c)
            f.low = f.high = 0
            f.derive(self.windows, f.exponent)

    def _finish(self) -> None:
        n = self.windows // CHUNKS
        worst = []
        for k in range(CHUNKS):
            self._fit(k)
            errors, most = [0] * 5, 0
            for row in self.rows[k * n : (k + 1) * n]:
                terms = [f.spreads((v << 8) - f.mean) for f, v in zip(self.features, row, strict=True)]
                errors = [*errors[1:], self._error(terms)]
                most = max(most, sorted(errors)[2])
            worst.append(log2(max(most, 1)))
        mean = sum(worst) // CHUNKS
        deviation = 8 * isqrt(sum((w - mean >> 3) ** 2 for w in worst) // 7)
        steepness = clamp(deviation * 3194 >> 12, *STEEPNESS)
        self.limit = Limit(mean - (steepness * 2364 >> 12), steepness, n, self.windows)
        self._fit(None)
        for f in self.features:
            up = f.exponent - 8
            f.low = f.high = f.origin + (f.mean << up if up >= 0 else f.mean >> -up)
            f.within += 512 * f.exponent
            f.between += 512 * f.exponent
        self.state = WATCHING
        self._stand()

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

    def _error(self, terms: Sequence[int]) -> int:
        return sum(t * t >> 6 for t, f in zip(terms, self.features, strict=True) if f.kind != LEVEL)

    def detect(self, values: Sequence[int]) -> tuple[int, Verdict | None]:
        if self.state < WATCHING:
            return NOT_NOW, None
        for f, a in zip(self.features, self._averages(values), strict=True):
            f.average = a
        self.averaging = True
        terms = [f.spreads(f.average - f.mean) for f in self.features]
        error = self._error(terms)
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
        self.drift = self._error([f.spreads(f.mean - f.base) for f in self.features])

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
            self.limit = _pooled(self.limit, Limit(loc, steepness, chunk, learned))
            self._stand()
        return reply

    def _read(self, image: bytes) -> tuple[int, list | None]:
        fields = read_state(image)
        if fields is None:
            return DAMAGED, None
        if fields[1:4] != [self.feature_set, self.channels, self.average] or len(fields[-1]) != len(self.kinds):
            return MISFIT, None
        return OK, fields


def _pooled(a: Limit, b: Limit) -> Limit:
    def mean(x: int, y: int) -> int:
        return (x * a.learned + y * b.learned) // (a.learned + b.learned)

    loc = mean(a.loc + LOC_MAX, b.loc + LOC_MAX) - LOC_MAX
    learned = min(a.learned + b.learned, LEARNED_MAX)
    return Limit(loc, mean(a.steepness, b.steepness), min(a.chunk, b.chunk), learned)


RANGES = (
    (1, 1), (0, 255), (1, 9), (1, 5), (0, 1), (1, BILLION), (24, LEARNED_MAX), (3, 30), (-LOC_MAX, LOC_MAX), STEEPNESS,
)  # fmt: skip
ROW = ((-LIMIT, LIMIT), (-LIMIT, LIMIT), (0, 12288), (-2048, 12288), (1 - 2**31, 2**31 - 1))


def read_state(image: bytes) -> list | None:
    """A learner-image of wire.cddl, or None: damaged, or not in the one form that is written."""
    try:
        fields = cbor2.loads(image)
        assert cbor2.dumps(fields) == image and len(fields) == 11
        assert all(type(x) is int and r[0] <= x <= r[1] for x, r in zip(fields, RANGES, strict=False))
        assert isinstance(fields[10], list) and 1 <= len(fields[10]) <= 48
        for row in fields[10]:
            assert isinstance(row, list) and row[0] <= row[1]
            assert all(type(x) is int and r[0] <= x <= r[1] for x, r in zip(row, ROW, strict=True))
            assert abs((row[0] + row[1] << 7) + row[4]) <= LIMIT << 8
    except (cbor2.CBORDecodeError, AssertionError, ValueError, TypeError, IndexError):
        return None
    return fields
