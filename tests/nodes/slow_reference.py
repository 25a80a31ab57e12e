"""Slow sensors in Python's whole numbers: nodes/wire/SPEC.md, "Slow sensors", read a second time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.nodes.learner_arithmetic import clamp, score

ABOVE, BELOW, POINT, CONTEXT, COLLECTIVE = 2, 3, 12, 13, 14
BINS, DAYS, DAYS_MAX = 8, 3, 16
WINDOWS, WINDOWS_MAX, VISITS_MAX = 16, 32, 4096
POINT_TIMES, POINT_LEAST = 6, 8
CONTEXT_TIMES, CONTEXT_LEAST = 3, 16


@dataclass
class Bin:
    mean: int = 0
    spread: int = 0
    days: int = 0


@dataclass
class Channel:
    residual: int = 0
    total: int = 0  # of the levels of this visit
    farthest: int = 0
    bins: list[Bin] = field(default_factory=lambda: [Bin() for _ in range(BINS)])

    def bound(self, b: Bin) -> int:
        """How far a level may be from the mean of its bin."""
        known = [other.spread for other in self.bins if other.days >= 2]
        usual = sum(known) // len(known) if known else 0
        return CONTEXT_TIMES * max(b.spread, usual) + CONTEXT_LEAST


def step(old: int, new: int, n: int) -> int:
    """A mean of n values, after the n-th; towards zero."""
    apart = new - old
    return old + (apart // n if apart >= 0 else -(-apart // n))


def residual(x: Sequence[int]) -> int:
    """The farthest that a reading is from the median of the five readings around it (at an end: the five there)."""
    most = 0
    if len(x) < 5:
        return most
    for i, value in enumerate(x):
        first = clamp(i - 2, 0, len(x) - 5)
        most = max(most, abs(value - sorted(x[first : first + 5])[2]))
    return most


@dataclass
class Slow:
    channels: list[Channel]
    limits: list[tuple[int | None, int | None]]
    windows: int = 0
    bin: int = -1
    visits: int = 0  # levels in this visit

    def judge(
        self, window: Sequence[Sequence[int]], minute: int, latched: bool = False, code: int = 0
    ) -> tuple[int, int]:
        """`window` [n][channels]; `code` is the score of what `latched` speaks of. Why and score."""
        found = [(0, 0)] * 3
        here = -1 if minute < 0 else minute // 180
        if here >= 0 and here != self.bin:
            self._leave()
            self.bin = here
        for c, channel in enumerate(self.channels):
            x = [row[c] for row in window]
            found[0] = worse(found[0], self._limit(x, *self.limits[c]))
            found[1] = worse(found[1], self._point(channel, residual(x)))
            if here >= 0:
                quarter = x[len(x) - max(len(x) // 4, 1) :]
                found[2] = worse(found[2], self._context(channel, sum(quarter) // len(quarter)))
        self.windows = min(self.windows + 1, WINDOWS_MAX)
        self.visits += here >= 0 and self.visits < VISITS_MAX
        found.append((COLLECTIVE, max(code, 128)) if latched else (0, 0))
        return next((f for f in found if f[0]), (0, 0))

    def _limit(self, x: list[int], low: int | None, high: int | None) -> tuple[int, int]:
        if high is not None and max(x) > high:
            return ABOVE, score(max(x) - high + 1, 1)
        if low is not None and min(x) < low:
            return BELOW, score(low - min(x) + 1, 1)
        return 0, 0

    def _point(self, channel: Channel, r: int) -> tuple[int, int]:
        bound = POINT_TIMES * channel.residual // 16 + POINT_LEAST
        channel.residual = step(channel.residual, 16 * min(r, 2 * bound), min(self.windows + 1, WINDOWS_MAX))
        return (POINT, score(r, bound)) if self.windows >= WINDOWS and r > bound else (0, 0)

    def _context(self, channel: Channel, level: int) -> tuple[int, int]:
        b = channel.bins[self.bin]
        channel.total += level if self.visits < VISITS_MAX else 0
        if b.days == 0:
            return 0, 0
        away = abs(level - b.mean)
        bound = channel.bound(b)
        channel.farthest = max(channel.farthest, min(away, 2 * bound))
        return (CONTEXT, score(away, bound)) if b.days >= DAYS and away > bound else (0, 0)

    def _leave(self) -> None:
        for channel in self.channels:
            if self.bin >= 0 and self.visits > 0:
                b = channel.bins[self.bin]
                mean = channel.total // self.visits
                b.days = min(b.days + 1, DAYS_MAX)
                if b.days == 1:
                    b.mean = mean
                else:
                    bound = 2 * channel.bound(b)
                    b.mean = step(b.mean, clamp(mean, b.mean - bound, b.mean + bound), b.days)
                    b.spread = step(b.spread, channel.farthest, b.days - 1)
            channel.total = channel.farthest = 0
        self.visits = 0


def worse(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    """The higher score; the first at a tie."""
    return b if b[1] > a[1] else a
