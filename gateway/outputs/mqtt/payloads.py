"""What is published, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from gateway.core.event_id import EventIds
from gateway.core.plant import AlarmId, Plant, TagType
from gateway.core.update import AlarmChange, AlarmState, IncidentChange, Quality, TagChange, Value
from gateway.outputs import Gap

VERSION = 1  # "v" of every payload; rises only when a reader of the old one would misunderstand
SECONDS_KNOWN = 1024


_JSON = json.JSONEncoder(separators=(",", ":"))


def encoded(payload: Mapping[str, object]) -> bytes:
    """JSON as it is published."""
    return _JSON.encode(payload).encode()


@lru_cache(SECONDS_KNOWN)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()[: -len("+00:00")]


def iso(ms: int) -> str | None:
    """ISO 8601 in UTC with milliseconds; 0 is no time."""
    return f"{_second(ms // 1000)}.{ms % 1000:03d}Z" if ms else None


def _quality(quality: Quality) -> str:
    word = "good" if quality.is_good else "bad" if quality.is_bad else "uncertain"
    reason = "null" if quality is Quality.GOOD else f'"{quality.name.lower()}"'
    return f',"quality":"{word}","reason":{reason},"source_time":'


QUALITIES: Mapping[Quality, str] = {quality: _quality(quality) for quality in Quality}


class TagForm:
    """Writes the payloads of one Tag: value in its unit, quality, and the reason where it is not good.

    Tags are by far the most that is published, so what never changes is written once.
    """

    def __init__(self, kind: TagType, gateway_id: bytes) -> None:
        self._scale = 10**kind.decimals
        self._states = [f',"state":{json.dumps(state)}' for state in kind.states]
        self._tail = f',"unit":{json.dumps(kind.unit)},"gateway":"{gateway_id.hex()}"}}'

    def payload(self, change: TagChange) -> bytes:
        """JSON, UTF-8."""
        at = iso(change.source_ms)
        when = f'"{at}"' if at else "null"
        return (
            f'{{"v":{VERSION},"value":{self._value(change.value)}{QUALITIES[change.quality]}{when}{self._tail}'.encode()
        )

    def _value(self, value: Value) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            if self._states and 0 <= value < len(self._states):
                return f"{value}{self._states[value]}"
            return repr(value / self._scale) if self._scale > 1 else str(value)
        return json.dumps(value)


def alarm_payload(plant: Plant, change: AlarmChange, ids: EventIds) -> dict[str, object]:
    """An Alarm after one transition, whole."""
    c = change
    return {
        "v": VERSION,
        "gateway": ids.gateway_id.hex(),
        "id": ids.id_of(c.event).hex(),
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


def quiet_payload(plant: Plant, alarm: AlarmId, gateway_id: bytes) -> dict[str, object]:
    """An Alarm that has never been raised."""
    return {
        "v": VERSION, "gateway": gateway_id.hex(), "id": None, "event": 0, "alarm": str(alarm), "transition": None,
        "state": AlarmState.NORMAL, "active": False, "acknowledged": True, "shelved": False, "shelved_until": None,
        "out_of_service": False, **_text(plant, alarm), "source_time": None, "time": None, "onset": None,
        "incident": None, "first_out": False, "actor": "", "origin": "", "comment": "",
    }  # fmt: skip


def incident_payload(change: IncidentChange, ids: EventIds) -> dict[str, object]:
    """An Incident after one transition, whole."""
    c = change
    return {
        "v": VERSION,
        "gateway": ids.gateway_id.hex(),
        "id": ids.id_of(c.event).hex(),
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


def gap_payload(gap: Gap, ids: EventIds) -> dict[str, object]:
    """Events that were given up: which, and how many."""
    return {
        "v": VERSION,
        "gateway": ids.gateway_id.hex(),
        "id": (ids.id_of(gap.first_event) + gap.last_event.to_bytes(8, "big")).hex(),
        "first_event": gap.first_event,
        "last_event": gap.last_event,
        "count": gap.events,
    }


def status_payload(gateway_id: bytes, since_ms: int | None) -> dict[str, object]:
    """The gateway is online since a time (Unix ms), or offline: None."""
    status: dict[str, object] = {"v": VERSION, "online": since_ms is not None, "gateway": gateway_id.hex()}
    return status if since_ms is None else status | {"since": iso(since_ms)}


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
