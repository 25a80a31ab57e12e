"""Where Tags, Alarms and events are published."""

from __future__ import annotations

import re
from functools import lru_cache

from gateway.core.plant import AlarmId, Plant, Scope, TagId

LEVEL = re.compile(r"[^+#/$\x00-\x1f\x7f][^+#/\x00-\x1f\x7f]*")


class Topics:
    """Where things are published. KeyError for what is no longer configured."""

    def __init__(self, plant: Plant, prefix: str) -> None:
        self._plant = plant
        self._root = f"{prefix}/{_level(plant.site)}"
        self.status = f"{self._root}/status"
        self.alarm_events = f"{self._root}/events/alarms"
        self.incident_events = f"{self._root}/events/incidents"
        self.gaps = f"{self._root}/events/gaps"
        self.all = f"{self._root}/#"
        self.commands = f"{self._root}/commands"
        self.results = f"{self._root}/commands/results"
        self._places: dict[tuple[Scope, str], str] = {}  # as many as the plant has assets and nodes

    def tag(self, tag: TagId) -> str:
        """Topic of a Tag."""
        return f"{self._place(tag.scope, tag.name)}/{_level(tag.tag)}"

    def alarm(self, alarm: AlarmId) -> str:
        """Topic of an Alarm's state."""
        return f"{self._place(alarm.scope, alarm.name)}/alarms/{_level(alarm.kind)}"

    def _place(self, scope: Scope, name: str) -> str:
        place = self._places.get((scope, name))
        if place is None:
            place = self._places[scope, name] = self._find_place(scope, name)
        return place

    def _find_place(self, scope: Scope, name: str) -> str:
        if scope is Scope.GATEWAY:
            return f"{self._root}/gateway"
        asset = self._plant.assets[name if scope is Scope.ASSET else self._plant.nodes[name].asset]
        place = f"{self._root}/{_level(asset.area)}/{_level(asset.line)}/{_level(asset.name)}"
        return place if scope is Scope.ASSET else f"{place}/nodes/{_level(name)}"


@lru_cache(maxsize=1024)
def _level(name: str) -> str:
    """A name as a topic level; ValueError if it would leave its level."""
    if not LEVEL.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a level of an MQTT topic")
    return str(name)
