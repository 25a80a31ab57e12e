"""What a node's machine was doing when a Window was taken, as far as somebody tells: the levels that other nodes
measure (a speed, a load, a temperature), and the time of day.

Nodes wake when they like. Of another node that Window counts which is nearest in event time among those that came
before, while it is no farther away than is usual between two Windows of the rarer of both, and half of that again for
waking late (as in learning_fused.py). If there is none, what is missing is named, and nobody judges.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from gateway.config import TIME_OF_DAY
from gateway.detectors import feature_sets
from gateway.detectors.feature_sets import Kind
from gateway.detectors.place.kriging import Column
from gateway.detectors.place.kriging import Kind as ColumnKind
from gateway.detectors.place.state import StateRefused, packed, unpacked
from gateway.runtime.learning_fused import LATE
from gateway.wire.messages import Features

VERSION = 1
KEY = "/context"
"""In the journal's table of places, where no node has a name like it."""
HELD = 16
"""Windows of each node that are remembered."""
PER_UNIT = 16  # of a level, which is in sixteenths of the sample unit (nodes/wire/SPEC.md, "Feature sets")

Row = NDArray[np.float64]


@dataclass(slots=True)
class Said:
    """By one node of late, in the order of its times: when, and the level of each channel."""

    at_ms: list[int] = field(default_factory=list)
    levels: list[list[float]] = field(default_factory=list)

    @property
    def usual_ms(self) -> float:
        """Between two Windows."""
        return median(b - a for a, b in pairwise(self.at_ms)) if len(self.at_ms) > 1 else 0

    def add(self, at_ms: int, levels: list[float]) -> None:
        """One more; the oldest is forgotten."""
        at = int(np.searchsorted(self.at_ms, at_ms, side="right"))
        self.at_ms.insert(at, at_ms)
        self.levels.insert(at, levels)
        del self.at_ms[:-HELD], self.levels[:-HELD]

    def level(self, channel: int, at_ms: int, reach_ms: float) -> float | None:
        """Of a channel, 1 being the first, about that time; None: it was not there."""
        nearest = min(range(len(self.at_ms)), key=lambda i: (abs(self.at_ms[i] - at_ms), i), default=None)
        if nearest is None or abs(self.at_ms[nearest] - at_ms) > reach_ms:
            return None
        levels = self.levels[nearest]
        return levels[channel - 1] if channel <= len(levels) else None


class Readings:
    """Of all nodes that have a context, or are one. Not thread-safe."""

    def __init__(self, state: bytes = b"") -> None:
        """`state`: as the journal has it. Raises StateRefused."""
        self._said: dict[str, Said] = {}
        if not state:
            return
        plain = unpacked(state)
        if plain.get("version") != VERSION:
            raise StateRefused(f"readings of version {plain.get('version')}, not {VERSION}")
        try:
            self._said = {node: Said(list(at_ms), list(levels)) for node, (at_ms, levels) in plain["said"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StateRefused(f"not what nodes have said: {error}") from error

    @property
    def nodes(self) -> set[str]:
        """Of which a Window has come."""
        return set(self._said)

    def only(self, nodes: Collection[str]) -> None:
        """Forgets what others have said."""
        self._said = {node: said for node, said in self._said.items() if node in nodes}

    def heard(self, node: str, event_ms: int, features: Features) -> None:
        """A Window of a node that has a context, or is one."""
        self._said.setdefault(node, Said()).add(event_ms, levels(features))

    def about(self, node: str, event_ms: int, names: Sequence[str]) -> tuple[Row, list[str]]:
        """The context [c] of a Window that has been heard, NaN where it is missing; and the names of what is."""
        usual_ms = self._said[node].usual_ms
        found = [self._value(name, event_ms, usual_ms) for name in names]
        missing = [name for name, value in zip(names, found, strict=True) if value is None]
        return np.array([np.nan if value is None else value for value in found]), missing

    def state(self) -> dict[str, bytes]:
        """All of it, to be kept."""
        if not self._said:
            return {}
        plain = {node: [said.at_ms, said.levels] for node, said in self._said.items()}
        return {KEY: packed({"version": VERSION, "said": plain})}

    def _value(self, name: str, event_ms: int, usual_ms: float) -> float | None:
        if name == TIME_OF_DAY:
            return hour(event_ms)
        node, _, channel = name.partition("/")
        said = self._said.get(node)
        return said.level(int(channel), event_ms, LATE * max(said.usual_ms, usual_ms)) if said else None


def levels(features: Features) -> list[float]:
    """Of each channel, in sample units; none of a feature set that has no levels."""
    number, values = features
    channels = feature_sets.channels(number, len(values))
    kinds = feature_sets.kinds(number, channels) if channels else ()
    return [value / PER_UNIT for value, kind in zip(values, kinds, strict=False) if kind is Kind.LEVEL]


def hour(event_ms: int) -> float:
    """Of the day, where the gateway is: 0 to 24."""
    at = datetime.fromtimestamp(event_ms / 1000).astimezone()
    return at.hour + at.minute / 60 + at.second / 3600


def column(name: str) -> Column:
    """What it is to a learner."""
    return Column(ColumnKind.CYCLE) if name == TIME_OF_DAY else Column()
