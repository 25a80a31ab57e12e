"""How the gateway's learner is to learn, by what the configuration says of each node. Needs no numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class How:
    """Of one node. `false_alarms_a_week`: wanted while its machine is well. `fleet`: what is known of like machines
    (`stethos learner merge`). `context`: what the learner is told of the machine beside a Window: "time of day", or
    "NODE/CHANNEL", whose level counts.
    """

    windows: int
    false_alarms_a_week: float
    fleet: bytes = b""
    context: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lessons:
    """Of all nodes. `usual`: of those that `own` says nothing of. `fused`: assets whose nodes are judged together."""

    usual: How
    own: Mapping[str, How] = field(default_factory=dict)
    fused: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def of(self, node: str) -> How:
        """Of one node."""
        return self.own.get(node, self.usual)
