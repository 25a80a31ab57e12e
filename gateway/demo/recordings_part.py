"""What one node plays in a replay, and what it is commissioned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.manifest import Channel
from gateway.training.features import Samples
from gateway.training.outcome import Interval


@dataclass(frozen=True)
class Part:
    """A node's recording: stretches to be commissioned from, each continuous, and what is played."""

    name: str
    asset: str
    description: str
    channels: tuple[Channel, ...]
    rate_millihz: int
    window: int
    level_matters: bool
    fit: Sequence[Samples]
    calibrate: Sequence[Samples]
    check: Sequence[Samples]
    played: Samples
    labels: tuple[Interval, ...]
    note: str


def whole(values: NDArray[Any]) -> Samples:
    """To 16-bit samples, saturating as a sensor does."""
    return np.asarray(np.clip(np.rint(values), -32768, 32767), np.int16)


def labels(runs: Sequence[tuple[int, str]]) -> tuple[Interval, ...]:
    """Lengths with their fault ("" for none), joined where neighbours agree."""
    intervals: list[Interval] = []
    at = 0
    for length, fault in runs:
        if intervals and intervals[-1].fault == fault:
            intervals[-1] = Interval(intervals[-1].start, at + length, fault)
        else:
            intervals.append(Interval(at, at + length, fault))
        at += length
    return tuple(intervals)
