"""Windows that wait for the gateway's own model: in the journal from the moment they wait, each with a deadline."""

from __future__ import annotations

from typing import NamedTuple

from gateway.core.ledger import Ledger
from gateway.core.timers import Timers

MAX_PENDING = 10_000
"""More Windows than this do not wait: the node's claim stands, and `rescore_overflow` counts it."""


class Pending(NamedTuple):
    """One Window that waits. `claimed`: the node has called it anomalous; else it is a sample of the normal."""

    node: str
    model: str
    event_ms: int
    deadline_ms: int
    feature_set: int
    values: tuple[int, ...]
    claimed: bool


class Rescores:
    """Windows that wait, by the journal entry that brought them."""

    def __init__(self, ledger: Ledger, timers: Timers) -> None:
        self._ledger = ledger
        self._timers = timers
        self._new: list[tuple[int, int]] = []
        self.pending: dict[int, Pending] = {}

    def wait(self, entry: int, pending: Pending) -> bool:
        """Let a Window wait; False if too many do."""
        if len(self.pending) >= MAX_PENDING:
            self._ledger.count("rescore_overflow")
            return False
        self.pending[entry] = pending
        self._new.append((entry, pending.deadline_ms))
        self._timers.ask(f"window:{entry}", pending.deadline_ms)
        return True

    def take_new(self) -> list[tuple[int, int]]:
        """Those that began to wait in this step."""
        if not self._new:  # nearly always
            return []
        new, self._new = self._new, []
        return new
