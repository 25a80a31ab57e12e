"""The messages, their fields and ranges as in nodes/wire/wire.cddl, and their bytes.

A payload is one type byte and one CBOR array in preferred serialisation. What decodes is within the contract: nobody
behind this module checks a range again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

import cbor2

from gateway.wire.cbor import read_array
from gateway.wire.fields import SMALL, U8, U16, U32, U64, Take, boolean, image_hash, label, or_nil, uint, vector


class MessageType(IntEnum):
    """The type byte."""

    BIRTH = 1
    FLAG = 2
    WINDOW = 3
    HEALTH = 4
    ACK = 5
    COMMAND = 6
    RESULT = 7


class Undecodable(ValueError):  # noqa: N818 - the verdict's name in SPEC.md
    """The payload is no message of this direction. The text names type, field and reason."""


@dataclass(frozen=True, slots=True)
class Features:
    """The feature vector of one Window; what the values mean is up to the feature set."""

    feature_set: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EnergyUc:
    """Charge used since power on, in microcoulombs."""

    sleep: int
    sensor: int
    compute: int
    radio: int


@dataclass(frozen=True, slots=True)
class Birth:
    """A Node says who it is. `model` is the first 8 bytes of its image's SHA-256, None without a model."""

    seq: int
    age: int
    wire_version: int
    full_seq: int
    skipped: int
    reset_cause: int
    hardware: str
    firmware: str
    feature_set: int
    channels: int
    generation: int
    model: bytes | None
    wake_ms: int
    heartbeat_ms: int
    listen_ms: int
    epoch: int
    last_command: int


@dataclass(frozen=True, slots=True)
class Flag:
    """The Node claims "anomalous". `age`, `score` and `why` are codes."""

    seq: int
    age: int
    score: int
    why: int
    generation: int
    features: Features | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A feature vector without a claim."""

    seq: int
    age: int
    score: int
    generation: int
    features: Features


@dataclass(frozen=True, slots=True)
class Health:
    """How the Node itself is doing; a heartbeat."""

    seq: int
    age: int
    score: int
    why: int
    battery_mv: int
    temperature_cdeg: int | None
    link_dbm: int | None
    uptime_s: int
    wakes: int
    flags: int
    resends: int
    ring_drops: int
    refused: int
    energy_uc: EnergyUc


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to a Command: 0 done, 1 unknown kind, 2 refused, 3 failed."""

    seq: int
    age: int
    id: int
    code: int
    detail: int | None = None


@dataclass(frozen=True, slots=True)
class Ack:
    """Message `base` is durable, and `base + 1 + i` for each bit i of `bitmap`. Modulo 65536."""

    base: int
    bitmap: int
    time_ms: int
    next_s: int
    mail: int
    birth_wanted: bool


@dataclass(frozen=True, slots=True)
class Command:
    """One entry of a Node's mailbox."""

    id: int
    kind: int
    argument: int | None = None


UpMessage = Birth | Flag | Window | Health | Result
DownMessage = Ack | Command
Message = UpMessage | DownMessage
_M = TypeVar("_M", UpMessage, DownMessage)


def _energy(item: object) -> EnergyUc:
    if type(item) is not list or len(item) != 4:
        raise ValueError("is not an array of 4 elements")
    return EnergyUc(*map(U32, item))


_Elements = tuple[tuple[str, Take], ...]
_SEQ_AGE: _Elements = (("seq", U16), ("age", U8))
_FEATURES: _Elements = (("feature_set", U8), ("values", vector))

