"""The gateway's clock: the only place where the daemon's decisions get their time from."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

LEAST_LEAP_MS = 1000


class Moment(NamedTuple):
    """A time of decision, and the same moment on CLOCK_MONOTONIC. `leap_ms`: so much of the time since the last
    moment did not pass here: the system's clock was set forward, or the machine was suspended.
    """

    ms: int
    monotonic_ns: int
    leap_ms: int = 0

    def of_receipt_ms(self, received_ns: int) -> int:
        """The time of day of an earlier moment on CLOCK_MONOTONIC."""
        return self.ms - max(0, self.monotonic_ns - received_ns) // 1_000_000


class Clock:
    """Unix milliseconds that never fall and never stand still.

    Where the system's clock is behind what this one has shown (it was set back, or the journal was written under a
    clock that was ahead), this one goes on by CLOCK_MONOTONIC at nine tenths of its pace until the two meet: deadlines
    still come, and the error shrinks by itself.
    """

    def __init__(
        self,
        not_before_ms: int = 0,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._met_ms = not_before_ms  # where and when this clock last was the system's own
        self._met_ns = monotonic_ns()
        self._last: Moment | None = None

    def now_ms(self) -> int:
        """The time of a decision: never earlier than any before it, in the journal included."""
        monotonic_ns, wall_ms = self._monotonic_ns(), self._wall_ns() // 1_000_000
        alone_ms = self._met_ms + (monotonic_ns - self._met_ns) * 9 // 10_000_000
        if wall_ms < alone_ms:
            return alone_ms
        self._met_ms, self._met_ns = wall_ms, monotonic_ns
        return wall_ms

    def now(self) -> Moment:
        """The time of a group of decisions."""
        ms, monotonic_ns, last = self.now_ms(), self._monotonic_ns(), self._last
        leap_ms = ms - last.ms - (monotonic_ns - last.monotonic_ns) // 1_000_000 if last else 0
        self._last = Moment(ms, monotonic_ns, leap_ms if leap_ms >= LEAST_LEAP_MS else 0)
        return self._last
