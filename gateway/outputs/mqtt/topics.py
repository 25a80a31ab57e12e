"""Where Tags, Alarms and events are published, and what is said there: topics and JSON payloads."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from gateway.core.plant import AlarmId, Plant, Scope, TagId, TagType
from gateway.core.update import AlarmChange, AlarmState, IncidentChange, Quality, TagChange

VERSION = 1  # "v" of every payload; rises only when a reader of the old one would misunderstand
LEVEL = re.compile(r"[^+#/$\x00-\x1f\x7f][^+#/\x00-\x1f\x7f]*")


class Topics:
    """Where things are published. KeyError for what is no longer configured."""

    def __init__(self, plant: Plant, prefix: str) -> None:
        self._plant = plant
        self._root = f"{prefix}/{_levels(plant.site)}"
        self.status = f"{self._root}/status"
        self.alarm_events = f"{self._root}/events/alarms"
        self.incident_events = f"{self._root}/events/incidents"
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


def iso(ms: int) -> str | None:
    """ISO 8601 in UTC with milliseconds; 0 is no time."""
    if not ms:
        return None
    at = datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def tag_payload(change: TagChange, tag_type: TagType) -> dict[str, object]:
    """A Tag as JSON: value in its unit, quality, reason where it is not good."""
    quality = "good" if change.quality.is_good else "bad" if change.quality.is_bad else "uncertain"
    value = change.value
    payload: dict[str, object] = {"v": VERSION, "value": value}
    if isinstance(value, int) and not isinstance(value, bool):
        if tag_type.decimals:
            payload["value"] = value / 10**tag_type.decimals
        if 0 <= value < len(tag_type.states):
            payload["state"] = tag_type.states[value]
    reason = None if change.quality is Quality.GOOD else change.quality.name.lower()
    return payload | {
        "quality": quality,
        "reason": reason,
        "source_time": iso(change.source_ms),
        "unit": tag_type.unit,
    }


def alarm_payload(plant: Plant, change: AlarmChange, gateway_id: bytes) -> dict[str, object]:
    """An Alarm after one transition, whole."""
    c = change
    return {
        "v": VERSION,
        "id": event_id(gateway_id, c.event),
        "event": c.event,
        "alarm": str(c.alarm),
        "transition": c.transition,
        "state": c.state,
        "active": c.active,
        "acknowledged": c.acknowledged,
        "shelved": bool(c.shelved_until_ms),
        "shelved_until": iso(c.shelved_until_ms),
        "out_of_service": c.out_of_service,
        **_text(plant, c.alarm),
        "source_time": iso(c.source_ms),
        "time": iso(c.at_ms),
        "onset": iso(c.onset_ms),
        "incident": c.incident or None,
        "first_out": c.first_out,
        "actor": c.actor,
        "origin": c.origin,
        "comment": c.comment,
    }


def quiet_payload(plant: Plant, alarm: AlarmId) -> dict[str, object]:
    """An Alarm that has never been raised."""
    return {
        "v": VERSION, "id": None, "event": 0, "alarm": str(alarm), "transition": None, "state": AlarmState.NORMAL,
        "active": False, "acknowledged": True, "shelved": False, "shelved_until": None, "out_of_service": False,
        **_text(plant, alarm), "source_time": None, "time": None, "onset": None, "incident": None,
        "first_out": False, "actor": "", "origin": "", "comment": "",
    }  # fmt: skip


def incident_payload(change: IncidentChange, gateway_id: bytes) -> dict[str, object]:
    """An Incident after one transition, whole."""
    c = change
    return {
        "v": VERSION,
        "id": event_id(gateway_id, c.event),
        "event": c.event,
        "incident": c.incident,
        "transition": c.transition,
        "open": c.open,
        "assets": c.assets,
        "nodes": c.nodes,
        "origin": c.origin,
        "source_time": iso(c.source_ms),
        "time": iso(c.at_ms),
        "onset": iso(c.onset_ms),
    }


def event_id(gateway_id: bytes, event: int) -> str:
    """Globally unique: 8 bytes of gateway, 8 bytes of event number, in hexadecimal."""
    return (gateway_id + event.to_bytes(8, "big")).hex()


def _text(plant: Plant, alarm: AlarmId) -> dict[str, object]:
    """What a person is told; empty for an Alarm that is no longer configured."""
    try:
        text = plant.told(alarm)
    except KeyError:
        return {"priority": None, "cause": "", "consequence": "", "action": "", "response_s": None}
    return {
        "priority": text.priority,
        "cause": text.cause,
        "consequence": text.consequence,
        "action": text.action,
        "response_s": text.response_s,
    }
