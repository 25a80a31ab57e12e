"""The messages' bytes, and the ranges of their fields, as in nodes/wire/wire.cddl.

A payload is one type byte and one CBOR array in preferred serialisation. What decodes is within the contract: nobody
behind this module checks a range again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from gateway.wire import grammar
from gateway.wire.cbor import ARRAY, UINT, array, head, read_array
from gateway.wire.fields import (
    SMALL,
    U8,
    U16,
    U32,
    U64,
    VECTOR,
    Take,
    TupleOf,
    boolean,
    chunk_data,
    exactly,
    label,
    or_nil,
    pattern,
    plain_range,
    uint,
)
from gateway.wire.shapes import (
    Ack,
    Birth,
    BirthMore,
    Chunk,
    Command,
    DownMessage,
    EnergyUc,
    Features,
    Flag,
    Health,
    HealthMore,
    LearnerBrief,
    LearnerState,
    Message,
    MessageType,
    Offer,
    Result,
    Sampled,
    Undecodable,
    UpMessage,
    Window,
)

__all__ = [
    "Ack",
    "Birth",
    "BirthMore",
    "Chunk",
    "Command",
    "DownMessage",
    "EnergyUc",
    "Features",
    "Flag",
    "Health",
    "HealthMore",
    "LearnerBrief",
    "LearnerState",
    "Message",
    "MessageType",
    "Offer",
    "Result",
    "Sampled",
    "Undecodable",
    "UpMessage",
    "Window",
    "decode_down",
    "decode_up",
    "encode",
]

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
    ("model", or_nil(exactly(8))),
    ("wake_ms", U32),
    ("heartbeat_ms", U32),
    ("listen_ms", U16),
    ("epoch", U16),
    ("last_command", U32),
    ("more", TupleOf((uint(1024, low=1), U32, U32, uint(1), or_nil(exactly(8))), BirthMore)),
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
    ("energy_uc", TupleOf((U32,) * 4, EnergyUc)),
    ("more", TupleOf((or_nil(U16), U32, U32, U32), HealthMore)),
    ("learner", TupleOf((uint(7), U16, uint(100), U8, U32), LearnerBrief)),
)
_RESULT: _Elements = (*_SEQ_AGE, ("id", U32), ("code", SMALL), ("detail", U32))
_PART: _Elements = (("part", U8), ("parts", uint(255, low=1)))
_SAMPLED: _Elements = (
    *_SEQ_AGE,
    ("window_number", U32),
    *_PART,
    ("channels", uint(9, low=1)),
    ("rate_millihz", U32),
    ("data", chunk_data),
)
_LEARNER_STATE: _Elements = (*_SEQ_AGE, *_PART, ("data", chunk_data))
_ACK: _Elements = (
    ("base", or_nil(U16)),
    ("bitmap", U32),
    ("time_ms", U64),
    ("next_s", U32),
    ("mail", SMALL),
    ("birth_wanted", boolean),
)
_COMMAND: _Elements = (("id", U32), ("kind", U8), ("argument", U32))
_OFFER: _Elements = (
    ("id", U32),
    ("store", uint(3)),
    ("size", U32),
    ("sha256", exactly(32)),
    ("counter", U32),
    ("signature", exactly(64)),
)
_CHUNK: _Elements = (("transfer", U32), ("offset", U32), ("data", chunk_data))


@dataclass(frozen=True, slots=True)
class _Form(Generic[_M]):
    """How one message lies on the wire. Its class has the same fields in the same order, but that the last two elements
    of a message with Features are one field.
    """

    message: type[_M]
    elements: _Elements
    sizes: tuple[int, ...]  # how many elements there may be, falling
    plain: tuple[tuple[int, int, int], ...]  # of each its index, and from where to where an integer is a field as it is
    tuples: tuple[tuple[int, type[tuple[Any, ...]]], ...]  # which elements are arrays, and what a field is made of them
    match: grammar.Match | None
    features: bool


def _form(
    message: type[_M], kind: MessageType, elements: _Elements, *left_off: int, features: bool = False
) -> _Form[_M]:
    """`left_off`: how many elements there may be less at the end."""
    sizes = (len(elements), *(len(elements) - less for less in left_off))
    patterns = [found for _, take in elements if (found := pattern(take))]
    match = grammar.matcher(kind, patterns, sizes) if len(patterns) == len(elements) else None
    ranges = [plain_range(take) for _, take in elements]
    plain = tuple((index, low, high) for index, (low, high) in enumerate(ranges))
    tuples = tuple((index, take.made) for index, (_, take) in enumerate(elements) if isinstance(take, TupleOf))
    return _Form(message, elements, sizes, plain, tuples, match, features)


_UP: dict[int, _Form[UpMessage]] = {
    MessageType.BIRTH: _form(Birth, MessageType.BIRTH, _BIRTH, 1),
    MessageType.FLAG: _form(Flag, MessageType.FLAG, _FLAG, 2, features=True),
    MessageType.WINDOW: _form(Window, MessageType.WINDOW, _WINDOW, features=True),
    MessageType.HEALTH: _form(Health, MessageType.HEALTH, _HEALTH, 1, 2),
    MessageType.RESULT: _form(Result, MessageType.RESULT, _RESULT, 1),
    MessageType.SAMPLED: _form(Sampled, MessageType.SAMPLED, _SAMPLED),
    MessageType.LEARNER_STATE: _form(LearnerState, MessageType.LEARNER_STATE, _LEARNER_STATE),
}
_DOWN: dict[int, _Form[DownMessage]] = {
    MessageType.ACK: _form(Ack, MessageType.ACK, _ACK),
    MessageType.COMMAND: _form(Command, MessageType.COMMAND, _COMMAND, 1),
    MessageType.OFFER: _form(Offer, MessageType.OFFER, _OFFER, 1),
    MessageType.CHUNK: _form(Chunk, MessageType.CHUNK, _CHUNK),
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
    items = _items(message, form.sizes[-1])
    if len(items) not in form.sizes:
        raise ValueError(f"{type(message).__name__}: the end cannot be left off in part")
    try:
        _take(form, items.copy())
    except ValueError as error:
        raise ValueError(f"{type(message).__name__}.{error}") from None
    return bytes([kind]) + array(items)


def _items(message: Message, least: int) -> list[object]:
    """The elements: without those at the end that are None and may be left off, of which `least` remain."""
    items: list[object] = []
    for field in message:
        if isinstance(field, Features):
            items += [field.feature_set, list(field.values)]
        else:
            items.append(list(field) if isinstance(field, tuple) else field)
    while len(items) > least and items[-1] is None:
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
    size = len(items)
    for index, made in form.tuples:
        if index < size:
            items[index] = _new(made, items[index])
    if form.features and size == len(form.elements):
        values = tuple(items.pop())
        items[-1] = _new(Features, (items[-1], values))
    missing = len(form.message._fields) - len(items)  # what was left off
    return _new(form.message, items + [None] * missing if missing else items)


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
