"""The gateway's clock: the only place where the daemon's decisions get their time from."""

from __future__ import annotations

import time


class Clock:
    """Unix milliseconds that never fall, even when the system's clock is set back."""

    def __init__(self, not_before_ms: int = 0) -> None:
        self._newest_ms = not_before_ms

    def now_ms(self) -> int:
        """The time of a decision: never earlier than any before it, in the journal included."""
        self._newest_ms = max(self._newest_ms, time.time_ns() // 1_000_000)
        return self._newest_ms

    def of_receipt_ms(self, received_ns: int) -> int:
        """The time of day of a moment on CLOCK_MONOTONIC in the near past."""
        return self.now_ms() - max(0, time.monotonic_ns() - received_ns) // 1_000_000
