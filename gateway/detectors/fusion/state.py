"""A fusion's state as bytes and back, exactly."""

from __future__ import annotations

from dataclasses import asdict

from gateway.detectors.fusion import Fusion
from gateway.detectors.fusion.node import FusedNode
from gateway.detectors.place import Settings
from gateway.detectors.place import state as place_state
from gateway.detectors.place.given import given, restored
from gateway.detectors.place.memory import Alarm
from gateway.detectors.place.state import StateRefused, packed, unpacked
from gateway.detectors.place.threshold import Limit

VERSION = 1


def dump(fusion: Fusion) -> bytes:
    """All that a fusion knows and remembers."""
    return packed({
        "fusion": VERSION,
        "features": {node: list(names) for node, names in fusion.features.items()},
        "settings": asdict(fusion.settings),
        "reach": fusion.reach, "means": fusion.means, "there": list(fusion.there),
        "nodes": {node: _node(judge) for node, judge in fusion.judges.items()},
    })  # fmt: skip


def load(state: bytes) -> Fusion:
    """A fusion that goes on as the one dumped would. Raises StateRefused."""
    plain = unpacked(state)
    if plain.get("fusion") != VERSION:
        raise StateRefused(f"not a fusion of version {VERSION}")
    try:
        fusion = Fusion(plain["features"], Settings(**plain["settings"]))
        fusion.reach, fusion.means, fusion.there = plain["reach"], plain["means"], tuple(plain["there"])
        for node, judge in fusion.judges.items():
            kept = plain["nodes"][node]
            judge.own = place_state.load(kept["own"])
            judge.given = {tuple(others): place_state.load(place, given, restored) for others, place in kept["given"]}
            judge.limits = {tuple(others): Limit(**limit) for others, limit in kept["limits"]}
            judge.alarm = Alarm(**kept["alarm"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise StateRefused(f"not the state of a fusion: {error}") from error
    return fusion


def _node(judge: FusedNode) -> dict[str, object]:
    return {
        "own": place_state.dump(judge.own),
        "given": [[list(others), place_state.dump(place)] for others, place in judge.given.items()],
        "limits": [[list(others), asdict(limit)] for others, limit in judge.limits.items()],
        "alarm": vars(judge.alarm),
    }
