"""Updates: the only thing an Output sees.

An Update is a change of a Tag, of an Alarm or of an Incident. Their binary form (CBOR arrays of integers, text and
bytes, no floats) is what `stethos replay` compares byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import NamedTuple

import cbor2

from gateway.core.plant import AlarmId, TagId
from gateway.wire.cbor import ARRAY, UINT, array, head, text

Value = bool | int | str | None


class Quality(IntEnum):
    """How far a value can be trusted, and why. 0..9 good, 10..19 uncertain, 20.. bad."""

    GOOD = 0
    STALE = 10  # the node is late for longer than its own schedule allows
    RESTARTED = 11  # value from before a restart, until the node's next report
    UNSCORED = 12  # the node's claim stands alone: no model, or its Score did not come in time
    NO_DATA = 20  # nothing has been reported yet
    LOST = 21  # the node is lost; the value is its last
    SENSOR = 22  # the sensor says itself that it is faulty
    CONFIGURATION = 23  # the model or bundle it depends on is missing or broken
    OUT_OF_SERVICE = 24

    @property
    def is_good(self) -> bool:
        """Good in the sense of OPC."""
        return self < 10

    @property
    def is_bad(self) -> bool:
        """Bad in the sense of OPC; neither good nor bad is Uncertain."""
        return self >= 20


class TagChange(NamedTuple):
    """A Tag has a new value, quality or source time (Unix ms; the time of the sample, not of arrival)."""

    tag: TagId
    value: Value
    quality: Quality
    source_ms: int


class AlarmTransition(StrEnum):
    """What happened to an Alarm (ISA-18.2)."""

    RAISED = "raised"
    RETURNED = "returned"
    ACKNOWLEDGED = "acknowledged"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    OUT_OF_SERVICE = "out_of_service"
    IN_SERVICE = "in_service"
    REVISED = "revised"  # late data or a Score changed its onset or its incident, not its state


class AlarmState(StrEnum):
    """The state diagram of ISA-18.2, figure 3, one word each."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"  # active, not acknowledged
    ACKNOWLEDGED = "acknowledged"  # active, acknowledged
    RETURNED = "returned"  # back to normal, not acknowledged
    SHELVED = "shelved"
    OUT_OF_SERVICE = "out_of_service"


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """An Alarm after one transition, whole: whoever reads only this one knows its present state.

    `event` numbers alarm and incident events of the gateway from 1 without a gap; it is the event's identity in every
    Output. `source_ms` is when the thing happened in the plant (for a raise: the sample that decided), `at_ms` when
    the gateway decided. `onset_ms` is when the present or last activity began. Actor and origin are "" unless a
    person did it.
    """

    event: int
    alarm: AlarmId
    transition: AlarmTransition
    active: bool
    acknowledged: bool
    shelved_until_ms: int  # 0: not shelved
    out_of_service: bool
    source_ms: int
    at_ms: int
    onset_ms: int
    incident: int  # 0: none
    first_out: bool  # the first alarm of its incident
    actor: str = ""
    origin: str = ""
    comment: str = ""

    @property
    def state(self) -> AlarmState:
        """The ISA-18.2 state; out of service wins over shelved, shelved over the rest."""
        if self.out_of_service:
            return AlarmState.OUT_OF_SERVICE
        if self.shelved_until_ms:
            return AlarmState.SHELVED
        if self.active:
            return AlarmState.ACKNOWLEDGED if self.acknowledged else AlarmState.UNACKNOWLEDGED
        return AlarmState.NORMAL if self.acknowledged else AlarmState.RETURNED

    @property
    def retain(self) -> bool:
        """OPC UA Part 9 Retain: interesting to a client that has just connected."""
        return self.active or not self.acknowledged


class IncidentTransition(StrEnum):
    """What happened to an Incident."""

    OPENED = "opened"
    GROWN = "grown"
    REVISED = "revised"
    CLOSED = "closed"
    REFUTED = "refuted"  # closed because re-scoring or late data took its ground away


