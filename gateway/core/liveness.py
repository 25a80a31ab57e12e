"""Liveness of nodes that sleep: silence is judged against the schedule that the node itself announced."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from gateway.core.plant import Liveness


class Alive(IntEnum):
    """Index into `plant.LIVENESS`."""

    UNKNOWN = 0  # it has never announced a schedule
    ON_TIME = 1
    DUE = 2  # its heartbeat is expected now, within the tolerance of its clock
    LATE = 3
    STALE = 4
    LOST = 5


@dataclass(slots=True)
class Schedule:
    """What a node has announced in its Birth, and when it was last heard (gateway time, Unix ms).

    `deaf_ms`: for how long since then the gateway itself did not run. That is not the node's silence.
    """

    heartbeat_ms: int = 0
    last_seen_ms: int = 0
    deaf_ms: int = 0

    def seen(self, received_ms: int) -> None:
        """The node was heard."""
        if received_ms > self.last_seen_ms:
            self.last_seen_ms, self.deaf_ms = received_ms, 0

    def judge(self, rule: Liveness, now_ms: int) -> tuple[Alive, int | None, int]:
        """The state now, when it will change if the node stays silent (None: never), and since when it is so."""
        if not self.heartbeat_ms:
            return Alive.UNKNOWN, None, self.last_seen_ms
        due_ms = self.last_seen_ms + self.deaf_ms + self.heartbeat_ms
        if now_ms < due_ms:
            return Alive.ON_TIME, due_ms, self.last_seen_ms
        tolerance_ms = self.heartbeat_ms * rule.tolerance_pct // 100
        steps = (
            (Alive.DUE, self.heartbeat_ms),
            (Alive.LATE, rule.late_after * self.heartbeat_ms + tolerance_ms),
            (Alive.STALE, rule.stale_after * self.heartbeat_ms + tolerance_ms),
            (Alive.LOST, rule.lost_after * self.heartbeat_ms + tolerance_ms),
        )
        state, since_ms = Alive.ON_TIME, self.last_seen_ms
        for step, after_ms in steps:
            step_ms = self.last_seen_ms + self.deaf_ms + after_ms
            if now_ms < step_ms:
                return state, step_ms, since_ms
            state, since_ms = step, step_ms
        return state, None, since_ms
