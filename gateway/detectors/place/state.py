"""A place's state as bytes and back, exactly: CBOR of numbers, texts, lists, maps, and arrays of IEEE doubles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import cbor2
import numpy as np

from gateway.detectors.place import Place, Settings
from gateway.detectors.place.follow import Follower
from gateway.detectors.place.memory import Alarm, Memory
from gateway.detectors.place.normal import Fit, Known, Normal, fit
from gateway.detectors.place.threshold import Limit

VERSION = 1
ARRAY = "f8"


class StateRefused(ValueError):  # noqa: N818 - says what was done with the state
    """The bytes are no state of this version."""


def dump(place: Place) -> bytes:
    """All that a place knows and remembers."""
    memory = place.memory
    return packed({
        "version": VERSION,
        "names": list(place.names),
        "settings": asdict(place.settings),
        "known": place.known.plain() if place.known else None,
        "limit": asdict(place.limit) if place.limit else None,
        "memory": None if memory is None else {"follower": vars(memory.follower), "alarm": vars(memory.alarm)},
        "reach": place.reach, "mean": place.mean, "gaps": place.gaps,
        "rows": np.array(place.rows), "contexts": np.array(place.contexts),
    })  # fmt: skip


def load(state: bytes, how: Fit = fit, known: Callable[..., Known] = Normal) -> Place:
    """A place that goes on as the one dumped would. `known` makes what was learned from its `plain`.

    Raises StateRefused.
    """
    plain = unpacked(state)
    try:
        if plain["version"] != VERSION:
            raise StateRefused(f"a state of version {plain['version']}, not {VERSION}")
        place = Place(plain["names"], Settings(**plain["settings"]), how)
        place.known = known(**plain["known"]) if plain["known"] else None
        place.limit = Limit(**plain["limit"]) if plain["limit"] else None
        place.sensitivity(place.settings.events)
        if memory := plain["memory"]:
            place.memory = Memory(Follower(**memory["follower"]), Alarm(**memory["alarm"]))
        place.reach, place.mean, place.gaps = plain["reach"], plain["mean"], plain["gaps"]
        place.rows, place.contexts = list(plain["rows"]), list(plain["contexts"])
    except (KeyError, TypeError, AttributeError) as error:
        raise StateRefused(f"not the state of a place: {error}") from error
    return place


def packed(plain: Mapping[str, Any]) -> bytes:
    """As bytes; the same for the same."""
    return cbor2.dumps(plain, default=_array, canonical=True)


def unpacked(state: bytes) -> dict[str, Any]:
    """From bytes. Raises StateRefused."""
    try:
        plain = cbor2.loads(state, object_hook=_arrays)
    except (cbor2.CBORDecodeError, ValueError) as error:
        raise StateRefused(f"not CBOR: {error}") from error
    if not isinstance(plain, dict):
        raise StateRefused("not a map")
    return plain


def _array(encoder: cbor2.CBOREncoder, value: object) -> None:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{type(value)} in a state")
    encoder.encode({ARRAY: value.astype("<f8").tobytes(), "shape": list(value.shape)})


def _arrays(_: cbor2.CBORDecoder, value: dict[Any, Any]) -> object:
    if value.keys() != {ARRAY, "shape"}:
        return value
    return np.frombuffer(value[ARRAY], "<f8").reshape(value["shape"]).astype(float)
