"""The feature sets of `nodes/wire/SPEC.md`: their numbers, how many features they give, and what each of them is."""

from __future__ import annotations

from enum import Enum

STATISTICS, INVARIANT, SLOW = 1, 2, 3
"""The numbers of the sets, as the contract and a Bundle's manifest have them."""

NAMES = {STATISTICS: "statistics", INVARIANT: "invariant", SLOW: "slow"}

_AXES, _SHAPE = 3, 13  # of set 2: the axes of a group, and its features beside one for each axis


class Kind(Enum):
    """What a feature is to whoever learns what is normal."""

    LEVEL = "level"  # says how the sensor lies or what it is near: never part of a score
    SCALE = "scale"  # a size that varies by factors: its logarithm is judged
    LOG = "log"  # judged as it is


def size(feature_set: int, channels: int) -> int:
    """How many features the set gives for 1 to 9 channels. KeyError for an unknown set."""
    return len(kinds(feature_set, channels))


def kinds(feature_set: int, channels: int) -> tuple[Kind, ...]:
    """The kind of each feature, in their order. KeyError for an unknown set."""
    if feature_set == INVARIANT:
        return (Kind.LOG,) * (channels + _SHAPE * -(-channels // _AXES))
    return _KINDS_PER_CHANNEL[feature_set] * channels


_KINDS_PER_CHANNEL = {
    STATISTICS: (Kind.LEVEL, Kind.SCALE, Kind.SCALE),
    SLOW: (Kind.LEVEL, Kind.LOG, Kind.SCALE),
}
