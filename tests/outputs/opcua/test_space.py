"""Addresses, types and values, without a client."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from asyncua import ua

from gateway.core.plant import TAG_TYPES, AlarmKind, AlarmText, Kind, Priority, TagId, TagType
from gateway.core.update import AlarmTransition, Quality
from gateway.outputs import Gap, OutputFailed, Present
from gateway.outputs.opcua import Output, Settings, addresses
from gateway.outputs.opcua.alarm_event import event_of
from gateway.outputs.opcua.values import STATUS, Form, data_value, span, unit, utc
from tests.outputs.opcua.plants import PUMP, T0, MemoryHost, change, make_plant, serving, tag


def test_ids_do_not_depend_on_where_an_asset_stands() -> None:
    here = addresses(make_plant(), Settings())
    moved = addresses(make_plant({"pump-1": "line-z"}), Settings())
    assert here == moved
    assert here[TagId.parse("asset/pump-1/state")] == "nsu=urn:stethos:plant;s=asset.pump-1.state"
    assert len(set(here.values())) == len(here) == 4 + 2 * 4 + 3 * 8


async def test_every_address_is_a_node_after_a_move_too(tmp_path: Path) -> None:
    for plant in (make_plant(), make_plant({"pump-1": "line-z", "fan-1": ""})):
        async with serving(tmp_path, plant=plant) as server:
            space = server.output._server.iserver.aspace
            for address in addresses(plant, Settings()).values():
                assert ua.NodeId(address.removeprefix("nsu=urn:stethos:plant;s="), 2) in space


def test_every_quality_has_a_status_of_its_severity() -> None:
    for quality in Quality:
        assert STATUS[quality].is_good() == quality.is_good
        assert STATUS[quality].is_bad() == quality.is_bad
        assert STATUS[quality].is_uncertain() == (not quality.is_good and not quality.is_bad)


def test_every_unit_has_a_code_and_every_analog_a_range() -> None:
    for tags in TAG_TYPES.values():
        for each in tags:
            if each.unit:
                assert unit(each).UnitId > 0
                assert span(each).High > span(each).Low
    volts = next(t for tags in TAG_TYPES.values() for t in tags if t.unit == "V")
    assert unit(volts).UnitId == 0x564C54  # "VLT"
    assert span(volts).High == 65.535


def test_bad_value_keeps_value_and_source_time() -> None:
    battery = Form.of(TagType("battery", Kind.INT, "", "V", 3, 0, 65535))
    value = data_value(battery, tag("node/n-1/battery", 2987, Quality.LOST), utc(T0 + 5))
    assert value.Value == ua.Variant(2.987, ua.VariantType.Double)
    assert value.StatusCode.name == "BadNoCommunication"
    assert value.SourceTimestamp.timestamp() == T0 / 1000


@pytest.mark.parametrize(
    ("kind", "states", "good", "wrong"),
    [
        (Kind.BOOL, (), [True, None], [1, "x"]),
        (Kind.TEXT, (), ["x", None], [1, True]),
        (Kind.INT, (), [-(2**31), 2**31 - 1, None], [2**31, True, "x"]),
        (Kind.INT, ("a", "b"), [0, 1], [-1]),
    ],
)
def test_values_of_another_type_do_not_fit(
    kind: Kind, states: tuple[str, ...], good: list[object], wrong: list[object]
) -> None:
    form = Form.of(TagType("t", kind, "", states=states))
    assert all(form.fits(value) for value in good)
    assert not any(form.fits(value) for value in wrong)


async def test_what_does_not_fit_is_counted_and_not_shown(tmp_path: Path) -> None:
    async with serving(tmp_path, [tag("node/n-1/score", 90)]) as server:
        await server.host.write(tag("node/n-1/score", "ninety"), tag("node/n-9/score", 1), change(1, PUMP))
        shown = server.output._server.read_attribute_value(ua.NodeId("node.n-1.score", 2))
        assert shown.Value.Value == 90
        assert server.host.counts == {"mistyped_tag": 1, "unknown_tag": 1}


async def test_event_has_every_mandatory_field_of_its_type(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        output = server.output
        event = event_of(change(5), server.host, output._space)
        space = output._server.iserver.aspace
        mandatory = {path for kind in event.types for path in _declared(space, kind, "")}
        optional_here = {"LocalTime", "ConditionSubClassId", "ConditionSubClassName"}
        assert mandatory - optional_here <= set(event.fields)
        assert event.fields["EventId"].Value == b"gateway!\0\0\0\0\0\0\0\5"
        assert event.fields["NodeId"].Value not in space
        assert event.fields["EventType"].Value in space
        assert event.fields["InputNode"].Value in space
        returned = event_of(change(6, transition=AlarmTransition.RETURNED, active=False), server.host, output._space)
        assert returned.fields["Retain"].Value is True
        assert returned.fields["ActiveState/TransitionTime"].Value.timestamp() == (T0 + 6000) / 1000


async def test_a_refresh_tells_how_long_an_alarm_stays_shelved_from_now_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        shelved = change(5, transition=AlarmTransition.SHELVED, shelved_until_ms=T0 + 65_250)
        space = server.output._space
        first = event_of(shelved, server.host, space).fields
        later = event_of(shelved, server.host, space, refreshed_ms=T0 + 50_000).fields
        late = event_of(shelved, server.host, space, refreshed_ms=T0 + 70_000).fields
    remaining = "ShelvingState/UnshelveTime"
    assert [fields[remaining].Value for fields in (first, later, late)] == [60_000.0, 15_250.0, 0.0]
    assert {name for name in first if first[name] != later[name]} == {remaining}


async def test_the_sentences_of_a_message_are_kept_apart(tmp_path: Path) -> None:
    plant = make_plant()
    text = AlarmText("{asset} is loud", "it may stop", "Go to {node}", Priority.HIGH, 600)
    plant = replace(plant, alarms=dict.fromkeys(AlarmKind, text))
    async with serving(tmp_path, plant=plant) as server:
        event = event_of(change(5), server.host, server.output._space)
    assert event.fields["Message"].Value.Text == "pump-1 is loud. Go to n-1, n-2."


async def test_only_our_own_words_are_said_to_be_english(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        fields = event_of(change(5, comment="Lager gehört"), server.host, server.output._space).fields
    english = {
        name for name, field in fields.items() if isinstance(field.Value, ua.LocalizedText) and field.Value.Locale
    }
    assert english >= {"ActiveState", "AckedState", "EnabledState"}
    assert not english & {"Message", "Cause", "Consequence", "Action", "Comment"}


def _declared(space: object, node: ua.NodeId, prefix: str) -> set[str]:
    """Browse paths of the variables that a type declares mandatory."""
    found = set()
    for reference in space[node].references:
        kinds = (ua.ObjectIds.HasProperty, ua.ObjectIds.HasComponent)
        if not reference.IsForward or reference.ReferenceTypeId.Identifier not in kinds:
            continue
        rules = [r.NodeId.Identifier for r in space[reference.NodeId].references
                 if r.ReferenceTypeId.Identifier == ua.ObjectIds.HasModellingRule]  # fmt: skip
        if reference.NodeClass == ua.NodeClass.Variable and rules == [ua.ObjectIds.ModellingRule_Mandatory]:
            path = prefix + reference.BrowseName.Name
            found |= {path} | _declared(space, reference.NodeId, path + "/")
    return found


async def test_port_taken_is_the_worlds_fault(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        settings = Settings(endpoint=server.endpoint, pki=tmp_path / "pki", users=tmp_path / "users")
        second = Output(settings)
        with pytest.raises(OutputFailed, match="cannot listen"):
            await second.open(MemoryHost(make_plant()), Present([], []))
        await second.close()


async def test_a_tag_that_nobody_reads_costs_no_value(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await server.host.write(*(tag("node/n-1/score", n) for n in range(1000)))
        slot = server.output._space.slots[TagId.parse("node/n-1/score")]
        assert slot._attribute is None
        assert slot.read().Value.Value == 999


async def test_events_given_up_are_counted(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await server.output.write([tag("node/n-1/score", 1), Gap(3, 7), change(8)])
        assert server.host.counts == {"events_given_up": 5}
