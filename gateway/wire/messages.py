"""The messages, their fields and ranges as in nodes/wire/wire.cddl, and their bytes.

A payload is one type byte and one CBOR array in preferred serialisation. What decodes is within the contract: nobody
behind this module checks a range again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

from gateway.wire import grammar
from gateway.wire.cbor import ARRAY, UINT, array, head, read_array
from gateway.wire.fields import (
    SMALL,
    U8,
    U16,
    U32,
    U64,
    VECTOR,
    ArrayOf,
    Take,
    boolean,
    image_hash,
    label,
    or_nil,
    pattern,
    plain_range,
    uint,
)


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


class Features(NamedTuple):
    """The feature vector of one Window; what the values mean is up to the feature set."""

    feature_set: int
    values: tuple[int, ...]


class EnergyUc(NamedTuple):
    """Charge used since power on, in microcoulombs."""

    sleep: int
    sensor: int
    compute: int
    radio: int


class Birth(NamedTuple):
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


class Flag(NamedTuple):
    """The Node claims "anomalous". `age`, `score` and `why` are codes."""

    seq: int
    age: int
    score: int
    why: int
    generation: int
    features: Features | None = None


class Window(NamedTuple):
    """A feature vector without a claim."""

    seq: int
    age: int
    score: int
    generation: int
    features: Features


class Health(NamedTuple):
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


class Result(NamedTuple):
    """The answer to a Command: 0 done, 1 unknown kind, 2 refused, 3 failed."""

    seq: int
    age: int
    id: int
    code: int
    detail: int | None = None


class Ack(NamedTuple):
    """Message `base` is durable, and `base + 1 + i` for each bit i of `bitmap`. Modulo 65536.

    `base` None, `bitmap` 0: what came could not be placed, nothing of it is durable.
    """

    base: int | None
    bitmap: int
    time_ms: int
    next_s: int
    mail: int
    birth_wanted: bool


class Command(NamedTuple):
    """One entry of a Node's mailbox."""

    id: int
    kind: int
    argument: int | None = None


UpMessage = Birth | Flag | Window | Health | Result
DownMessage = Ack | Command
Message = UpMessage | DownMessage
_M = TypeVar("_M", UpMessage, DownMessage)
_new = tuple.__new__  # a NamedTuple made of what it holds, without the call of Python that its own name is


_Elements = tuple[tuple[str, Take], ...]
_SEQ_AGE: _Elements = (("seq", U16), ("age", U8))
_FEATURES: _Elements = (("feature_set", U8), ("values", VECTOR))

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
    ("energy_uc", ArrayOf(U32, 4, 4)),
)
_RESULT: _Elements = (*_SEQ_AGE, ("id", U32), ("code", SMALL), ("detail", U32))
_ACK: _Elements = (
    ("base", or_nil(U16)),
    ("bitmap", U32),
    ("time_ms", U64),
    ("next_s", U32),
    ("mail", SMALL),
    ("birth_wanted", boolean),
)
_COMMAND: _Elements = (("id", U32), ("kind", U8), ("argument", U32))


_Part = Callable[[list[Any]], None]


@dataclass(frozen=True, slots=True)
class _Form(Generic[_M]):
    """How one message lies on the wire. Its class has the same fields in the same order, but for the last of them."""

    message: type[_M]
    elements: _Elements
    sizes: tuple[int, ...]  # how many elements there may be
    plain: tuple[tuple[int, int, int], ...]  # of each its index, and from where to where an integer is a field as it is
    match: grammar.Match | None
    part: _Part | None  # puts the last field in the place of its elements


def _form(
    message: type[_M], kind: MessageType, elements: _Elements, *, optional: int = 0, part: _Part | None = None
) -> _Form[_M]:
    """`optional`: how many elements may be left off at the end, together."""
    patterns = [found for _, take in elements if (found := pattern(take))]
    match = grammar.matcher(kind, patterns, optional) if len(patterns) == len(elements) else None
    ranges = [plain_range(take) for _, take in elements]
    plain = tuple((index, low, high) for index, (low, high) in enumerate(ranges))
    sizes = (len(elements), len(elements) - optional)
    return _Form(message, elements, sizes, plain, match, part)


def _features(items: list[Any]) -> None:
    values = tuple(items.pop())
    items[-1] = _new(Features, (items[-1], values))


def _energy(items: list[Any]) -> None:
    items[-1] = _new(EnergyUc, items[-1])


