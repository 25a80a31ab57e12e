"""The register map: complete, without overlaps, and nothing in it moves."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.command import Outcome
from gateway.core.plant import TAG_TYPES, AlarmKind, Kind, Plant, Scope, TagId
from gateway.core.update import AlarmState, AlarmTransition, Quality, TagChange
from gateway.outputs.modbus import Settings, addresses, map_csv
from gateway.outputs.modbus import map as m
from gateway.outputs.modbus.image import Image
from gateway.outputs.modbus.table import Field, entries
from tests.outputs.host import FAULT, LOST, PLANT, PUMP, plant_of


@st.composite
def plants(draw: st.DrawFn) -> Plant:
    slots = draw(st.lists(st.integers(0, m.ASSET_SLOTS - 1), min_size=1, max_size=8, unique=True))
    assets = {f"a{slot}": slot for slot in slots}
    taken = draw(st.lists(st.integers(0, m.NODE_SLOTS - 1), max_size=12, unique=True))
    nodes = {f"n{slot}": (draw(st.sampled_from(list(assets))), slot) for slot in taken}
    return plant_of(assets, nodes)


@given(plants())
@settings(max_examples=60, deadline=None)
def test_every_tag_has_one_address_and_no_two_entries_overlap(plant: Plant) -> None:
    assert addresses(plant, Settings()).keys() == {tag for tag, _ in plant.tags()}
    assert len(set(addresses(plant, Settings()).values())) == len(addresses(plant, Settings()))
    used: set[tuple[m.Table, int]] = set()
    for entry in entries(plant):
        cells = {(entry.table, entry.address + i) for i in range(entry.type.words)}
        assert not cells & used, entry
        used |= cells
        assert entry.address + entry.type.words <= 65536
        assert entry.low <= entry.high, entry
    names = [e.name for e in entries(plant) if e.table is m.Table.INPUT]
    assert len(names) == len(set(names))


@given(plants(), plants())
@settings(max_examples=60, deadline=None)
def test_an_entry_does_not_move_whatever_else_is_added_or_removed(one: Plant, other: Plant) -> None:
    where = {(e.name, e.table): e for e in entries(one) if e.tag or e.type is m.Type.BIT}
    for entry in entries(other):
        if (entry.name, entry.table) in where:
            assert where[entry.name, entry.table] == entry


@given(plants())
@settings(max_examples=30, deadline=None)
def test_no_entry_lies_in_a_gap_and_each_block_can_be_read_at_once(plant: Plant) -> None:
    gaps = {address for gap in m.GAPS for address in gap}
    assert not any(e.table is m.Table.INPUT and e.address in gaps for e in entries(plant))
    assert m.FIFO_END - m.FIFO <= 125
    for scope, stride in ((Scope.ASSET, m.ASSET_STRIDE), (Scope.NODE, m.NODE_STRIDE)):
        last = max(offset + kind.words + 2 for offset, kind in m.OFFSETS[scope].values())
        assert last <= stride <= 125


def test_the_map_knows_every_tag_and_every_word_of_the_core() -> None:
    for scope, types in TAG_TYPES.items():
        assert m.OFFSETS[scope].keys() == {t.name for t in types}
        assert all(t.kind is not Kind.TEXT for t in types)
    assert m.KIND_CODES.keys() == set(AlarmKind) == m.ALARM_KINDS.keys()
    assert m.TRANSITION_CODES.keys() == set(AlarmTransition)
    assert m.STATE_CODES.keys() == set(AlarmState)
    assert m.RESULT_CODES.keys() == set(Outcome)


def test_addresses_that_integrators_have_written_down() -> None:
    """A change here is a change of MAP_VERSION."""
    assert m.MAP_VERSION == 1
    where = {str(tag): address for tag, address in addresses(PLANT, Settings()).items()}
    assert where["gateway/gateway/nodes_lost"] == "300020 (input register 19, uint16)"
    assert where["asset/pump-1/state"] == "301002 (input register 1001, uint16)"
    assert where["asset/fan-2/score"] == "301069 (input register 1068, uint32 big-endian)"
    assert where["node/n1/battery"] == "310018 (input register 10017, uint16 * 0.001)"
    assert where["node/n7/link"] == "310264 (input register 10263, int16)"
    assert [m.alarm_number(PLANT, alarm) for alarm in (PUMP, LOST, FAULT)] == [0, 1024, 1029]
    assert list(m.TRANSITION_CODES)[:3] == ["raised", "returned", "acknowledged"]
    assert list(m.STATE_CODES)[:2] == ["normal", "unacknowledged"]
    assert list(m.RESULT_CODES) == ["done", "unknown_alarm", "unknown_event", "already", "refused"]


@pytest.mark.parametrize(("asset", "node"), [(m.ASSET_SLOTS, 0), (0, m.NODE_SLOTS), (-1, 0)])
def test_a_slot_beyond_the_map_is_refused_by_name(asset: int, node: int) -> None:
    plant = plant_of({"a": asset}, {"n": ("a", node)})
    with pytest.raises(ValueError, match=r"slot .* is beyond the Modbus map"):
        addresses(plant, Settings())


@given(
    st.sampled_from([m.Type.UINT16, m.Type.UINT32]), st.integers(-(2**40), 2**40), st.sampled_from(["big", "little"])
)
def test_numbers_saturate_and_are_never_taken_for_not_available(kind: m.Type, value: int, order: m.WordOrder) -> None:
    words = kind.to_words(value, order)
    assert len(words) == kind.words
    assert m.number(words, order) == min(max(value, 0), kind.limits[1])
    assert words != kind.to_words(None, order)


@given(st.integers(-(2**20), 2**20))
def test_signed_numbers_saturate(value: int) -> None:
    [word] = m.Type.INT16.to_words(value)
    assert word - (word >> 15 << 16) == min(max(value, -32767), 32767)
    assert m.Type.INT16.to_words(None) == [0x8000]


def test_the_csv_is_the_same_map() -> None:
    rows = list(csv.DictReader(io.StringIO(map_csv(PLANT, Settings(writes=True, word_order="little")))))
    assert len(rows) == len(list(entries(PLANT)))
    by_name = {(r["name"], r["function_codes"]): r for r in rows}
    temperature = by_name["node.n2.temperature", "4"]
    expected = {
        "pdu_address": "10060", "reference": "310061", "type": "int16", "words": "1", "word_order": "",
        "scale": "0.01", "unit": "degC", "access": "R", "low": "-4000", "high": "12500", "not_available": "-32768",
    }  # fmt: skip
    assert temperature.items() >= expected.items()
    assert by_name["asset.pump-1.score", "4"]["word_order"] == "little-endian"
    assert by_name["gateway.ack_command", "3, 6, 16, 22, 23"]["access"] == "RW"
    assert by_name["asset.pump-1.anomaly.acknowledge", "1, 5, 15"]["reference"] == "000001"
    assert by_name["gateway.heartbeat", "4"]["high"] == "65535"
    assert by_name["node.n2.temperature.age", "4"]["description"].startswith("Since its sample,")
    assert by_name["asset.pump-1.state.age", "4"]["description"].startswith("Since it last changed,")
    read_only = list(csv.DictReader(io.StringIO(map_csv(PLANT, Settings()))))
    assert {r["access"] for r in read_only} == {"R"}
    assert {r["function_codes"] for r in read_only} == {"1", "2", "3", "4"}


def test_the_csv_names_the_functions_that_are_carried_out() -> None:
    rows = csv.DictReader(io.StringIO(map_csv(PLANT, Settings(writes=True))))
    functions = {r["name"]: r["function_codes"] for r in rows}
    assert functions["gateway.ack_command"] == "3, 6, 16, 22, 23"
    assert functions["gateway.ack_event"] == "3, 16, 23"  # both words at once
    assert functions["gateway.result"] == "3"
    assert functions["asset.pump-1.anomaly.acknowledge"] == "1, 5, 15"


def test_tag_ids_in_the_map_are_those_of_the_plant() -> None:
    tags = {e.tag for e in entries(PLANT) if e.tag and e.field is Field.VALUE}
    assert tags == {tag for tag, _ in PLANT.tags()}
    assert TagId(Scope.NODE, "n7", "score") in tags


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_read_of_any_part_is_that_part_of_the_whole(data: st.DataObject) -> None:
    plant = plant_of({"a": 1, "b": 2}, {"n": ("a", 0), "o": ("b", 2)})
    image = Image(plant, data.draw(st.sampled_from(("big", "little"))), writes=False)
    for number, (tag, cell) in enumerate(image.cells.items(), 1):
        cell.change = TagChange(tag, number, Quality.GOOD, 1000 * number)
    first, last = data.draw(st.sampled_from([(0, 40), (m.ASSET_BASE, 80), (m.NODE_BASE, 140)]))
    whole = [*image.read(first, last, 90_000)]
    start = data.draw(st.integers(0, last - 1))
    count = data.draw(st.integers(1, last - start))
    assert image.read(first + start, count, 90_000) == whole[start : start + count]
    for number, (tag, cell) in enumerate(image.cells.items(), 1):
        if first <= cell.address < first + last:
            kind = m.OFFSETS[tag.scope][tag.tag][1]
            words = whole[cell.address - first : cell.end - first]
            assert words == [*kind.to_words(number, image.order), Quality.GOOD, 90 - number]
