"""The register map, as data: the server, `stethos tags` and the CSV for integrators (table.py) are made from it.

Addresses are 0-based PDU addresses. They depend on the slot of an Asset or Node and on the tables below, never on what
else the plant consists of: what is added or removed moves nothing. New tags and kinds of alarm go behind the last
number of their table; a number once given is never used for anything else (else MAP_VERSION rises).

Input registers: header at 0, event FIFO at 100, Assets from 1000 (20 registers each), packed alarm bits from 6000,
Nodes from 10000 (40 registers each). Registers of slots that nobody has read 0. Discrete inputs and coils go by alarm
number: assets from 0, the gateway from 1000, nodes from 1024. Holding registers take what a PLC may write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, StrEnum
from typing import Literal

from gateway.core.command import Outcome
from gateway.core.plant import AlarmId, AlarmKind, Asset, Node, Plant, Scope, TagId
from gateway.core.update import AlarmState, AlarmTransition

MAGIC = 0x5354  # "ST"
MAP_VERSION = 1

WordOrder = Literal["big", "little"]


class Table(Enum):
    """The four tables of Modbus: leading digit of the six-digit reference, and the functions that read, that write one
    value of one word, and that write any number of words.
    """

    COIL = ("0", (1,), (5,), (15,))
    DISCRETE = ("1", (2,), (), ())
    INPUT = ("3", (4,), (), ())
    HOLDING = ("4", (3,), (6, 22), (16, 23))

    def functions(self, words: int, *, writable: bool) -> str:
        """Function codes, in decimal, that serve an entry of so many words: one that is longer is written whole."""
        _, read, write_one, write_many = self.value
        codes = read + (write_one if words == 1 else ()) + write_many if writable else read
        return ", ".join(map(str, sorted(codes)))

    def reference(self, address: int) -> str:
        """Six-digit reference, counted from 1: input register 0 is 300001."""
        return f"{self.value[0]}{address + 1:05}"


class Type(StrEnum):
    """How the words of an entry are to be read. Bits are the only type that is not made of registers."""

    BIT = "bit"
    UINT16 = "uint16"
    INT16 = "int16"
    UINT32 = "uint32"

    @property
    def words(self) -> int:
        """Registers it takes; a bit counts 1."""
        return 2 if self is Type.UINT32 else 1

    @property
    def limits(self) -> tuple[int, int]:
        """Lowest and highest value that can be told apart from "not available"."""
        return _LIMITS[self]

    def to_words(self, value: int | None, order: WordOrder = "big") -> list[int]:
        """Registers of one value, saturated to `limits`; None is "not available": FFFF, 8000 or FFFFFFFF."""
        low, high = _LIMITS[self]
        absent = 0x8000 if self is Type.INT16 else 0xFFFFFFFF
        number = absent if value is None else min(max(value, low), high)
        if self.words == 1:
            return [number & 0xFFFF]
        pair = [number >> 16 & 0xFFFF, number & 0xFFFF]
        return pair if order == "big" else pair[::-1]


_LIMITS = {Type.BIT: (0, 1), Type.UINT16: (0, 0xFFFE), Type.INT16: (-0x7FFF, 0x7FFF), Type.UINT32: (0, 0xFFFFFFFE)}

# --- header

HEADER = 0
HEARTBEAT, STATUS, UNIX_TIME, NEWEST_EVENT = 2, 3, 4, 8
GATEWAY_TAGS: Mapping[str, tuple[int, Type]] = {
    "alarms_active": (10, Type.UINT16),
    "alarms_unacknowledged": (13, Type.UINT16),
    "incidents_open": (16, Type.UINT16),
    "nodes_lost": (19, Type.UINT16),
}
BITS = {
    "active": "active, neither shelved nor out of service",
    "unacknowledged": "waits for an acknowledgement, neither shelved nor out of service",
    "suppressed": "shelved or out of service",
}
_OWN_STATUS_BITS = (*GATEWAY_TAGS, "writes_on", "fifo_handshake_off", "fifo_has_more")
STATUS_BITS = _OWN_STATUS_BITS + tuple(
    f"{kind}_{bit}" for kind in AlarmKind if kind.scope is Scope.GATEWAY for bit in BITS
)
HEADER_FIELDS = (
    ("magic", 0, Type.UINT16, f"Always {MAGIC:04X} hexadecimal: this is a Stethos gateway"),
    ("map_version", 1, Type.UINT16, "Version of this map"),
    ("heartbeat", HEARTBEAT, Type.UINT16, "Counts up once a second and wraps; standing still means: trust nothing"),
    ("status", STATUS, Type.UINT16, "; ".join(f"bit {i}: {name}" for i, name in enumerate(STATUS_BITS))),
    ("unix_time", UNIX_TIME, Type.UINT32, "The gateway's clock, seconds since 1970 UTC"),
    ("newest_event", NEWEST_EVENT, Type.UINT32, "Number of the newest alarm event"),
)

# --- blocks of Assets and Nodes: offset of the value; quality and age follow it

ASSET_BASE, ASSET_STRIDE, ASSET_SLOTS = 1000, 20, 250
NODE_BASE, NODE_STRIDE, NODE_SLOTS = 10000, 40, 1250
ASSET_TAGS: Mapping[str, tuple[int, Type]] = {
    "state": (1, Type.UINT16),
    "evidence": (4, Type.UINT16),
    "score": (8, Type.UINT32),
    "incident": (12, Type.UINT32),
}
NODE_TAGS: Mapping[str, tuple[int, Type]] = {
    "liveness": (1, Type.UINT16),
    "anomalous": (4, Type.UINT16),
    "score": (7, Type.UINT16),
    "host_score": (10, Type.UINT32),
    "sensor": (14, Type.UINT16),
    "battery": (17, Type.UINT16),
    "temperature": (20, Type.INT16),
    "link": (23, Type.INT16),
}
OFFSETS = {Scope.GATEWAY: GATEWAY_TAGS, Scope.ASSET: ASSET_TAGS, Scope.NODE: NODE_TAGS}

# --- alarms: one number each, four to a slot

ALARM_KINDS: Mapping[AlarmKind, int] = {
    AlarmKind.ANOMALY: 0, AlarmKind.NODE_LOST: 0, AlarmKind.SENSOR_FAULT: 1,
    AlarmKind.JOURNAL_SPACE: 0, AlarmKind.OUTPUT_BEHIND: 1,
}  # fmt: skip
ALARMS_PER_SLOT = 4
GATEWAY_ALARMS = ALARMS_PER_SLOT * ASSET_SLOTS  # behind those of the assets
NODE_ALARMS = 1024
ALARMS = NODE_ALARMS + ALARMS_PER_SLOT * NODE_SLOTS
ALARM_WORDS = (ALARMS + 15) // 16
BITS_STRIDE = 10000  # discrete inputs from one kind of bit to the next; a multiple of 16
PACKED_BASE, PACKED_STRIDE = 6000, 700  # the same bits, packed: alarm n is bit n % 16 of word n // 16

# --- event FIFO

FIFO, FIFO_RECORDS, RECORD, RECORD_WORDS = 100, 8, 104, 14
FIFO_COUNT, FIFO_MORE, FIFO_TAKEN = FIFO, FIFO + 1, FIFO + 2
KIND_CODES = {
    AlarmKind.ANOMALY: 1, AlarmKind.NODE_LOST: 2, AlarmKind.SENSOR_FAULT: 3,
    AlarmKind.JOURNAL_SPACE: 4, AlarmKind.OUTPUT_BEHIND: 5,
}  # fmt: skip
TRANSITION_CODES = {transition: code for code, transition in enumerate(AlarmTransition, 1)}
STATE_CODES = {state: code for code, state in enumerate(AlarmState)}
RECORD_FLAGS = ("active", "acknowledged", "first_out")


def codes(codes: Mapping[AlarmKind, int] | Mapping[AlarmTransition, int] | Mapping[AlarmState, int]) -> str:
    """Codes and what they mean, for a description."""
    return ", ".join(f"{code} {word}" for word, code in codes.items())


RECORD_FIELDS = (
    ("event", 0, Type.UINT32, "Number of the event; rises, with gaps where incidents were numbered"),
    ("alarm", 2, Type.UINT16, "Number of the alarm, 65535: no longer configured"),
    ("slot", 3, Type.UINT16, "Slot of the asset or node, 0 for the gateway, 65535: no longer configured"),
    ("kind", 4, Type.UINT16, codes(KIND_CODES)),
    ("transition", 5, Type.UINT16, codes(TRANSITION_CODES)),
    ("state", 6, Type.UINT16, "ISA-18.2: " + codes(STATE_CODES)),
    ("severity", 7, Type.UINT16, "1 to 1000 as in OPC UA, 0: no longer configured"),
    ("source_s", 8, Type.UINT32, "When it happened in the plant, seconds since 1970 UTC"),
    ("incident", 10, Type.UINT32, "Number of its incident, or 0"),
    ("source_ms", 12, Type.UINT16, "Milliseconds to source_s"),
    ("flags", 13, Type.UINT16, "; ".join(f"bit {i}: {name}" for i, name in enumerate(RECORD_FLAGS))),
)

FIFO_END = RECORD + FIFO_RECORDS * RECORD_WORDS
GAPS = (range(FIFO_END, ASSET_BASE), range(PACKED_BASE + 3 * PACKED_STRIDE, NODE_BASE))
"""Input registers that do not exist; a read that touches one is refused."""

# --- holding registers

HOLDING_WORDS = 12
TAKEN, ACK_EVENT, ACK_COMMAND = 0, 2, 4
RESULT, RESULT_COUNT, RESULT_FOR, RESULT_EVENT = 5, 6, 8, 10
ACKNOWLEDGE = 1
RESULT_CODES = {outcome: code for code, outcome in enumerate(Outcome, 1)}
HOLDING_FIELDS = (
    ("fifo_taken", TAKEN, Type.UINT32, True, "Write the last event number taken: the FIFO moves on behind it"),
    ("ack_event", ACK_EVENT, Type.UINT32, True, "Event to acknowledge; write it together with ack_command"),
    ("ack_command", ACK_COMMAND, Type.UINT16, True, f"{ACKNOWLEDGE}: acknowledge ack_event; 0: nothing"),
    ("result", RESULT, Type.UINT16, False, "Of the last command: 0 none yet, " + ", ".join(
        f"{code} {outcome}" for outcome, code in RESULT_CODES.items())),
    ("result_count", RESULT_COUNT, Type.UINT16, False, "Counts answered commands and wraps"),
    ("result_for", RESULT_FOR, Type.UINT32, False, "Event that the command named, 0: a coil was pulsed"),
    ("result_event", RESULT_EVENT, Type.UINT32, False, "Event that the command caused, or 0"),
)  # fmt: skip
PAIRS = (TAKEN, ACK_EVENT)  # 32-bit registers that are to be written whole
WRITABLE = range(TAKEN, ACK_COMMAND + 1)


def block(plant: Plant, scope: Scope, name: str) -> int:
    """First register of what a Tag or an Alarm belongs to; ValueError if its slot is beyond the map."""
    if scope is Scope.GATEWAY:
        return HEADER
    item: Asset | Node = plant.assets[name] if scope is Scope.ASSET else plant.nodes[name]
    base, stride, slots = (
        (ASSET_BASE, ASSET_STRIDE, ASSET_SLOTS) if scope is Scope.ASSET else (NODE_BASE, NODE_STRIDE, NODE_SLOTS)
    )
    if not 0 <= item.slot < slots:
        raise ValueError(f"{scope} {name}: slot {item.slot} is beyond the Modbus map (0 to {slots - 1})")
    return base + item.slot * stride


def tag_address(plant: Plant, tag: TagId) -> int:
    """Input register of a Tag's value; its quality and age stand behind it."""
    return block(plant, tag.scope, tag.name) + OFFSETS[tag.scope][tag.tag][0]


