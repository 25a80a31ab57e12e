"""The MQTT output against a real mosquitto, seen by mosquitto_sub and spoken to by mosquitto_pub."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core.plant import AlarmId, AlarmKind, Scope, TagId
from gateway.core.update import AlarmTransition, IncidentChange, IncidentTransition, Quality
from gateway.outputs import OutputFailed
from gateway.outputs.mqtt import Output, Settings
from tests.outputs.host import LOST, PUMP, T0_MS, MemoryHost, tag
from tests.outputs.mqtt_peers import (
    CONNACK,
    PUBACK,
    PUMP_PLACE,
    SITE,
    SUBACK_REFUSED,
    Heard,
    cable,
    listening,
    meagre_broker,
    publish,
    publishing,
)
from tests.system.broker import Broker, mosquitto

EVENTS = 200  # ten times what a stock mosquitto lets be under way


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def host() -> MemoryHost:
    host = MemoryHost()
    host.tags[TagId(Scope.NODE, "n1", "battery")] = tag(Scope.NODE, "n1", "battery", 3001)
    host.raised(PUMP, incident=7)
    return host


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_the_whole_present_state_is_retained(broker: Broker, host: MemoryHost, version: str) -> None:
    async with publishing(broker, host, version=version), listening(broker, f"{SITE}/#") as heard:
        tags, alarms = len(list(host.plant.tags())), len(list(host.plant.alarm_ids()))
        await heard.until(lambda h: len({t for t, _, _ in h.messages if t.startswith(SITE)}) == 1 + tags + alarms)
        assert all(retained for topic, retained, _ in heard.messages if topic.startswith(SITE))
        assert heard.on(f"{PUMP_PLACE}/nodes/n1/battery") == [
            {
                "v": 1, "value": 3.001, "quality": "good", "reason": None, "source_time": "2025-10-09T08:53:20.123Z",
                "unit": "V", "gateway": "0123456789abcdef",
            }
        ]  # fmt: skip
        [unknown] = heard.on(f"{PUMP_PLACE}/nodes/n2/temperature")
        assert (unknown["value"], unknown["quality"], unknown["reason"]) == (None, "bad", "no_data")
        [alarm] = heard.on(f"{PUMP_PLACE}/alarms/anomaly")
        assert (alarm["state"], alarm["incident"], alarm["cause"]) == ("unacknowledged", 7, "pump-1 sounds wrong")
        [quiet] = heard.on(f"{PUMP_PLACE}/nodes/n1/alarms/node_lost")
        assert (quiet["state"], quiet["event"], quiet["action"]) == ("normal", 0, "visit n1")
        assert quiet.keys() == alarm.keys()
        [status] = heard.on(f"{SITE}/status")
        assert status["online"] is True


async def test_write_publishes_tags_alarms_and_events(broker: Broker, host: MemoryHost) -> None:
    async with publishing(broker, host) as output, listening(broker, f"{SITE}/#") as heard:
        raised = host.raised(LOST)
        incident = IncidentChange(
            9, 3, IncidentTransition.OPENED, ("pump-1",), ("n1",), "pump-1", T0_MS, T0_MS + 1, T0_MS + 2, True
        )
        stale = tag(Scope.NODE, "n1", "liveness", 4, Quality.STALE)
        await output.write([stale, raised, incident, tag(Scope.GATEWAY, "gateway", "nodes_lost", 1)])
        await heard.until(lambda h: len(h.on(f"{SITE}/gateway/nodes_lost")) == 2)
    liveness = heard.on(f"{PUMP_PLACE}/nodes/n1/liveness")[-1]
    assert liveness.items() >= {"value": 4, "state": "stale", "quality": "uncertain", "reason": "stale"}.items()
    [event] = heard.on(f"{SITE}/events/alarms")
    assert event["id"] == "0123456789abcdef" + f"{raised.event:016x}"
    expected = {
        "event": raised.event, "alarm": "node/n1/node_lost", "transition": "raised", "state": "unacknowledged",
        "active": True, "acknowledged": False, "shelved": False, "priority": "low", "cause": "n1 is silent",
        "consequence": "pump-1 is unwatched", "response_s": 86400, "first_out": True, "incident": None,
        "source_time": "2025-10-09T08:53:20.123Z", "time": "2025-10-09T08:53:20.823Z",
    }  # fmt: skip
    assert event.items() >= expected.items()
    assert heard.on(f"{PUMP_PLACE}/nodes/n1/alarms/node_lost")[-1] == event
    [opened] = heard.on(f"{SITE}/events/incidents")
    assert (opened["transition"], opened["assets"], opened["open"]) == ("opened", ["pump-1"], True)
    assert not any(retained for topic, retained, _ in heard.messages if "/events/" in topic)


async def test_events_arrive_in_order_and_the_last_value_is_retained(broker: Broker, host: MemoryHost) -> None:
    async with publishing(broker, host) as output, listening(broker, f"{SITE}/#") as heard:
        batch = []
        for number in range(EVENTS):
            batch += [host.raised(), tag(Scope.ASSET, "pump-1", "evidence", number % 256)]
        await output.write(batch)
        await heard.until(lambda h: len(h.on(f"{SITE}/events/alarms")) == EVENTS)
        assert [e["event"] for e in heard.on(f"{SITE}/events/alarms")] == [e.event for e in host.events[1:]]
        await heard.until(lambda h: len(h.on(f"{PUMP_PLACE}/evidence")) == 1 + EVENTS)
        values = [p["value"] for p in heard.on(f"{PUMP_PLACE}/evidence")]
        assert values[1:] == [n % 256 for n in range(EVENTS)]


async def test_what_write_returned_for_outlives_the_connection(broker: Broker, host: MemoryHost) -> None:
    """A subscriber with a session that was away gets every event: the broker had them when write returned."""
    session = ("-i", "historian", "-c")
    async with listening(broker, f"{SITE}/events/#", *session):
        pass
    async with publishing(broker, host) as output:
        await output.write([host.raised() for _ in range(50)])
    async with listening(broker, f"{SITE}/events/#", *session) as heard:
        await heard.until(lambda h: len(h.on(f"{SITE}/events/alarms")) == 50)
        assert [e["event"] for e in heard.on(f"{SITE}/events/alarms")] == list(range(2, 52))


async def test_events_missed_while_away_do_not_turn_the_retained_state_back(broker: Broker, host: MemoryHost) -> None:
    raised = host.events[-1]
    returned = host.moved(raised, AlarmTransition.RETURNED, active=False)
    async with publishing(broker, host) as output, listening(broker, f"{SITE}/#") as heard:
        await output.write([raised, returned])
        await heard.until(lambda h: len(h.on(f"{SITE}/events/alarms")) == 2)
        await output.write([host.moved(returned, AlarmTransition.ACKNOWLEDGED, acknowledged=True)])
        await heard.until(lambda h: h.on(f"{PUMP_PLACE}/alarms/anomaly")[-1]["state"] == "normal")
    states = [p["state"] for p in heard.on(f"{PUMP_PLACE}/alarms/anomaly")]
    assert states == ["returned", "returned", "normal"]


async def test_closing_says_offline(broker: Broker, host: MemoryHost) -> None:
    async with publishing(broker, host):
        pass
    async with listening(broker, f"{SITE}/status") as heard:
        await heard.until(lambda h: h.on(f"{SITE}/status"))
        assert heard.on(f"{SITE}/status")[0]["online"] is False


async def test_the_will_says_offline_when_the_connection_is_cut(broker: Broker, host: MemoryHost) -> None:
    async with (
        cable(broker) as (address, cut),
        listening(broker, f"{SITE}/status") as heard,
        publishing(address, host) as output,
    ):
        await heard.until(lambda h: h.on(f"{SITE}/status") and h.on(f"{SITE}/status")[-1]["online"])
        cut()
        await heard.until(lambda h: not h.on(f"{SITE}/status")[-1]["online"])
        with pytest.raises(OutputFailed):
            await output.write([host.raised()])


async def test_a_broker_that_goes_away_fails_the_write_and_a_new_open_repairs_it(
    broker: Broker, host: MemoryHost
) -> None:
    async with publishing(broker, host, timeout_s=60) as output:
        await broker.stop()
        async with asyncio.timeout(5):
            with pytest.raises(OutputFailed):
                await output.write([host.raised()])
            with pytest.raises(OutputFailed):
                await output.write([host.raised()])
        await output.close()
        with pytest.raises(OutputFailed):
            await output.open(host, host.present)
        await output.close()
        await broker.start()
        await output.open(host, host.present)
        async with listening(broker, f"{SITE}/#") as heard:
            await output.write([host.raised()])
            await heard.until(lambda h: h.on(f"{SITE}/events/alarms"))
            assert heard.on(f"{SITE}/status")[0]["online"] is True


async def test_a_second_gateway_connection_does_not_leave_offline_behind(broker: Broker, host: MemoryHost) -> None:
    """A half-open old connection is taken over: its will comes before the new online, not after."""
    old = Output(Settings(broker=broker.address))
    await old.open(host, host.present)
    async with publishing(broker, host), listening(broker, f"{SITE}/status") as heard:
        await heard.until(lambda h: h.on(f"{SITE}/status"))
        assert heard.on(f"{SITE}/status")[0]["online"] is True
        await old.close()


async def test_a_broker_that_refuses_the_topic_fails_the_write(tmp_path: Path, host: MemoryHost) -> None:
    access = tmp_path / "access"
    access.write_text("topic readwrite stethos/works/status\n")
    async with mosquitto(tmp_path, lines=["allow_anonymous true", f"acl_file {access}"]) as broker:
        output = Output(Settings(broker=broker.address))
        with pytest.raises(OutputFailed, match="refuses"):
            await output.open(host, host.present)
        await output.close()
        assert host.counts["refused"] > 0


async def test_what_is_no_longer_configured_is_counted_and_its_events_still_go_out(
    broker: Broker, host: MemoryHost
) -> None:
    gone = AlarmId(Scope.NODE, "removed", AlarmKind.NODE_LOST)
    async with publishing(broker, host) as output, listening(broker, f"{SITE}/events/#") as heard:
        await output.write([host.raised(gone), tag(Scope.NODE, "removed", "battery", 1)])
        await heard.until(lambda h: h.on(f"{SITE}/events/alarms"))
    [event] = heard.on(f"{SITE}/events/alarms")
    assert (event["alarm"], event["priority"]) == ("node/removed/node_lost", None)
    assert host.counts["unplaced"] == 2


async def test_a_refused_subscription_fails_the_open(host: MemoryHost) -> None:
    async with meagre_broker({1: CONNACK, 3: PUBACK, 8: SUBACK_REFUSED}) as address:
        output = Output(Settings(broker=address, version="3.1.1", commands=True))
        with pytest.raises(OutputFailed, match="subscription"):
            await output.open(host, host.present)
        await output.close()


@pytest.mark.parametrize("answers", [{}, {1: CONNACK}, {1: b"\x20\x02\x00\x05"}])
async def test_a_broker_that_does_not_answer_fails_the_open(host: MemoryHost, answers: dict[int, bytes]) -> None:
    async with meagre_broker(answers) as address:
        output = Output(Settings(broker=address, version="3.1.1", timeout_s=0.3))
        async with asyncio.timeout(10):
            with pytest.raises(OutputFailed):
                await output.open(host, host.present)
            await output.close()


async def ask(broker: Broker, heard: Heard, payload: str, *options: str) -> dict:
    before = len(heard.on(f"{SITE}/commands/results"))
    await publish(broker, f"{SITE}/commands", payload, *options)
    await heard.until(lambda h: len(h.on(f"{SITE}/commands/results")) > before)
    return heard.on(f"{SITE}/commands/results")[-1]


async def test_an_acknowledgement_is_carried_out_and_answered(broker: Broker, host: MemoryHost) -> None:
    event = host.events[-1].event
    good = {"v": 1, "id": "a-1", "kind": "acknowledge", "alarm": str(PUMP), "event": event, "actor": "kim",
            "comment": "seen"}  # fmt: skip
    async with publishing(broker, host, commands=True), listening(broker, f"{SITE}/commands/results") as heard:
        answer = await ask(broker, heard, json.dumps(good))
        assert answer == {"v": 1, "id": "a-1", "outcome": "done", "event": event + 1, "detail": ""}
        again = await ask(broker, heard, json.dumps(good | {"id": "a-2"}))
        assert (again["id"], again["outcome"]) == ("a-2", "unknown_event")
    done = host.events[-1]
    assert (done.transition, done.actor, done.comment) == (AlarmTransition.ACKNOWLEDGED, "kim", "seen")
    assert done.origin == f"mqtt {broker.address}"
    assert not host.commands[0].learn


async def test_an_acknowledgement_says_whether_it_is_normal_from_now_on(broker: Broker, host: MemoryHost) -> None:
    asked = {"v": 1, "id": "a-1", "kind": "acknowledge", "alarm": str(PUMP), "actor": "kim", "learn": True}
    async with publishing(broker, host, commands=True), listening(broker, f"{SITE}/commands/results") as heard:
        assert (await ask(broker, heard, json.dumps(asked)))["outcome"] == "done"
        assert (await ask(broker, heard, json.dumps(asked | {"learn": "yes"})))["outcome"] == "refused"
    assert [command.learn for command in host.commands] == [True]


GOOD = {"v": 1, "id": "x", "kind": "acknowledge", "event": 1, "actor": "kim"}


@pytest.mark.parametrize(
    ("payload", "claimed"),
    [
        ("", None),
        ("{", None),
        ("[]", None),
        ("[" * 5000, None),
        (json.dumps({"id": "only"}), "only"),
        (json.dumps(GOOD | {"v": 2}), "x"),
        (json.dumps(GOOD | {"kind": "erase"}), "x"),
        (json.dumps(GOOD | {"event": "1"}), "x"),
        (json.dumps(GOOD | {"event": -1}), "x"),
        (json.dumps(GOOD | {"actor": ""}), "x"),
        (json.dumps(GOOD | {"extra": 1}), "x"),
        (json.dumps(GOOD | {"until": "2026-01-01T00:00:00"}), "x"),
        (json.dumps(GOOD | {"comment": "c" * 9000}), None),
    ],
)
async def test_a_malformed_command_is_answered_counted_and_not_carried_out(
    broker: Broker, host: MemoryHost, payload: str, claimed: str | None
) -> None:
    async with publishing(broker, host, commands=True), listening(broker, f"{SITE}/commands/results") as heard:
        answer = await ask(broker, heard, payload)
    assert (answer["id"], answer["outcome"]) == (claimed, "refused")
    assert answer["detail"]
    assert host.counts["commands_malformed"] == 1
    assert not host.commands


async def test_a_retained_command_is_refused(broker: Broker, host: MemoryHost) -> None:
    await publish(broker, f"{SITE}/commands", json.dumps(GOOD), "-r")
    async with listening(broker, f"{SITE}/commands/results") as heard, publishing(broker, host, commands=True):
        await heard.until(lambda h: h.on(f"{SITE}/commands/results"))
        assert "retained" in heard.on(f"{SITE}/commands/results")[0]["detail"]
    assert not host.commands


async def test_commands_are_off_unless_switched_on(broker: Broker, host: MemoryHost) -> None:
    async with publishing(broker, host) as output, listening(broker, f"{SITE}/#") as heard:
        await publish(broker, f"{SITE}/commands", json.dumps(GOOD))
        await output.write([host.raised()])
        await heard.until(lambda h: h.on(f"{SITE}/commands") and h.on(f"{SITE}/events/alarms"))
    assert not host.commands
    assert not heard.on(f"{SITE}/commands/results")
