"""An event notification as asyncua's event queues take it: fields by browse path, types, notifiers."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import variant_to_binary

from gateway.outputs.opcua.ids import standard


class Kept(ua.Variant):
    """A field that many events have: encoded once."""

    @cached_property
    def binary(self) -> bytes:
        """As it goes over the wire."""
        return bytes(variant_to_binary(self))


NULL = ua.Variant(None, ua.VariantType.Null)
SERVER = standard(ObjectIds.Server)
_BASE = standard(ObjectIds.BaseEventType)
_SYSTEM_EVENTS = (_BASE, standard(ObjectIds.SystemEventType))


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """One event. `fields` are by browse path ("ActiveState/Id"; "NodeId" is the ConditionId), `types` is the event's
    type and all its supertypes, `notifiers` the nodes whose subscribers see it.
    """

    fields: Mapping[str, ua.Variant]
    types: frozenset[ua.NodeId]
    notifiers: tuple[ua.NodeId, ...] = (SERVER,)

    def row(self, columns: Sequence[str | None]) -> list[ua.Variant]:
        """The fields of these names; null where this event has no such field."""
        fields = self.fields
        return [fields.get(name, NULL) if name else NULL for name in columns]


def refresh_start() -> Event:
    """What precedes the retained conditions of a ConditionRefresh."""
    return _system_event(ObjectIds.RefreshStartEventType, "ConditionRefresh starts")


def refresh_end() -> Event:
    """What follows the retained conditions of a ConditionRefresh."""
    return _system_event(ObjectIds.RefreshEndEventType, "ConditionRefresh ends")


def refresh_required() -> Event:
    """Tells a client that it has missed events and should call ConditionRefresh."""
    return _system_event(ObjectIds.RefreshRequiredEventType, "Events were lost: call ConditionRefresh")


def _system_event(type_id: int, message: str) -> Event:
    kind = standard(type_id)
    now = ua.Variant(datetime.now(UTC), ua.VariantType.DateTime)
    fields = {
        "EventId": ua.Variant(secrets.token_bytes(16), ua.VariantType.ByteString),
        "EventType": ua.Variant(kind, ua.VariantType.NodeId),
        "SourceNode": ua.Variant(SERVER, ua.VariantType.NodeId),
        "SourceName": ua.Variant("Server", ua.VariantType.String),
        "Time": now,
        "ReceiveTime": now,
        "Message": ua.Variant(ua.LocalizedText(message, "en"), ua.VariantType.LocalizedText),
        "Severity": ua.Variant(100, ua.VariantType.UInt16),
    }
    return Event(fields, frozenset((*_SYSTEM_EVENTS, kind)))
