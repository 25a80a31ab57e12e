"""The messages and their fields, as in nodes/wire/wire.cddl. `messages` reads and writes them."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class MessageType(IntEnum):
    """The type byte."""

    BIRTH = 1
    FLAG = 2
    WINDOW = 3
    HEALTH = 4
    ACK = 5
    COMMAND = 6
    RESULT = 7
    CHUNK = 8
    SAMPLED = 9
    LEARNER_STATE = 10
    OFFER = 11


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


class BirthMore(NamedTuple):
    """What a Birth says since 0.2.

    `samples` per channel in one window; `rate_millihz` is 0 where it is not said. `slot` is the one that the firmware
    runs from. `learner` is the first 8 bytes of the SHA-256 of what the Node has learned, None before it has.
    """

    samples: int
    rate_millihz: int
    firmware_counter: int
    slot: int
    learner: bytes | None


class HealthMore(NamedTuple):
    """What a Health says since 0.2.

    `battery_load_mv`: while the radio draws its current, None if that cannot be measured. The others are counts: wakes
    in which news waited because the battery was too low for the radio, refusals of the deepest sleep, restarts.
    """

    battery_load_mv: int | None
    deferred: int
    stop_refused: int
    restarts: int


class LearnerBrief(NamedTuple):
    """How a Node's learner is doing. `state` and `similarity` as in SPEC.md, "Learner"; `drift` is a code, `events_ppb`
    the false alarms in 10^9 windows that its threshold allows.
    """

    state: int
    learned: int
    similarity: int
    drift: int
    events_ppb: int


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
    more: BirthMore | None = None


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
    more: HealthMore | None = None
    learner: LearnerBrief | None = None  # never without `more`


class Result(NamedTuple):
    """The answer to a Command, an Offer or a Chunk: 0 done, 1 unknown kind, 2 refused, 3 failed, 4 go on."""

    seq: int
    age: int
    id: int
    code: int
    detail: int | None = None


class Sampled(NamedTuple):
    """Part of a window as it was sampled. `data`: int16, little-endian, interleaved (SPEC.md, "Collection")."""

    seq: int
    age: int
    window_number: int
    part: int
    parts: int
    channels: int
    rate_millihz: int
    data: bytes


class LearnerState(NamedTuple):
    """Part of what a Node has learned, as a `learner-image`."""

    seq: int
    age: int
    part: int
    parts: int
    data: bytes


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


class Offer(NamedTuple):
    """Something to be put into a slot of the Node: its Chunks follow on request."""

    id: int
    store: int
    size: int
    sha256: bytes
    counter: int
    signature: bytes | None = None


class Chunk(NamedTuple):
    """Part of what Offer `transfer` has announced, from byte `offset` on."""

    transfer: int
    offset: int
    data: bytes


UpMessage = Birth | Flag | Window | Health | Result | Sampled | LearnerState
DownMessage = Ack | Command | Offer | Chunk
Message = UpMessage | DownMessage