_BIRTH: _Elements = (
    *_SEQ_AGE,
    ("wire_version", uint(23, low=1)),
    ("full_seq", U32),
    ("skipped", U32),
    ("reset_cause", SMALL),
    ("hardware", label),
    ("firmware", label),
    ("feature_set", U8),
    ("channels", uint(9, low=1)),
    ("generation", SMALL),
    ("model", or_nil(image_hash)),
    ("wake_ms", U32),
    ("heartbeat_ms", U32),
    ("listen_ms", U16),
    ("epoch", U16),
    ("last_command", U32),
)
_FLAG: _Elements = (*_SEQ_AGE, ("score", U8), ("why", U8), ("generation", SMALL), *_FEATURES)
_WINDOW: _Elements = (*_SEQ_AGE, ("score", U8), ("generation", SMALL), *_FEATURES)
_HEALTH: _Elements = (
    *_SEQ_AGE,
    ("score", U8),
    ("why", U8),
    ("battery_mv", U16),
    ("temperature_cdeg", or_nil(uint(0x7FFF, low=-0x8000))),
    ("link_dbm", or_nil(uint(0, low=-128))),
    *((name, U32) for name in ("uptime_s", "wakes", "flags", "resends", "ring_drops", "refused")),
    ("energy_uc", _energy),
)
_RESULT: _Elements = (*_SEQ_AGE, ("id", U32), ("code", SMALL), ("detail", U32))
_ACK: _Elements = (
    ("base", U16),
    ("bitmap", U32),
    ("time_ms", U64),
    ("next_s", U32),
    ("mail", SMALL),
    ("birth_wanted", boolean),
)
_COMMAND: _Elements = (("id", U32), ("kind", U8), ("argument", U32))


@dataclass(frozen=True, slots=True)
class _Form(Generic[_M]):
    """How one message lies on the wire. Its class has the same fields in the same order, but for `Features`."""

    message: Callable[..., _M]
    elements: _Elements
    optional: int = 0  # how many elements may be left off at the end, together


_UP: dict[int, _Form[UpMessage]] = {
    MessageType.BIRTH: _Form(Birth, _BIRTH),
    MessageType.FLAG: _Form(Flag, _FLAG, optional=2),
    MessageType.WINDOW: _Form(Window, _WINDOW),
    MessageType.HEALTH: _Form(Health, _HEALTH),
    MessageType.RESULT: _Form(Result, _RESULT, optional=1),
}
_DOWN: dict[int, _Form[DownMessage]] = {
    MessageType.ACK: _Form(Ack, _ACK),
    MessageType.COMMAND: _Form(Command, _COMMAND, optional=1),
}
_TYPE_OF: dict[object, int] = {form.message: kind for forms in (_UP, _DOWN) for kind, form in forms.items()}


def decode_up(payload: bytes) -> UpMessage:
    """The message that a Node sent. Undecodable for everything else."""
    return _decode(payload, _UP)


def decode_down(payload: bytes) -> DownMessage:
    """The message that a gateway sent. Undecodable for everything else."""
    return _decode(payload, _DOWN)


def encode(message: Message) -> bytes:
    """Type byte and array. ValueError for a field out of its range."""
    kind = _TYPE_OF[type(message)]
    form = _UP.get(kind) or _DOWN[kind]
    items = _items(message, form.optional > 0)
    for (name, take), item in zip(form.elements, items, strict=False):
        try:
            take(item)
        except ValueError as error:
            raise ValueError(f"{type(message).__name__}.{name}: {error}") from None
    return bytes([kind]) + cbor2.dumps(items)


def _items(message: Message, may_stop: bool) -> list[object]:
    items = [getattr(message, name) for name in message.__slots__]
    match items[-1]:
        case None if may_stop:
            items.pop()
        case Features(feature_set, values):
            items[-1:] = [feature_set, list(values)]
        case EnergyUc(sleep, sensor, compute, radio):
            items[-1] = [sleep, sensor, compute, radio]
    return items


def _decode(payload: bytes, forms: dict[int, _Form[_M]]) -> _M:
    if not payload:
        raise Undecodable("no type byte")
    form = forms.get(payload[0])
    if form is None:
        raise Undecodable(f"type {payload[0]} is no message of this direction")
    elements = form.elements
    try:
        items = read_array(payload, 1)
    except ValueError as error:
        raise Undecodable(f"{MessageType(payload[0]).name}: {error}") from None
    if len(items) not in (len(elements), len(elements) - form.optional):
        raise Undecodable(f"{MessageType(payload[0]).name}: {len(items)} elements")
    fields = []
    for (name, take), item in zip(elements, items, strict=False):
        try:
            fields.append(take(item))
        except ValueError as error:
            raise Undecodable(f"{MessageType(payload[0]).name} {name}: {error}") from None
    if len(items) == len(elements) and elements[-1][1] is vector:
        fields[-2:] = [Features(*fields[-2:])]
    return form.message(*fields)
