"""The feature sets of `nodes/wire/SPEC.md`: their numbers, how many features they give, and what each of them is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum

STATISTICS, INVARIANT, SLOW, PRINCIPAL = 1, 2, 3, 5
"""The numbers of the sets, as the contract and a Bundle's manifest have them; 4 is no set of windows."""

NAMES = {STATISTICS: "statistics", INVARIANT: "invariant", SLOW: "slow", PRINCIPAL: "principal"}

MOST_CHANNELS = 9

_AXES, _SHAPE = 3, 13  # of set 2: the axes of a group, and its features beside one for each axis


class Kind(Enum):
    """What a feature is to whoever learns what is normal."""

    LEVEL = "level"  # says how the sensor lies or what it is near: never part of a score
    SCALE = "scale"  # a size that varies by factors: its logarithm is judged
    LOG = "log"  # judged as it is


def size(feature_set: int, channels: int) -> int:
    """How many features the set gives for 1 to 9 channels. KeyError for an unknown set."""
    return len(kinds(feature_set, channels))


def channels(feature_set: int, features: int) -> int:
    """Of a sensor whose windows have so many features; 0 if there is none such."""
    if feature_set not in NAMES:
        return 0
    return next((n for n in range(1, MOST_CHANNELS + 1) if size(feature_set, n) == features), 0)


def named(feature_set: int, channels: int | Sequence[str]) -> tuple[str, ...]:
    """What a person calls each feature, in their order: of channels that have names, or of so many that have none.

    KeyError for an unknown set.
    """
    if isinstance(channels, int):
        channels = [f"channel {n}" for n in range(1, channels + 1)]
    if feature_set in _TERMS_PER_CHANNEL:
        return tuple(f"{term} {channel}" for channel in channels for term in _TERMS_PER_CHANNEL[feature_set])
    groups = [min(_AXES, len(channels) - first) for first in range(0, len(channels), _AXES)]
    terms = _TERMS_PER_SENSOR[feature_set]
    if len(groups) == 1:
        return tuple(terms(groups[0]))
    return tuple(f"{term} of sensor {n}" for n, axes in enumerate(groups, start=1) for term in terms(axes))


def kinds(feature_set: int, channels: int) -> tuple[Kind, ...]:
    """The kind of each feature, in their order. KeyError for an unknown set."""
    if feature_set == INVARIANT:
        return (Kind.LOG,) * (channels + _SHAPE * -(-channels // _AXES))
    return _KINDS_PER_CHANNEL[feature_set] * channels


def usual(channels: int) -> int:
    """The set for vibration: energies of sensors in space, whose channels come in threes, or else the shape as well."""
    return INVARIANT if channels % _AXES else PRINCIPAL


def relative_to(feature_set: int, channels: int) -> tuple[int, ...]:
    """Of each feature, the number of the one that has been taken away from it; its own where none has."""
    size_ = size(feature_set, channels)
    if feature_set != PRINCIPAL:
        return tuple(range(size_))
    found: list[int] = []
    for first in range(0, channels, _AXES):
        energies = range(2 * first, 2 * first + min(_AXES, channels - first))
        found += [*energies, *energies]
    return tuple(found)


_KINDS_PER_CHANNEL = {
    STATISTICS: (Kind.LEVEL, Kind.SCALE, Kind.SCALE),
    SLOW: (Kind.LEVEL, Kind.LOG, Kind.SCALE),
    PRINCIPAL: (Kind.LOG, Kind.LOG),
}

_TERMS_PER_CHANNEL = {STATISTICS: ("mean", "std", "peak-to-peak"), SLOW: ("level", "slope", "spread")}


def _invariant(axes: int) -> Iterator[str]:
    yield from (f"direction {n}" for n in range(1, axes + 1))
    yield from ("crest", "kurtosis", "change")
    yield from (f"band {n}" for n in range(1, 9))
    yield from ("spectral entropy", "size")


def _principal(axes: int) -> Iterator[str]:
    yield from (f"energy {n}" for n in range(1, axes + 1))
    yield from (f"energy of change {n}" for n in range(1, axes + 1))


_TERMS_PER_SENSOR = {INVARIANT: _invariant, PRINCIPAL: _principal}
"""Of a group of up to three channels, which is one sensor."""
