"""Deadlines of the engine: one per key, deterministic in order, cheap to move into the future."""

from __future__ import annotations

import heapq
from collections.abc import Iterator


class Timers:
    """At most one deadline per key. A deadline that moves later is left where it is: it fires early, and its owner,
    who always looks at the present state, asks again. So a report costs no heap operation.
    """

    def __init__(self) -> None:
        self._at: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def ask(self, key: str, at_ms: int) -> None:
        """Wake `key` no later than `at_ms`."""
        present = self._at.get(key)
        if present is None or at_ms < present:
            self._at[key] = at_ms
            heapq.heappush(self._heap, (at_ms, key))

    def any_due(self, now_ms: int) -> bool:
        """Whether `due` may have any: False for nearly every report."""
        return bool(self._heap) and self._heap[0][0] <= now_ms

    def due(self, now_ms: int) -> Iterator[tuple[int, str]]:
        """Take out the deadlines up to now, in order of time, then key. Those asked for meanwhile come, too."""
        while self._heap and self._heap[0][0] <= now_ms:
            at_ms, key = heapq.heappop(self._heap)
            if self._at.get(key) == at_ms:
                del self._at[key]
                yield at_ms, key

    @property
    def next_ms(self) -> int | None:
        """The earliest deadline."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def state(self) -> dict[str, int]:
        """For a snapshot."""
        return dict(self._at)

    def take_over(self, state: dict[str, int]) -> None:
        """The inverse of `state`."""
        self._at = dict(state)
        self._heap = [(at_ms, key) for key, at_ms in state.items()]
        heapq.heapify(self._heap)
