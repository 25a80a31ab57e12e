import asyncio
import itertools
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gateway.core.command import Command, CommandKind
from gateway.core.plant import Scope
from gateway.core.update import AlarmChange, IncidentChange, TagChange, Update
from gateway.outputs import Gap, Host, OutputFailed, Present
from gateway.runtime import pump as pump_module
from gateway.runtime.pump import Pump
from gateway.store.reader import Reader
from tests.runtime.house import KEYS, PATIENCE_S, House, WireNode, running, until
from tests.runtime.test_decider import Failing

ALARM = "asset/pump-1/anomaly"


class Recording:
    """An Output in memory. `events` is what a peer has got, `fail` lets the next writes fail, before or after."""

    def __init__(self) -> None:
        self.host: Host | None = None
        self.presents: list[Present] = []
        self.batches: list[Sequence[Update | Gap]] = []
        self.fail: list[str] = []
        self.free = asyncio.Event()
        self.free.set()
        self.closed = 0
        self.gone: asyncio.Future[str] | None = None

    async def open(self, host: Host, present: Present) -> None:
        self.host = host
        if self.fail and self.fail[0] == "open":
            raise OutputFailed(self.fail.pop(0))
        self.presents.append(present)

    async def write(self, batch: Sequence[Update | Gap]) -> None:
        await self.free.wait()
        if self.fail and self.fail[0] == "before":
            raise OutputFailed(self.fail.pop(0))
        self.batches.append(batch)
        if self.fail and self.fail[0] == "after":
            raise OutputFailed(self.fail.pop(0))

    async def close(self) -> None:
        self.closed += 1

    @property
    def events(self) -> list[int]:
        return [u.event for batch in self.batches for u in batch if isinstance(u, AlarmChange | IncidentChange)]


def pump_of(house: House, folder: Path, output: Recording, name: str = "test") -> Pump:
    return Pump(name, lambda: output, house.decider, folder, house.journal.gateway_id, house.metrics)


async def sessions(pump: Pump) -> None:
    """What the host does, without its pauses."""
    while True:
        try:
            await pump.session()
        except OutputFailed:
            continue


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def storm(house: House, count: int, node: WireNode | None = None) -> WireNode:
    """Alarm events: an evidence opens an incident, then it is shelved and unshelved by turns."""
    node = node or WireNode(KEYS[0])
    answers = len(house.wire.sent)
    await house.hand_in(node.flag())
    await house.answered(answers + 1)
    for turn in range(count):
        kind = CommandKind.OUT_OF_SERVICE if turn % 2 == 0 else CommandKind.IN_SERVICE
        result = await house.decider.command(Command(kind, "me", "test", ALARM, comment="storm"))
        assert result.event
    return node


def known(house: House) -> list[int]:
    return list(range(1, house.journal.last_event + 1))


