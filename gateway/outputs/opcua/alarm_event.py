"""The Part 9 event that tells a change of an Alarm: EventId, fields, states."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds

from gateway.core.plant import AlarmId, AlarmKind, Plant
from gateway.core.update import AlarmChange, AlarmTransition
from gateway.outputs import Host
from gateway.outputs.opcua.event import Event, Kept
from gateway.outputs.opcua.ids import standard
from gateway.outputs.opcua.space import Space, condition_identifier
from gateway.outputs.opcua.values import utc

_V = ua.VariantType
_INPUTS = {AlarmKind.ANOMALY: "state", AlarmKind.NODE_LOST: "liveness", AlarmKind.SENSOR_FAULT: "sensor"}
_CLASS = {
    AlarmKind.ANOMALY: (ObjectIds.ProcessConditionClassType, "ProcessConditionClassType"),
    AlarmKind.NODE_LOST: (ObjectIds.MaintenanceConditionClassType, "MaintenanceConditionClassType"),
    AlarmKind.SENSOR_FAULT: (ObjectIds.MaintenanceConditionClassType, "MaintenanceConditionClassType"),
    AlarmKind.JOURNAL_SPACE: (ObjectIds.SystemConditionClassType, "SystemConditionClassType"),
    AlarmKind.OUTPUT_BEHIND: (ObjectIds.SystemConditionClassType, "SystemConditionClassType"),
}
_FLAGS = {flag: Kept(flag, _V.Boolean) for flag in (False, True)}
_NO_NODE = Kept(ua.NodeId(), _V.NodeId)
_GOOD = Kept(ua.StatusCode(), _V.StatusCode)
_CLASSES = {
    kind: (Kept(standard(node), _V.NodeId), Kept(ua.LocalizedText(name, "en"), _V.LocalizedText))
    for kind, (node, name) in _CLASS.items()
}
_ALARMS_KNOWN = 256
_SHELVED = {
    False: ("Unshelved", Kept(standard(ObjectIds.ShelvedStateMachineType_Unshelved), _V.NodeId)),
    True: ("Timed Shelved", Kept(standard(ObjectIds.ShelvedStateMachineType_TimedShelved), _V.NodeId)),
}


def event_of(change: AlarmChange, host: Host, space: Space, *, refreshed_ms: int = 0) -> Event:
    """The event that tells a change of an Alarm: a function of the change alone, so that it is the same after a
    restart and in a refresh. Only how long it stays shelved is counted from a refresh at `refreshed_ms` (Unix ms).
    """
    fixed = _fixed(change.alarm, host.plant, space)
    source, at = (ua.Variant(utc(ms), _V.DateTime) for ms in (change.source_ms, change.at_ms))
    fields = {
        "EventId": ua.Variant(host.event_ids.id_of(change.event), _V.ByteString),
        "Time": source,
        "ReceiveTime": at,
        "LastSeverity/SourceTimestamp": source,
        "Retain": _FLAGS[change.retain],
        "Quality": _GOOD,
        "Quality/SourceTimestamp": source,
        "Comment": ua.Variant(ua.LocalizedText(change.comment), _V.LocalizedText),
        "Comment/SourceTimestamp": at,
        "ClientUserId": ua.Variant(change.actor, _V.String),
        "OnsetTime": ua.Variant(utc(change.onset_ms) if change.onset_ms else None, _V.DateTime),
        "Incident": ua.Variant(change.incident, _V.UInt32),
        "FirstOut": _FLAGS[change.first_out],
        **_states(change, refreshed_ms or change.at_ms),
        **fixed.fields,
    }
    return Event(fields, fixed.types, fixed.notifiers)


def _fixed(alarm: AlarmId, plant: Plant, space: Space) -> Event:
    """What all events of an Alarm have in common, made once for the Alarms that are heard of now."""
    known = space.events
    if alarm not in known or known[alarm][0] is not plant:
        if len(known) >= _ALARMS_KNOWN:
            known.clear()
        class_id, class_name = _CLASSES[alarm.kind]
        fields = {
            "EventType": _node(space.alarm_type(alarm.kind)),
            "SourceNode": _node(space.source_of(alarm)),
            "SourceName": Kept(alarm.name, _V.String),
            "NodeId": _node(space.node_id(condition_identifier(alarm))),
            "ConditionName": Kept(str(alarm), _V.String),
            "ConditionClassId": class_id,
            "ConditionClassName": class_name,
            "BranchId": _NO_NODE,
            "InputNode": _node(_input_of(alarm, space)),
            "NormalState": _NO_NODE,
            **_words(alarm, plant),
        }
        known[alarm] = plant, Event(fields, space.alarm_types[alarm.kind], space.notifiers_of(alarm))
    return known[alarm][1]


def _input_of(alarm: AlarmId, space: Space) -> ua.NodeId:
    """The variable that an alarm follows; null where there is none (Part 9, 5.8.2)."""
    tag = _INPUTS.get(alarm.kind)
    return space.node_id(f"{alarm.scope}.{alarm.name}.{tag}") if tag else ua.NodeId()


def _words(alarm: AlarmId, plant: Plant) -> Mapping[str, ua.Variant]:
    text = plant.told(alarm)
    severity = Kept(text.priority.severity, _V.UInt16)
    return {
        "Message": _said(" ".join(_sentence(part) for part in (text.cause, text.action) if part)),
        "Severity": severity,
        "LastSeverity": severity,
        "Cause": _said(text.cause),
        "Consequence": _said(text.consequence),
        "Action": _said(text.action),
        "ResponseTime": Kept(text.response_s * 1000.0, _V.Double),
    }


def _states(change: AlarmChange, now_ms: int) -> Mapping[str, ua.Variant]:
    shelved = change.shelved_until_ms > 0
    name, state = _SHELVED[shelved]
    remaining = max(0, change.shelved_until_ms - now_ms) if shelved else 0
    fields = {
        **_two_states("EnabledState", True, "Enabled", "Disabled"),
        **_two_states("ActiveState", change.active, "Active", "Inactive"),
        **_two_states("AckedState", change.acknowledged, "Acknowledged", "Unacknowledged"),
        **_two_states("OutOfServiceState", change.out_of_service, "Out of Service", "In Service"),
        "SuppressedOrShelved": _FLAGS[shelved or change.out_of_service],
        "ShelvingState/CurrentState": _text(name),
        "ShelvingState/CurrentState/Id": state,
        "ShelvingState/UnshelveTime": ua.Variant(float(remaining), _V.Double),
    }
    if change.active or change.transition is AlarmTransition.RETURNED:
        since = change.onset_ms if change.active else change.source_ms
        fields["ActiveState/TransitionTime"] = ua.Variant(utc(since), _V.DateTime)
    if change.transition is AlarmTransition.ACKNOWLEDGED:
        fields["AckedState/TransitionTime"] = ua.Variant(utc(change.at_ms), _V.DateTime)
    return fields


@cache
def _two_states(name: str, value: bool, true: str, false: str) -> Mapping[str, ua.Variant]:
    text = _text(true if value else false)
    return {name: text, f"{name}/Id": Kept(value, _V.Boolean), f"{name}/EffectiveDisplayName": text}


@cache
def _text(text: str) -> ua.Variant:
    return Kept(ua.LocalizedText(text, "en"), _V.LocalizedText)


def _said(text: str) -> ua.Variant:
    """Words of the configuration, in whatever language: no locale."""
    return Kept(ua.LocalizedText(text), _V.LocalizedText)


def _node(node: ua.NodeId) -> ua.Variant:
    return Kept(node, _V.NodeId)


def _sentence(words: str) -> str:
    """With a full stop, so that what is said next cannot be read as part of it."""
    return words if words.endswith((".", "!", "?")) else f"{words}."