_UP: dict[int, _Form[UpMessage]] = {
    MessageType.BIRTH: _form(Birth, MessageType.BIRTH, _BIRTH),
    MessageType.FLAG: _form(Flag, MessageType.FLAG, _FLAG, optional=2, part=_features),
    MessageType.WINDOW: _form(Window, MessageType.WINDOW, _WINDOW, part=_features),
    MessageType.HEALTH: _form(Health, MessageType.HEALTH, _HEALTH, part=_energy),
    MessageType.RESULT: _form(Result, MessageType.RESULT, _RESULT, optional=1),
}
_DOWN: dict[int, _Form[DownMessage]] = {
    MessageType.ACK: _form(Ack, MessageType.ACK, _ACK),
    MessageType.COMMAND: _form(Command, MessageType.COMMAND, _COMMAND, optional=1),
}
_ACK_START = bytes([MessageType.ACK]) + head(ARRAY, len(_ACK))
_TYPE_OF: dict[object, int] = {form.message: kind for forms in (_UP, _DOWN) for kind, form in forms.items()}


def decode_up(payload: bytes) -> UpMessage:
    """The message that a Node sent. Undecodable for everything else."""
    return _decode(payload, _UP)


def decode_down(payload: bytes) -> DownMessage:
    """The message that a gateway sent. Undecodable for everything else."""
    return _decode(payload, _DOWN)


def encode(message: Message) -> bytes:
    """Type byte and array. ValueError for a field out of its range."""
    return _encode_ack(message) if type(message) is Ack else _encode(message)


def _encode_ack(ack: Ack) -> bytes:
    """The same bytes as of `_encode`: of what differs from Ack to Ack, nearly all are in range."""
    base, bitmap, time_ms, next_s, mail, birth_wanted = ack
    if type(base) is int and type(bitmap) is int and 0 <= base <= 0xFFFF and 0 <= bitmap <= 0xFFFF_FFFF:
        return _ACK_START + head(UINT, base) + head(UINT, bitmap) + _ack_end(time_ms, next_s, mail, birth_wanted)
    return _encode(ack)


@lru_cache(maxsize=4, typed=True)
def _ack_end(time_ms: int, next_s: int, mail: int, birth_wanted: bool) -> bytes:
    """From the time on, all Acks of one moment are alike. ValueError for a field out of its range."""
    return _encode(Ack(0, 0, time_ms, next_s, mail, birth_wanted))[len(_ACK_START) + 2 :]


def _encode(message: Message) -> bytes:
    kind = _TYPE_OF[type(message)]
    form = _UP.get(kind) or _DOWN[kind]
    items = _items(message, len(set(form.sizes)) > 1)
    try:
        _take(form, items.copy())
    except ValueError as error:
        raise ValueError(f"{type(message).__name__}.{error}") from None
    return bytes([kind]) + array(items)


def _items(message: Message, may_stop: bool) -> list[object]:
    items: list[object] = list(message)
    last = items[-1]
    if isinstance(last, Features):
        items[-1:] = [last.feature_set, list(last.values)]
    elif isinstance(last, EnergyUc):
        items[-1] = list(last)
    elif last is None and may_stop:
        items.pop()
    return items


def _decode(payload: bytes, forms: dict[int, _Form[_M]]) -> _M:
    if not payload:
        raise Undecodable("no type byte")
    form = forms.get(payload[0])
    if form is None:
        raise Undecodable(f"type {payload[0]} is no message of this direction")
    items = grammar.read(payload) if form.match and form.match(payload) else None
    if items is None:
        items = _strictly(payload, form)
    if form.part and len(items) == len(form.elements):
        form.part(items)
    elif len(items) < len(form.message._fields):
        items.append(None)  # what was left off
    return _new(form.message, items)


def _strictly(payload: bytes, form: _Form[Any]) -> list[Any]:
    """The elements of any message, or what is wrong with them as Undecodable."""
    name = MessageType(payload[0]).name
    try:
        items = read_array(payload, 1)
    except ValueError as error:
        raise Undecodable(f"{name}: {error}") from None
    if len(items) not in form.sizes:
        raise Undecodable(f"{name}: {len(items)} elements")
    try:
        _take(form, items)
    except ValueError as error:
        raise Undecodable(f"{name} {error}") from None
    return items


def _take(form: _Form[Any], items: list[object]) -> None:
    """Put the fields in the place of what CBOR gave. ValueError, which names the field."""
    for item, (index, low, high) in zip(items, form.plain):  # noqa: B905 - an optional end may be missing
        if type(item) is int and low <= item <= high:  # most fields; spares them a call
            continue
        name, take = form.elements[index]
        try:
            items[index] = take(item)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
