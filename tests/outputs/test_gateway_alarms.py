"""The gateway's own alarms in every Output: beside the gateway's Tags, and nothing that was there has moved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from asyncua import ua

from gateway.core.plant import GATEWAY_ALARMS, AlarmId, AlarmKind, Scope
from gateway.core.update import AlarmTransition
from gateway.outputs.modbus import map as m
from gateway.outputs.modbus.image import Image
from gateway.outputs.modbus.table import Entry, entries
from gateway.outputs.mqtt.payloads import alarm_payload
from gateway.outputs.mqtt.topics import Topics
from gateway.outputs.opcua.alarm_event import event_of
from tests.outputs.host import PLANT, PUMP, T0_MS, MemoryHost
from tests.outputs.opcua.plants import change, serving

SPACE, BEHIND = GATEWAY_ALARMS


def of_gateway_alarms() -> Iterator[Entry]:
    return (e for e in entries(PLANT) if any(str(alarm.kind) in e.name for alarm in GATEWAY_ALARMS))


def test_mqtt_has_them_below_the_gateway() -> None:
    topics = Topics(PLANT, "stethos")
    assert topics.alarm(SPACE) == "stethos/works/gateway/alarms/journal_space"
    host = MemoryHost()
    payload = alarm_payload(PLANT, host.raised(BEHIND), host.event_ids)
    assert (payload["alarm"], payload["action"]) == ("gateway/gateway/output_behind", "see to it")


def test_modbus_has_them_between_the_assets_and_the_nodes() -> None:
    assert [m.alarm_number(PLANT, alarm) for alarm in GATEWAY_ALARMS] == [1000, 1001]
    last_of_assets = m.ALARMS_PER_SLOT * m.ASSET_SLOTS - 1
    assert last_of_assets < 1000 < 1001 < m.NODE_ALARMS
    bits = {e.name: (e.table, e.address) for e in of_gateway_alarms() if e.type is m.Type.BIT}
    assert bits["gateway.gateway.journal_space.active"] == (m.Table.DISCRETE, 1000)
    assert bits["gateway.gateway.output_behind.suppressed"] == (m.Table.DISCRETE, 21001)
    assert bits["gateway.gateway.output_behind.acknowledge"] == (m.Table.COIL, 1001)


def test_modbus_shows_them_in_the_status_of_the_gateway_and_nowhere_else_of_the_header() -> None:
    host, image = MemoryHost(), Image(PLANT, "big", writes=False)
    before = image.input[: m.FIFO]
    raised = host.raised(BEHIND)
    assert image.alarm(raised)
    changed = {at: word ^ image.input[at] for at, word in enumerate(before) if word != image.input[at]}
    assert changed == {m.STATUS: 1 << 10 | 1 << 11}  # active and unacknowledged
    assert m.STATUS_BITS[10:12] == ("output_behind_active", "output_behind_unacknowledged")
    assert image.discrete(1001 // 16) >> 1001 % 16 & 1
    assert image.alarm(host.moved(raised, AlarmTransition.RETURNED, active=False, acknowledged=True))
    assert image.input[: m.FIFO] == before


def test_modbus_tells_them_through_the_fifo() -> None:
    host, image = MemoryHost(), Image(PLANT, "big", writes=True)
    image.fifo([host.raised(PUMP), host.raised(SPACE)], 0, 2, more=False)
    record = image.input[m.RECORD + m.RECORD_WORDS : m.RECORD + 2 * m.RECORD_WORDS]
    fields = {name: m.number(record[at : at + kind.words]) for name, at, kind, _ in m.RECORD_FIELDS}
    assert (fields["alarm"], fields["slot"], fields["kind"], fields["severity"]) == (1000, 0, 4, 800)
    assert fields["source_s"] == T0_MS // 1000


@pytest.mark.parametrize("alarm", GATEWAY_ALARMS, ids=str)
async def test_opcua_has_them_as_conditions_of_the_gateway(tmp_path: Path, alarm: AlarmId) -> None:
    async with serving(tmp_path) as server:
        space = server.output._space
        await server.host.write(change(5, alarm, comment="what exactly"))
        assert not server.host.counts
        event = event_of(change(5, alarm, comment="what exactly"), server.host, space)
        nodes = server.output._server.iserver.aspace
        assert event.fields["EventType"].Value in nodes
        assert event.fields["SourceNode"].Value in nodes
        assert event.fields["ConditionClassName"].Value.Text == "SystemConditionClassType"
        assert event.fields["InputNode"].Value == ua.NodeId()
        assert event.fields["Comment"].Value.Text == "what exactly"
        assert space.notifiers_of(alarm)[0] == space.source_of(alarm)


def test_every_kind_has_its_place() -> None:
    assert {alarm.kind for alarm in GATEWAY_ALARMS} == {k for k in AlarmKind if k.scope is Scope.GATEWAY}
