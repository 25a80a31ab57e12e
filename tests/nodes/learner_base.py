"""What a learner knows of a feature, and how it is kept in bytes: a part of learner_reference.py, which see."""

from __future__ import annotations

from dataclasses import dataclass

import cbor2

from tests.nodes.learner_arithmetic import clamp, exp2, log2, log_sum

LEVEL, SCALE, LOG = range(3)  # kinds of feature

LIMIT = 2**22 - 1
WINDOWS_MIN, LEARNED_MAX = 24, 65535
BILLION = 10**9
STEEPNESS = (886, 16384)
LOC_MAX = 131072
LEVEL_GAIN, GAIN_LIMIT = 1024, 8192
NARROWEST = {LEVEL: 8, SCALE: 12, LOG: 12}  # log2 of the least variance


@dataclass
class Feature:
    kind: int
    low: int = 0
    high: int = 0
    within: int = 0  # W and B: log2 in Q8
    between: int = 0
    mean: int = 0  # Q8 of the unit, as it has followed
    average: int = 0  # Q8 of the unit
    shift: int = 0
    mantissa: int = 0
    gain: int = 0

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
        half = 8 * max(wide, 256 * NARROWEST[self.kind] - 512 * unit)
        self.shift = half >> 12
        self.mantissa = exp2(15 * 4096 - half % 4096)
        root = exp2(16 * 4096 + 8 * (self.between - self.within - (log2(50 * learned) >> 4)))
        root = min(root, GAIN_LIMIT)
        self.gain = LEVEL_GAIN if self.kind == LEVEL else (root << 16) // (65536 + root)


@dataclass
class Limit:
    loc: int = 0
    steepness: int = 0
    chunk: int = 0
    learned: int = 0

    def pooled(self, other: Limit) -> Limit:
        """What two limits are together."""

        def mean(x: int, y: int) -> int:
            return (x * self.learned + y * other.learned) // (self.learned + other.learned)

        loc = mean(self.loc + LOC_MAX, other.loc + LOC_MAX) - LOC_MAX
        learned = min(self.learned + other.learned, LEARNED_MAX)
        return Limit(loc, mean(self.steepness, other.steepness), min(self.chunk, other.chunk), learned)


def error_of(features: list[Feature], differences: list[int]) -> int:
    """The sum of the terms of differences in Q8, one a feature; a level has none."""
    terms = [f.spreads(x) ** 2 >> 6 for f, x in zip(features, differences, strict=True) if f.kind != LEVEL]
    return sum(terms)


RANGES = (
    (1, 1), (0, 255), (1, 9), (1, 5), (0, 1), (1, BILLION), (WINDOWS_MIN, LEARNED_MAX), (3, 30), (-LOC_MAX, LOC_MAX),
    STEEPNESS,
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
