"""How a learner learns, from the first window to base and limit: a part of learner_reference.py, which see."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

from tests.nodes.learner_arithmetic import clamp, log2, towards_zero
from tests.nodes.learner_base import NARROWEST, STEEPNESS, Feature, Limit, error_of

CHUNKS = 8
STRANGE = 144


class Lesson:
    """`windows` windows are kept, each feature in steps of 2^exponent from the first window's."""

    def __init__(self, features: list[Feature], windows: int) -> None:
        self.features, self.windows = features, windows
        self.n = windows // CHUNKS
        self.rows: list[list[int]] = []
        self.origin = [0] * len(features)
        self.exponent = [0] * len(features)

    def strange(self, averages: Sequence[int]) -> bool:
        """Whether a window (Q8 of the unit) is not to be learned from."""
        return len(self.rows) >= self.n and any(map(self._strange, range(len(averages)), averages))

    def keep(self, averages: Sequence[int]) -> None:
        if not self.rows:
            self.origin = [a >> 8 for a in averages]
        self.rows.append([self._step(j, a) for j, a in enumerate(averages)])

    def _in_steps(self, j: int, average: int) -> int:
        e = self.exponent[j]
        return (average >> 8) - self.origin[j] + (1 << e >> 1) >> e

    def _strange(self, j: int, average: int) -> bool:
        n = len(self.rows)
        mean = towards_zero(16 * sum(row[j] for row in self.rows), n)
        away = 16 * clamp(self._in_steps(j, average), -2047, 2047) - mean
        variance = 256 * sum(row[j] ** 2 for row in self.rows) // n - mean**2
        least = max(256 << NARROWEST[self.features[j].kind] >> 2 * self.exponent[j], 256)
        return away**2 > STRANGE * (variance + least)

    def _step(self, j: int, average: int) -> int:
        while not -127 <= self._in_steps(j, average) <= 127:
            self.exponent[j] += 1
            for row in self.rows:
                row[j] = row[j] + 1 >> 1
        return self._in_steps(j, average)

    def finish(self) -> Limit | None:
        """Base and limit; or None, and the first chunk is kept no longer: it was the machine's start."""
        errors = [self._judged(k) for k in range(CHUNKS)]
        totals = [sum(error >> 5 for error in chunk) for chunk in errors]
        if totals[0] > 2 * max(totals[CHUNKS // 2 :]):
            del self.rows[: self.n]
            return None
        self._fit(None)
        for f, origin, e in zip(self.features, self.origin, self.exponent, strict=True):
            up = e - 8
            f.low = f.high = origin + (f.mean << up if up >= 0 else f.mean >> -up)
            f.within += 512 * e
            f.between += 512 * e
        return self._limit([_worst(chunk) for chunk in errors])

    def _judged(self, k: int) -> list[int]:
        """The errors of a chunk's windows, by what the others say."""
        self._fit(k)
        chunk = self.rows[k * self.n : (k + 1) * self.n]
        return [error_of(self.features, [(v << 8) - f.mean for f, v in zip(self.features, row, strict=True)])
                for row in chunk]  # fmt: skip

    def _fit(self, left_out: int | None) -> None:
        """Base and spread of each feature, in its steps, from all chunks but one."""
        n = self.n
        chunks = [self.rows[k * n : (k + 1) * n] for k in range(CHUNKS) if k != left_out]
        c = len(chunks)
        for j, f in enumerate(self.features):
            sums = [sum(row[j] for row in chunk) for chunk in chunks]
            inside = sum(n * sum(row[j] ** 2 for row in chunk) - s * s for chunk, s in zip(chunks, sums, strict=True))
            among = c * sum(s * s for s in sums) - sum(sums) ** 2
            f.within = max(log2(inside) - log2(n * (n - 1) * c) >> 4, 0)
            f.between = max(log2(among) - log2(n * n * c * (c - 1)) >> 4, -2048)
            f.mean = towards_zero(256 * sum(sums), n * c)
            f.derive(self.windows, self.exponent[j])

    def _limit(self, worst: list[int]) -> Limit:
        mean = towards_zero(sum(worst), CHUNKS)
        deviation = 8 * isqrt(sum((w - mean >> 3) ** 2 for w in worst) // 7)
        steepness = clamp(deviation * 3194 >> 12, *STEEPNESS)
        return Limit(mean - (steepness * 2364 >> 12), steepness, self.n, self.windows)


def _worst(errors: list[int]) -> int:
    """log2 of the largest error, at least 1, that three of five windows in a row reach."""
    padded = [0] * 4 + errors
    return log2(max(1, *(sorted(padded[i : i + 5])[2] for i in range(len(errors)))))
