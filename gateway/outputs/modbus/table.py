"""The whole map of one plant, line by line, and as the CSV that an integrator imports."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from io import StringIO

from gateway.core.plant import AlarmKind, Plant, Scope, TagId, TagType
from gateway.core.update import Quality
from gateway.outputs.modbus import map as m
from gateway.outputs.modbus.map import Table, Type


class Field(StrEnum):
    """What an entry shows of its Tag."""

    VALUE = "value"
    QUALITY = "quality"
    AGE = "age"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the map. A register's value in `unit` is the integer divided by 10**decimals."""

    name: str
    table: Table
    address: int
    type: Type
    description: str
    unit: str = ""
    decimals: int = 0
    low: int = 0
    high: int = 0xFFFF
    writable: bool = False
    tag: TagId | None = None
    field: Field = Field.VALUE


def entries(plant: Plant) -> Iterator[Entry]:
    """The whole map of one plant. ValueError if a slot is beyond it."""
    for name, address, kind, text in m.HEADER_FIELDS:
        yield Entry(f"gateway.{name}", Table.INPUT, address, kind, text, high=_highest(kind))
    for tag, tag_type in plant.tags():
        yield from _tag_entries(plant, tag, tag_type)
    yield from _fifo_entries()
    yield from _status_entries(plant)
    yield from _alarm_entries(plant)
    for name, address, kind, writable, text in m.HOLDING_FIELDS:
        yield Entry(f"gateway.{name}", Table.HOLDING, address, kind, text, high=_highest(kind), writable=writable)


def _highest(kind: Type) -> int:
    """Of a register that is always available: a counter of 16 bits takes every value before it wraps."""
    return 0xFFFF if kind is Type.UINT16 else kind.limits[1]


def _tag_entries(plant: Plant, tag: TagId, tag_type: TagType) -> Iterator[Entry]:
    kind = m.OFFSETS[tag.scope][tag.tag][1]
    address = m.tag_address(plant, tag)
    name = ".".join(("gateway", tag.tag) if tag.scope is Scope.GATEWAY else (str(tag.scope), tag.name, tag.tag))
    states = ", ".join(f"{i} {state}" for i, state in enumerate(tag_type.states))
    text = tag_type.description + (f": {states}" if states else "")
    low, high = max(tag_type.low, kind.limits[0]), min(tag_type.high or 1, kind.limits[1])
    if tag_type.low < 0:
        high = min(tag_type.high, kind.limits[1])
    yield Entry(name, Table.INPUT, address, kind, text, tag_type.unit, tag_type.decimals, low, high, tag=tag)
    after = address + kind.words
    words = ", ".join(f"{q.value} {q.name.lower()}" for q in Quality)
    text = f"0 to 9 good, 10 to 19 uncertain, from 20 bad: {words}"
    yield Entry(
        f"{name}.quality", Table.INPUT, after, Type.UINT16, text, high=max(Quality), tag=tag, field=Field.QUALITY
    )
    measured = tag.scope is Scope.NODE and tag.tag != "liveness"
    text = f"Since {'its sample' if measured else 'it last changed'}, saturates at 65534; 65535: no data"
    yield Entry(f"{name}.age", Table.INPUT, after + 1, Type.UINT16, text, "s", tag=tag, field=Field.AGE)


def _fifo_entries() -> Iterator[Entry]:
    fifo = (
        ("count", m.FIFO_COUNT, Type.UINT16, m.FIFO_RECORDS, "Records that hold an event, oldest first"),
        ("more", m.FIFO_MORE, Type.UINT16, 1, "1: events wait behind the last record"),
        ("taken", m.FIFO_TAKEN, Type.UINT32, Type.UINT32.limits[1], "Last event number that the PLC has taken"),
    )
    for name, address, kind, high, text in fifo:
        yield Entry(f"fifo.{name}", Table.INPUT, address, kind, text, high=high)
    for record in range(m.FIFO_RECORDS):
        for name, offset, kind, text in m.RECORD_FIELDS:
            address = m.RECORD + record * m.RECORD_WORDS + offset
            yield Entry(f"fifo.{record}.{name}", Table.INPUT, address, kind, text, high=kind.limits[1])


def _status_entries(plant: Plant) -> Iterator[Entry]:
    for scope, names in ((Scope.ASSET, plant.assets), (Scope.NODE, plant.nodes)):
        bits = ["bit 0: configured"]
        for kind in (k for k in AlarmKind if k.scope is scope):
            bits += [f"bit {m.status_bit(kind, i)}: {kind} {bit}" for i, bit in enumerate(m.BITS)]
        for name in names:
            address = m.block(plant, scope, name)
            yield Entry(f"{scope}.{name}.status", Table.INPUT, address, Type.UINT16, "; ".join(bits))


def _alarm_entries(plant: Plant) -> Iterator[Entry]:
    numbers = {alarm: m.alarm_number(plant, alarm) for alarm in plant.alarm_ids()}
    for i, (bit, text) in enumerate(m.BITS.items()):
        for alarm, number in numbers.items():
            name = f"{alarm.scope}.{alarm.name}.{alarm.kind}.{bit}"
            yield Entry(name, Table.DISCRETE, m.BITS_STRIDE * i + number, Type.BIT, f"1: {text}", high=1)
        for word in sorted({number // 16 for number in numbers.values()}):
            about = f"Alarms {word * 16} to {word * 16 + 15}, lowest bit first, 1: {text}"
            address = m.PACKED_BASE + m.PACKED_STRIDE * i + word
            yield Entry(f"alarms.{word * 16}.{bit}", Table.INPUT, address, Type.UINT16, about)
    for alarm, number in numbers.items():
        name = f"{alarm.scope}.{alarm.name}.{alarm.kind}.acknowledge"
        text = "Write 1 to acknowledge what stands; reads 0"
        yield Entry(name, Table.COIL, number, Type.BIT, text, high=1, writable=True)


def scale(decimals: int) -> str:
    """What the integer in the registers is to be multiplied by, written out: "0.001"."""
    return f"{10**-decimals:.{decimals}f}"


COLUMNS = (
    "name", "function_codes", "pdu_address", "reference", "type", "words", "word_order", "scale", "unit", "access",
    "low", "high", "not_available", "description",
)  # fmt: skip


def map_csv(plant: Plant, order: m.WordOrder = "big", writes: bool = False) -> str:
    """The map as CSV with a header line, sorted by table and address. `scale`: multiply the integer by it."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for e in sorted(entries(plant), key=lambda e: (e.table.value[0], e.address)):
        writable = e.writable and writes
        absent = e.tag is not None and e.field is not Field.QUALITY
        not_available = str(e.type.limits[0] - 1 if e.type is Type.INT16 else e.type.limits[1] + 1) if absent else ""
        writer.writerow([
            e.name, e.table.functions(e.type.words, writable=writable), e.address, e.table.reference(e.address),
            e.type, e.type.words,
            f"{order}-endian" if e.type.words > 1 else "", scale(e.decimals), e.unit, "RW" if writable else "R",
            e.low, e.high, not_available, e.description,
        ])  # fmt: skip
    return out.getvalue()