def alarm_number(plant: Plant, alarm: AlarmId) -> int:
    """Number of an Alarm: its discrete inputs, its coil, its bit in the packed words."""
    if alarm.scope is Scope.GATEWAY:
        return GATEWAY_ALARMS + ALARM_KINDS[alarm.kind]
    start = block(plant, alarm.scope, alarm.name)
    if alarm.scope is Scope.ASSET:
        return (start - ASSET_BASE) // ASSET_STRIDE * ALARMS_PER_SLOT + ALARM_KINDS[alarm.kind]
    return NODE_ALARMS + (start - NODE_BASE) // NODE_STRIDE * ALARMS_PER_SLOT + ALARM_KINDS[alarm.kind]


def status_word(plant: Plant, alarm: AlarmId) -> int:
    """Input register with the status of what an Alarm belongs to."""
    return STATUS if alarm.scope is Scope.GATEWAY else block(plant, alarm.scope, alarm.name)


def status_bit(kind: AlarmKind, bit: int) -> int:
    """Place of an alarm's bit (index into BITS) in the status word of the gateway, its Asset or Node."""
    first = len(_OWN_STATUS_BITS) if kind.scope is Scope.GATEWAY else 1
    return first + ALARM_KINDS[kind] * len(BITS) + bit


def number(words: Sequence[int], order: WordOrder = "big") -> int:
    """Unsigned number in one or two registers: the inverse of `Type.to_words` for those types."""
    high_first = words if order == "big" else words[::-1]
    return sum(word << 16 * i for i, word in enumerate(reversed(high_first)))