@dataclass(frozen=True, slots=True)
class IncidentChange:
    """An Incident after one transition, whole. `origin` is the Asset where it probably began."""

    event: int
    incident: int
    transition: IncidentTransition
    assets: tuple[str, ...]  # in the order in which they joined
    nodes: tuple[str, ...]  # whose evidence stands, sorted
    origin: str
    onset_ms: int
    source_ms: int
    at_ms: int
    open: bool


Update = TagChange | AlarmChange | IncidentChange


def encode_updates(updates: Sequence[Update]) -> bytes:
    """Deterministic binary form of a run of Updates."""
    return b"".join([head(ARRAY, len(updates)), *map(_encoded, updates)])


def decode_updates(data: bytes) -> list[Update]:
    """The inverse of `encode_updates`; ValueError on anything else."""
    return _updates(_loads(data))


def encode_decision(updates: Sequence[Update], waiting: Sequence[tuple[int, int]]) -> bytes:
    """What one entry led to, as the journal keeps it: its Updates, and which Windows wait for a Score until when.

    The journal keeps changes of Alarms and Incidents. Tags change with nearly every report and follow from it; that
    they do is verified where a snapshot holds them all.
    """
    return b"\x82" + encode_updates(updates) + (array(waiting) if waiting else b"\x80")


def decode_decision(data: bytes) -> list[Update]:
    """The Updates of a journalled decision; ValueError on anything else."""
    match _loads(data):
        case [rows, [*_waiting]]:
            return _updates(rows)
    raise ValueError("not a decision")


def _loads(data: bytes) -> object:
    try:
        return cbor2.loads(data)
    except (EOFError, cbor2.CBORError) as error:
        raise ValueError(f"not CBOR: {error}") from error


def _updates(rows: object) -> list[Update]:
    if not isinstance(rows, list):
        raise ValueError("not a list of updates")
    return [_update(row) for row in rows]


def _encoded(update: Update) -> bytes:
    """One Update as a CBOR array. Tags are by far the most, so theirs is put together from parts made before."""
    match update:
        case TagChange(tag, value, quality, source_ms):
            return _tag_head(tag) + _item(value) + head(UINT, quality) + head(UINT, source_ms)
    return _encoded_event(update)


@lru_cache(maxsize=1 << 8)  # each is written twice, soon after one another: as an event, and in its entry's decision
def _encoded_event(event: AlarmChange | IncidentChange) -> bytes:
    match event:
        case AlarmChange():
            u = event
            row = [
                1, u.event, str(u.alarm), str(u.transition), u.active, u.acknowledged, u.shelved_until_ms,
                u.out_of_service, u.source_ms, u.at_ms, u.onset_ms, u.incident, u.first_out, u.actor, u.origin,
                u.comment,
            ]  # fmt: skip
        case IncidentChange():
            i = event
            row = [
                2, i.event, i.incident, str(i.transition), list(i.assets), list(i.nodes), i.origin, i.onset_ms,
                i.source_ms, i.at_ms, i.open,
            ]  # fmt: skip
    return cbor2.dumps(row)


@lru_cache(maxsize=1 << 17)
def _tag_head(tag: TagId) -> bytes:
    return head(ARRAY, 5) + head(UINT, 0) + text(str(tag))


def _item(value: Value) -> bytes:
    if type(value) is int and value >= 0:  # nearly always
        return head(UINT, value)
    return cbor2.dumps(value)


def _update(row: object) -> Update:
    match row:
        case [0, str(tag), value, int(quality), int(source_ms)]:
            if not isinstance(value, bool | int | str | None):
                raise ValueError(f"tag {tag}: a value of type {type(value).__name__}")
            return TagChange(TagId.parse(tag), value, Quality(quality), source_ms)
        case [1, int(event), str(alarm), str(transition), *rest] if len(rest) == 12:
            return AlarmChange(event, AlarmId.parse(alarm), AlarmTransition(transition), *rest)  # type: ignore[arg-type]
        case [2, int(event), int(incident), str(transition), list(assets), list(nodes), *rest] if len(rest) == 5:
            return IncidentChange(
                event,
                incident,
                IncidentTransition(transition),
                tuple(map(str, assets)),
                tuple(map(str, nodes)),
                *rest,  # type: ignore[arg-type]
            )
    raise ValueError(f"not an update: {row!r}")
