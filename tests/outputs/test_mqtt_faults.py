"""What the MQTT output owes when things go wrong: outages, brokers that do not read, plants that change, gaps."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from gateway.core.plant import Plant, Scope
from gateway.core.update import AlarmChange
from gateway.outputs import Gap, OutputFailed
from gateway.outputs.mqtt import Output, Settings
from tests.outputs.host import PLANT, MemoryHost, plant_of, tag
from tests.outputs.mqtt_peers import PUMP_PLACE, SITE, Heard, cable, listening, publish, publishing
from tests.system.broker import Broker, mosquitto

HISTORIAN = ("-i", "historian", "-c")  # a session that the broker keeps
SMALLER = plant_of({"pump-1": 0}, {"n1": ("pump-1", 0)})


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with mosquitto(
        tmp_path, persistence=True, lines=["allow_anonymous true", "max_queued_messages 0"]
    ) as running:
        yield running


@pytest.fixture
def host() -> MemoryHost:
    return MemoryHost()


async def write_until_done(output: Output, host: MemoryHost, batches: Sequence[Sequence[AlarmChange]]) -> int:
    """As the pump does: a batch that failed is written again through a new connection. Returns how often that was."""
    failures, undone = 0, list(batches)
    while undone:
        try:
            await output.write(undone[0])
            undone.pop(0)
        except OutputFailed:
            failures += 1
            await output.close()
            while not await opens(output, host):
                await asyncio.sleep(0.05)
    return failures


async def opens(output: Output, host: MemoryHost) -> bool:
    try:
        await output.open(host, host.present)
    except OutputFailed:
        await output.close()
        return False
    return True


def first_occurrences(heard: Heard) -> list[str]:
    return list(dict.fromkeys(event["id"] for event in heard.on(f"{SITE}/events/alarms")))


async def test_through_cuts_events_arrive_in_order_at_least_once_under_the_same_id(
    broker: Broker, host: MemoryHost
) -> None:
    batches = [[host.raised() for _ in range(200)] for _ in range(10)]
    async with (
        listening(broker, f"{SITE}/events/#") as heard,
        cable(broker) as (address, cut),
        publishing(address, host, timeout_s=5) as output,
        asyncio.timeout(60),
    ):
        writing = asyncio.create_task(write_until_done(output, host, batches))
        for seen in (1, 300, 1001):
            await heard.until(lambda h, seen=seen: len(first_occurrences(h)) >= seen)
            cut()
        failures = await writing
        await heard.until(lambda h: len(first_occurrences(h)) == 2000)
    assert 1 <= failures <= 3
    assert first_occurrences(heard) == [f"0123456789abcdef{number:016x}" for number in range(1, 2001)]
    said: dict[str, dict] = {}
    for event in heard.on(f"{SITE}/events/alarms"):
        assert said.setdefault(event["id"], event) == event  # a repeat says nothing new


async def test_through_a_restart_of_the_broker_a_historian_misses_nothing(broker: Broker, host: MemoryHost) -> None:
    batches = [[host.raised() for _ in range(100)] for _ in range(6)]
    async with listening(broker, f"{SITE}/events/#", *HISTORIAN):
        pass
    async with publishing(broker, host, timeout_s=5) as output, asyncio.timeout(60):
        assert await write_until_done(output, host, batches[:3]) == 0
        await broker.stop()
        writing = asyncio.create_task(write_until_done(output, host, batches[3:]))
        await broker.start()
        assert await writing == 1
    async with listening(broker, f"{SITE}/events/#", *HISTORIAN) as heard:
        await heard.until(lambda h: len(first_occurrences(h)) == 600)
    assert first_occurrences(heard) == [f"0123456789abcdef{number:016x}" for number in range(1, 601)]


async def test_a_broker_that_never_reads_fails_the_write(broker: Broker, host: MemoryHost) -> None:
    async with publishing(broker, host, timeout_s=0.3) as output:
        broker.send_signal(signal.SIGSTOP)
        try:
            async with asyncio.timeout(10):
                with pytest.raises(OutputFailed, match="timed out"):
                    await output.write([host.raised() for _ in range(5000)])
                with pytest.raises(OutputFailed, match="timed out"):
                    await output.write([host.raised()])
                await output.close()
        finally:
            broker.send_signal(signal.SIGCONT)


async def test_a_gateway_that_could_not_say_goodbye_is_offline(broker: Broker, host: MemoryHost) -> None:
    async with listening(broker, f"{SITE}/status") as heard, cable(broker) as (address, cut):
        async with publishing(address, host) as output:
            await heard.until(lambda h: h.on(f"{SITE}/status"))
            cut()
            with pytest.raises(OutputFailed):
                await output.write([host.raised()])
        await heard.until(lambda h: h.on(f"{SITE}/status")[-1]["online"] is False)


async def test_a_gap_stands_where_the_events_would_have(broker: Broker, host: MemoryHost) -> None:
    async with publishing(broker, host) as output, listening(broker, f"{SITE}/events/#") as heard:
        before, after = host.raised(), host.raised()
        await output.write([before, Gap(2, 4711), after])
        await heard.until(lambda h: len(h.on(f"{SITE}/events/alarms")) == 2)
    assert [topic.rsplit("/", 1)[1] for topic, _, _ in heard.messages[1:]] == ["alarms", "gaps", "alarms"]
    [gap] = heard.on(f"{SITE}/events/gaps")
    assert gap == {
        "v": 1, "gateway": "0123456789abcdef", "id": "0123456789abcdef" + f"{2:016x}{4711:016x}", "first_event": 2,
        "last_event": 4711, "count": 4710,
    }  # fmt: skip


async def retained(broker: Broker) -> set[str]:
    async with listening(broker, "stethos/#", "--retained-only") as heard:
        return {topic for topic, _, _ in heard.messages} - {"marker/of/the/test"}


async def used_by(broker: Broker, plant: Plant, marks: dict[str, int], **settings: object) -> MemoryHost:
    host = MemoryHost(plant)
    host.marks = marks
    async with publishing(broker, host, **settings) as output:
        await output.write([tag(Scope.ASSET, "pump-1", "evidence", 1)])
    return host


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_what_has_left_the_plant_is_cleared_and_nothing_else(broker: Broker, version: str) -> None:
    marks: dict[str, int] = {}
    await used_by(broker, PLANT, marks, version=version)
    before = await retained(broker)
    others = {
        f"{SITE}/north/line-3/fan-9/evidence": {"v": 1, "value": 1, "gateway": "00000000000000ff"},
        f"{SITE}/north/line-3/fan-9/state": {"v": 1, "value": 1},
        f"{SITE}/notes": ["0123456789abcdef"],
    }
    for topic, payload in others.items():
        await publish(broker, topic, json.dumps(payload), "-r")
    host = await used_by(broker, SMALLER, marks, version=version)
    after = await retained(broker)
    gone = {topic for topic in before if "fan-2" in topic or "/n2/" in topic or "/n7/" in topic}
    assert gone
    assert after == before - gone | set(others)
    assert host.counts["topics_cleared"] == len(gone)


async def test_the_broker_is_searched_only_when_the_plant_has_changed(broker: Broker) -> None:
    marks: dict[str, int] = {}
    await used_by(broker, PLANT, marks)
    left = f"{SITE}/north/line-3/fan-9/evidence"
    await publish(broker, left, json.dumps({"v": 1, "gateway": "0123456789abcdef"}), "-r")
    await used_by(broker, PLANT, marks)
    assert left in await retained(broker)
    await used_by(broker, SMALLER, marks)
    assert left not in await retained(broker)


async def test_a_broker_that_does_not_show_what_it_has_is_published_to_all_the_same(tmp_path: Path) -> None:
    access = tmp_path / "access"
    access.write_text("topic write stethos/#\n")
    async with mosquitto(tmp_path, lines=["allow_anonymous true", f"acl_file {access}"]) as broker:
        host = await used_by(broker, PLANT, {}, timeout_s=0.5)
    assert (host.counts["topics_not_shown"], host.counts["unclean_close"]) == (1, 0)


async def test_while_the_mark_cannot_be_kept_the_state_goes_out(broker: Broker) -> None:
    class FullHost(MemoryHost):
        async def set_mark(self, name: str, value: int) -> None:
            raise OutputFailed("no space left")

    host = FullHost()
    async with publishing(broker, host):
        assert f"{PUMP_PLACE}/evidence" in await retained(broker)
    assert host.counts["mark_not_kept"] == 1


def test_the_host_is_told_how_many_tags_a_second() -> None:
    assert Output(Settings()).tags_per_s == 1000
    assert Output(Settings(tags_per_s=20.0)).tags_per_s == 20