async def test_an_output_gets_the_present_first_and_then_every_update_in_order(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        output = Recording()
        await house.decider.view()
        work = asyncio.create_task(sessions(pump_of(house, tmp_path, output)))
        await until(lambda: output.presents)
        assert {t.tag.scope for t in output.presents[0].tags} == set(Scope) and not output.presents[0].alarms
        await storm(house, 6)
        await until(lambda: output.events == known(house))
        assert any(isinstance(u, TagChange) for batch in output.batches for u in batch)
        await ended(work)
        assert output.closed == 1


@pytest.mark.parametrize("batch", [1, 3, 500])
async def test_an_output_that_fails_loses_and_reorders_no_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(pump_module, "BATCH", batch)
    async with running(tmp_path) as house:
        output = Recording()
        output.fail = ["open", "before", "after", "before", "open", "after", "after", "before"]
        pump = pump_of(house, tmp_path, output)
        work = asyncio.create_task(sessions(pump))
        await pump.settled.wait()
        node = await storm(house, 4)
        while output.fail:
            await storm(house, 2, node)
        await until(lambda: output.events[-1:] == known(house)[-1:])
        got = output.events
        firsts = list(dict.fromkeys(got))
        assert firsts == known(house)  # each once by its number, first seen in order
        for before, after in itertools.pairwise(got):
            assert after <= before + 1  # what is written again begins at what failed
        await ended(work)


async def test_after_a_restart_it_goes_on_where_the_durable_cursor_stands(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        output = Recording()
        pump = pump_of(house, tmp_path, output)
        work = asyncio.create_task(sessions(pump))
        await pump.settled.wait()
        node = await storm(house, 2)
        await until(lambda: output.events == known(house) and pump.cursor == house.decider.committed_event)
        await ended(work)
        await storm(house, 4, node)  # while it is away
        before = output.events
    async with running(tmp_path) as house:
        later = Recording()
        work = asyncio.create_task(sessions(pump_of(house, tmp_path, later)))
        await until(lambda: before + later.events == known(house))
        assert not any(isinstance(u, TagChange) for batch in later.batches for u in batch)  # those are in Present
        await until(lambda: house.journal.marks().get("event/test") == house.decider.committed_event)
        await ended(work)


async def test_a_slow_output_holds_up_neither_the_others_nor_the_nodes(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        slow, quick = Recording(), Recording()
        slow.free.clear()
        pumps = [pump_of(house, tmp_path, o, n) for o, n in ((slow, "slow"), (quick, "quick"))]
        tasks = [asyncio.create_task(sessions(pump)) for pump in pumps]
        await until(lambda: slow.presents and quick.presents)
        await storm(house, 8)
        await until(lambda: quick.events == known(house))
        assert not slow.batches
        slow.free.set()
        await until(lambda: slow.events == known(house))
        for task in tasks:
            await ended(task)


async def test_a_cancelled_session_ends_its_read_before_the_reader_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    reading, go = threading.Event(), threading.Event()

    def slow(self: Reader) -> dict[str, int]:
        reading.set()
        assert go.wait(10)
        order.append("read")
        return {}

    close: Callable[[Reader], None] = Reader.close
    async with running(tmp_path, graceful=False) as house:
        monkeypatch.setattr(Reader, "marks", slow)
        monkeypatch.setattr(Reader, "close", lambda self: (order.append("closed"), close(self)))
        work = asyncio.create_task(sessions(pump_of(house, tmp_path, Recording())))
        await until(reading.is_set)
        await ended(work)
        go.set()
        await until(lambda: order[:2] == ["read", "closed"])


async def test_a_new_output_begins_at_the_present(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        node = await storm(house, 4)
        output, seen = Recording(), house.journal.last_event
        pump = pump_of(house, tmp_path, output)
        work = asyncio.create_task(sessions(pump))
        await pump.settled.wait()
        await storm(house, 1, node)
        await until(lambda: output.events == known(house)[seen:])
        await ended(work)


async def test_events_that_are_gone_are_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as house:
        output = Recording()
        pump = pump_of(house, tmp_path, output)
        work = asyncio.create_task(sessions(pump))
        await pump.settled.wait()
        await ended(work)
        await storm(house, 5)
        *_, last = known(house)
        whole = Reader.events
        monkeypatch.setattr(Reader, "events", lambda self, after, limit: whole(self, max(after, 4), limit))
        work = asyncio.create_task(sessions(pump))
        await until(lambda: output.events == list(range(5, last + 1)))
        assert [u for batch in output.batches for u in batch if isinstance(u, Gap)] == [Gap(1, 4)]
        await ended(work)


async def test_tags_alone_wait_for_company_and_an_event_takes_them_along_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump_module, "TAGS_APART_S", 3600)
    async with running(tmp_path) as house:
        output, node = Recording(), WireNode(KEYS[0], seq=100)
        work = asyncio.create_task(sessions(pump_of(house, tmp_path, output)))
        await until(lambda: output.presents)
        await house.hand_in(node.say_health(1))
        await until(lambda: output.batches)
        for seq in range(2, 6):
            await house.hand_in(node.say_health(seq))
        await house.hand_in(node.flag())
        await until(lambda: output.events)
        first, second = output.batches
        assert all(isinstance(update, TagChange) for update in first)
        assert any(isinstance(update, TagChange) for update in second)
        await ended(work)


async def test_how_much_waits_is_told_at_any_time(tmp_path: Path) -> None:
    async with running(tmp_path) as house:

        def lag() -> float | None:
            return house.metrics.registry.get_sample_value("stethos_output_lag_events", {"output": "test"})

        output = Recording()
        pump = pump_of(house, tmp_path, output)
        assert (lag(), pump.delivered) == (None, None)
        work = asyncio.create_task(sessions(pump))
        await pump.settled.wait()
        assert (lag(), pump.delivered) == (0, 0)
        await ended(work)
        node = await storm(house, 6)  # while it is down
        last = house.decider.committed_event
        assert (lag(), pump.delivered) == (last, 0)
        output.fail = ["open"]
        with pytest.raises(OutputFailed):
            await pump.session()
        assert (lag(), pump.delivered) == (last, 0)
        output.free.clear()
        work = asyncio.create_task(sessions(pump))
        await storm(house, 2, node)  # while a write hangs
        assert lag() == house.decider.committed_event
        output.free.set()
        await until(lambda: lag() == 0)
        assert pump.delivered == house.decider.committed_event
        await ended(work)


async def test_what_a_peer_takes_at_its_own_pace_is_not_delivered_before(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        output = Recording()
        output.taken = 3  # type: ignore[attr-defined]
        pump = pump_of(house, tmp_path, output)
        work = asyncio.create_task(sessions(pump))
        await storm(house, 5)
        await until(lambda: pump.cursor == house.decider.committed_event)
        assert pump.delivered == 3
        await ended(work)
        assert pump.delivered == 3
        output.taken = None  # type: ignore[attr-defined]
        assert pump.delivered == pump.cursor


async def test_an_output_that_knows_its_peer_is_gone_is_opened_again_without_news(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        output = Recording()
        output.gone = asyncio.get_running_loop().create_future()
        pump = pump_of(house, tmp_path, output)
        session = asyncio.create_task(pump.session())
        await pump.settled.wait()
        output.gone.set_result("unplugged")
        with pytest.raises(OutputFailed, match="unplugged"):
            await asyncio.wait_for(session, PATIENCE_S)
        assert output.closed == 1


async def test_what_an_output_asks_its_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, kind=Failing) as house:
        output = Recording()
        pump = pump_of(house, tmp_path, output)
        work = asyncio.create_task(sessions(pump))
        await pump.settled.wait()
        await storm(house, 4)
        await until(lambda: output.host and output.events == known(house))
        host = output.host
        assert host and host.gateway_id == house.journal.gateway_id and host.plant == house.plant
        events = await host.alarm_events(0, 100)
        alarms = [u for batch in output.batches for u in batch if isinstance(u, AlarmChange)]
        assert list(events) == alarms and len(events) == 5  # without those of the incident
        assert await host.alarm_events(events[1].event, 2) == events[2:4]
        whole = Reader.events
        with monkeypatch.context() as patch:
            patch.setattr(Reader, "events", lambda self, after, limit: whole(self, max(after, 4), limit))
            assert await host.alarm_events(1, 1) == [Gap(2, 4), next(e for e in events if e.event > 4)]
            assert await host.alarm_events(4, 100) == [e for e in events if e.event > 4]
            patch.setattr(Reader, "events", lambda self, after, limit: [])
            assert await host.alarm_events(1, 9) == [Gap(2, house.decider.committed_event)]
        assert await host.alarm_events(house.decider.committed_event, 9) == []
        assert await host.mark("fifo") == 0
        await host.set_mark("fifo", 9)
        assert await host.mark("fifo") == house.journal.marks()["output/test/fifo"] == 9
        house.journal.failures = 1
        with pytest.raises(OutputFailed, match="full, says the test"):
            await host.set_mark("fifo", 10)
        assert await host.mark("fifo") == 9
        host.count("published", 2)
        labels = {"output": "test", "name": "published"}
        assert house.metrics.registry.get_sample_value("stethos_output_total", labels) == 2
        await ended(work)
