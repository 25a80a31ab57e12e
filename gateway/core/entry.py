"""Journal entries: everything that can move the engine, each with a version and a binary form.

An entry's body is a CBOR array. When its shape changes, its version rises and `UPCASTERS` gains a function from the
old shape to the next: a journal of any earlier release replays with the present code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple, cast

import cbor2
from pydantic import TypeAdapter

from gateway.core.command import Command, CommandKind
from gateway.core.mailbox import Order
from gateway.core.plant import AlarmKind, AlarmText, Plant, Scope
from gateway.core.roster import gateway_alarms
from gateway.wire.cbor import ARRAY, UINT, array, byte_string, head, text
from gateway.wire.image import Manifest
from gateway.wire.messages import UpMessage, decode_up


class EntryKind(StrEnum):
    """Kinds of journal entries."""

    CONFIGURED = "config"
    STARTED = "started"
    REPORT = "report"
    SCORE = "score"
    COMMAND = "command"
    TICK = "tick"
    NOTICED = "noticed"
    POSTED = "posted"
    OFFERED = "offered"
    LEARNED = "learned"


VERSIONS: Mapping[EntryKind, int] = {**dict.fromkeys(EntryKind, 1), EntryKind.CONFIGURED: 3, EntryKind.COMMAND: 2}


class EntryBroken(ValueError):  # noqa: N818 - named like the other faults of stored things
    """A journal entry cannot be read; the message names kind, version and reason."""


@dataclass(frozen=True, slots=True)
class Configured:
    """From here on this plant is in force.

    No decision rests on the rest, which is for people: `settings`, what is configured beside the plant, as lines
    "key = value", without secrets ("": not kept, before 0.2); `changes`, what a reload has changed, in words.
    """

    plant: Plant
    settings: str = ""
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """The gateway has (re)started: nothing was heard in between."""

    version: str


class Report(NamedTuple):
    """A node's message, authenticated and new. `seq` is the whole message number; `message` is `payload` decoded."""

    node: str
    link: str
    seq: int
    key_generation: int
    received_ms: int
    payload: bytes
    message: UpMessage


NO_OPINION = -1
"""The threshold of a Score whose detector still learns: a node's claim stands."""


class Scored(NamedTuple):
    """The gateway's own model has looked at the Window that entry `window` brought.

    `value` and `threshold` are in the bundle's integer units; `model` is the SHA-256 of the model file. A `failure`
    says why there is no value.
    """

    window: int
    value: int
    threshold: int
    model: bytes
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Commanded:
    """A person asked for something."""

    command: Command


@dataclass(frozen=True, slots=True)
class Posted:
    """A person, or the gateway itself, has something to tell a node: it waits in the node's mailbox.

    `argument` as in nodes/wire/SPEC.md, "Commands"; `expires_ms` (Unix ms) is when it is let go unread.
    """

    node: str
    order: Order
    argument: int | None
    expires_ms: int
    actor: str
    origin: str


@dataclass(frozen=True, slots=True)
class Offered:
    """A person has an image for a node: it waits in the node's mailbox, and its bytes in the journal's images.

    `least_mv`: not while the node's battery is below it; 0: whatever the battery. `expires_ms`: Unix ms.
    """

    node: str
    image: Manifest
    least_mv: int
    expires_ms: int
    actor: str
    origin: str


