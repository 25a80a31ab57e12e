"""Where Tags, Alarms and events are published."""

from __future__ import annotations

import re

from gateway.core.plant import AlarmId, Plant, Scope, TagId

LEVEL = re.compile(r"[^+#/$\x00-\x1f\x7f][^+#/\x00-\x1f\x7f]*")


class Topics:
    """Where things are published. KeyError for what is no longer configured."""

    def __init__(self, plant: Plant, prefix: str) -> None:
        self._plant = plant
        self._root = f"{prefix}/{_levels(plant.site)}"
        self.status = f"{self._root}/status"
        self.alarm_events = f"{self._root}/events/alarms"
        self.incident_events = f"{self._root}/events/incidents"
        self.gaps = f"{self._root}/events/gaps"
        self.all = f"{self._root}/#"
        self.commands = f"{self._root}/commands"
        self.results = f"{self._root}/commands/results"

    def tag(self, tag: TagId) -> str:
        """Topic of a Tag."""
        return f"{self._place(tag.scope, tag.name)}/{_levels(tag.tag)}"

    def alarm(self, alarm: AlarmId) -> str:
        """Topic of an Alarm's state."""
        return f"{self._place(alarm.scope, alarm.name)}/alarms/{_levels(alarm.kind)}"

    def _place(self, scope: Scope, name: str) -> str:
        if scope is Scope.GATEWAY:
            return f"{self._root}/gateway"
        asset = self._plant.assets[name if scope is Scope.ASSET else self._plant.nodes[name].asset]
        place = f"{self._root}/{_levels(asset.area, asset.line, asset.name)}"
        return place if scope is Scope.ASSET else f"{place}/nodes/{_levels(name)}"


def _levels(*names: str) -> str:
    """Names as topic levels; ValueError if one would leave its level."""
    for name in names:
        if not LEVEL.fullmatch(name):
            raise ValueError(f"{name!r} cannot be a level of an MQTT topic")
    return "/".join(names)