@dataclass(frozen=True, slots=True)
class Learned:
    """The gateway's own learner knows what is normal at a node's place, or begins anew; no decision rests on it.

    `state` is all that it knows (gateway/runtime/learning.py, learning_fused.py); `what` happened, in a word, and
    `told` to people.
    """

    node: str
    what: str
    told: str
    state: bytes


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: a deadline the engine asked to be woken for."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """The gateway has noticed something about itself: the condition of one of its own alarms came or went.

    `source_ms` (Unix ms) is when; `detail` says what exactly, in words.
    """

    kind: AlarmKind
    active: bool
    source_ms: int
    detail: str = ""

    def __post_init__(self) -> None:
        if self.kind.scope is not Scope.GATEWAY:
            raise ValueError(f"{self.kind} is not an alarm of the gateway")


Body = Configured | Started | Report | Scored | Commanded | Posted | Offered | Learned | Tick | Noticed


class Entry(NamedTuple):
    """One journal entry: its number, when the gateway took it up (Unix ms, never falling), and what it says."""

    id: int
    at_ms: int
    body: Body


_PLANT = TypeAdapter(Plant)
_ALARMS = TypeAdapter(Mapping[AlarmKind, AlarmText])


def with_gateway_alarms(plant: dict[str, Any]) -> dict[str, Any]:
    """A plant as 0.1 has kept it, with the alarms that the gateway has had of its own since."""
    texts = _ALARMS.dump_python(gateway_alarms())
    return plant | {"alarms": plant["alarms"] | {kind: texts[kind] for kind in texts if kind not in plant["alarms"]}}


_REPORT = EntryKind.REPORT, VERSIONS[EntryKind.REPORT]
_SCORE = EntryKind.SCORE, VERSIONS[EntryKind.SCORE]


@lru_cache(maxsize=1 << 15)
def _report_head(node: str, link: str) -> bytes:
    return head(ARRAY, 6) + text(node) + text(link)


Upcaster = Callable[[list[Any]], list[Any]]
UPCASTERS: Mapping[tuple[EntryKind, int], Upcaster] = {
    (EntryKind.CONFIGURED, 1): lambda fields: [with_gateway_alarms(fields[0])],
    (EntryKind.CONFIGURED, 2): lambda fields: [*fields, "", []],
    (EntryKind.COMMAND, 1): lambda fields: [*fields, False],
}
"""(kind, version) -> a function from the fields of that version to those of the next."""


def encode(body: Body) -> tuple[EntryKind, int, bytes]:
    """Kind, version and bytes of an entry's body."""
    match body:
        case Report():  # by far the most: put together by hand
            r = body
            numbers = head(UINT, r.seq) + head(UINT, r.key_generation) + head(UINT, r.received_ms)
            return *_REPORT, _report_head(r.node, r.link) + numbers + byte_string(r.payload)
        case Scored():
            return *_SCORE, array(body)
        case Tick():
            kind, fields = EntryKind.TICK, []
        case Commanded(command):
            c = command
            kind = EntryKind.COMMAND
            fields = [str(c.kind), c.actor, c.origin, c.alarm, c.event, c.comment, c.until_ms, c.learn]
        case Posted(node, order, argument, expires_ms, actor, origin):
            kind, fields = EntryKind.POSTED, [node, int(order), argument, expires_ms, actor, origin]
        case Offered(node, image, least_mv, expires_ms, actor, origin):
            kind, fields = EntryKind.OFFERED, [node, image.pack(), least_mv, expires_ms, actor, origin]
        case Learned(node, what, told, state):
            kind, fields = EntryKind.LEARNED, [node, what, told, state]
        case Started(version):
            kind, fields = EntryKind.STARTED, [version]
        case Noticed(what, active, source_ms, detail):
            kind, fields = EntryKind.NOTICED, [str(what), active, source_ms, detail]
        case Configured(plant, settings, changes):
            kind, fields = EntryKind.CONFIGURED, [_PLANT.dump_python(plant), settings, changes]
    return kind, VERSIONS[kind], cbor2.dumps(fields)


def decode(kind: str, version: int, data: bytes) -> Body:
    """The inverse of `encode`, older versions included. Raises EntryBroken."""
    try:
        entry_kind = EntryKind(kind)
        fields = cast(list[object], cbor2.loads(data))
        known = VERSIONS[entry_kind]
        for older in range(version, known):
            fields = UPCASTERS[entry_kind, older](fields)
        if version > known:
            raise EntryBroken(f"{kind} version {version} is newer than this release, which knows {known}")
        return _body(entry_kind, fields)
    except EntryBroken:
        raise
    except (ValueError, TypeError, KeyError, EOFError, cbor2.CBORError) as error:
        raise EntryBroken(f"{kind} version {version}: {error}") from error


def _body(kind: EntryKind, fields: list[object]) -> Body:
    match kind, fields:
        case EntryKind.REPORT, [str(node), str(link), int(seq), int(generation), int(received_ms), bytes(payload)]:
            return Report(node, link, seq, generation, received_ms, payload, decode_up(payload))
        case EntryKind.TICK, []:
            return Tick()
        case EntryKind.SCORE, [int(window), int(value), int(threshold), bytes(model), str(failure)]:
            return Scored(window, value, threshold, model, failure)
        case EntryKind.COMMAND, [
            str(what), str(actor), str(origin), str(alarm), int(event), str(comment), int(until), bool(learn)
        ]:  # fmt: skip
            return Commanded(Command(CommandKind(what), actor, origin, alarm, event, comment, until, learn))
        case EntryKind.POSTED, [
            str(node), int(order), int() | None as argument, int(expires_ms), str(actor), str(origin)
        ]:  # fmt: skip
            return Posted(node, Order(order), argument, expires_ms, actor, origin)
        case EntryKind.OFFERED, [
            str(node), bytes(manifest), int(least_mv), int(expires_ms), str(actor), str(origin)
        ]:  # fmt: skip
            return Offered(node, Manifest.parse(manifest), least_mv, expires_ms, actor, origin)
        case EntryKind.LEARNED, [str(node), str(what), str(told), bytes(state)]:
            return Learned(node, what, told, state)
        case EntryKind.STARTED, [str(version)]:
            return Started(version)
        case EntryKind.NOTICED, [str(what), bool(active), int(source_ms), str(detail)]:
            return Noticed(AlarmKind(what), active, source_ms, detail)
        case EntryKind.CONFIGURED, [dict(plant), str(settings), list(changes)]:
            return Configured(_PLANT.validate_python(plant), settings, tuple(map(str, changes)))
    raise EntryBroken(f"{kind}: fields that do not fit")
