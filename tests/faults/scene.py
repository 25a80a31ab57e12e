"""The stage of every fault: gateway, broker, C nodes in a storm of alarms, and three consumers; and the final count."""

from __future__ import annotations

import asyncio
import os
import pwd
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from gateway.store.schema import JournalBroken, JournalFull
from tests.faults import accountant
from tests.faults.accountant import Account
from tests.faults.consumers import Plc, Scada, gaps, of_mqtt, subscriber
from tests.faults.disk import Disk
from tests.faults.gateway import Gateway
from tests.faults.nodes import MqttRadio, Radio, Storm
from tests.system.broker import Broker
from tests.system.clients import Stream, streaming
from tests.system.plants import free_ports, until

NODES = 8
WAKE_MS = 150
SETTLE_S = 60.0
ASK_AGAIN_S = 1.0
LOOK_S = 0.3  # how often a journal is read that lets its entries go
KEEP_EVENTS = 200_000  # unless configured otherwise
FIELD_LINK = '[[link]]\ntype = "mqtt"\nname = "field"\nbroker = "127.0.0.1:{port}"\ntimeout_s = 2\n'

BROKER_LINES = (
    "allow_anonymous true",
    "persistence true",
    "autosave_on_changes true",  # the subscriber's session outlives a kill of the broker
    "autosave_interval 1",
    "max_queued_messages 0",
    "max_inflight_messages 0",
    f"user {pwd.getpwuid(os.getuid()).pw_name}",
)
FIELD_BROKER_LINES = ("allow_anonymous true", BROKER_LINES[-1])  # it keeps nothing: what is lost with it is sent again


@dataclass
class Scene:
    """Everything that runs. `field_broker`: the nodes', where they have one. `earlier`: what the journal held when it
    was last looked at. `keep_events`: as it is configured.
    """

    gateway: Gateway
    broker: Broker
    storm: Storm
    stream: Stream
    plc: Plc
    scada: Scada
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    earlier: accountant.Held | None = None
    field_broker: Broker | None = None
    keep_events: int = KEEP_EVENTS
    _watched: bool = False

    async def hearing(self) -> None:
        """Wait until the gateway acknowledges something new."""
        before = len(self.storm.acknowledged())
        await self.until(lambda: len(self.storm.acknowledged()) > before, "acknowledgement")

    async def until(self, found: Callable[[], object], what: str, timeout_s: float | None = None) -> None:
        """Wait for a condition, as long as the gateway lives."""

        def alive_and_found() -> object:
            assert self.gateway.alive, self.gateway.tail()
            return found()

        try:
            await until(alive_and_found, what, timeout_s or SETTLE_S)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.gateway.log}: {self.gateway.tail()}") from None

    async def events(self, count: int, timeout_s: float | None = None) -> None:
        """Wait until there are so many more events in the journal."""
        due = accountant.newest_number(self.gateway.state_dir) + count
        await self.until(lambda: accountant.newest_number(self.gateway.state_dir) >= due, f"{count} events", timeout_s)

    async def incident(self) -> None:
        """Wait until the MQTT consumer has been told of one at least."""
        await self.until(lambda: any("incident/" in told.what[0] for told in of_mqtt(self.stream)), "incident")

    def remember(self) -> None:
        """Keep what the journal says now."""
        earlier = self.earlier
        held = accountant.held_by(self.gateway.state_dir, earlier if self._watched else None)
        self.earlier = held.also(earlier) if earlier else held

    def watch(self) -> None:
        """From now on read every entry before it is let go: an entry may be some seconds old before that happens."""
        self.remember()
        self._watched = True
        self.tasks.append(asyncio.create_task(self._watch()))

    async def _watch(self) -> None:
        while True:
            with suppress(JournalBroken, JournalFull, sqlite3.Error):  # the gateway is just taking it up
                await asyncio.to_thread(self.remember)
            await asyncio.sleep(LOOK_S)

    async def pruned(self) -> None:
        """Wait until the oldest entries have been let go."""
        first = accountant.first_entry(self.gateway.state_dir)
        await self.until(lambda: accountant.first_entry(self.gateway.state_dir) > max(first, 1), "pruning")

    async def settle(self) -> Account:
        """Wait until every consumer follows, let the storm end, wait until all have caught up, and count."""
        newest = accountant.newest_number(self.gateway.state_dir)  # what comes after it, no session of before has seen
        gateway_id = accountant.gateway_id(self.gateway.state_dir)
        await self.until(lambda: self.scada.live and self.scada.newest(gateway_id) > newest, "event over OPC UA")
        self.storm.calm()
        await self.until(lambda: self.storm.delivered, "end of the storm")
        while True:
            newest = accountant.newest_number(self.gateway.state_dir)
            await self._caught_up(await asyncio.to_thread(accountant.held_by, self.gateway.state_dir))
            account = self.account()
            if accountant.newest_number(self.gateway.state_dir) == newest:  # else more was decided while we counted
                return account

    def account(self) -> Account:
        """What is missing or double now."""
        self.remember()
        assert self.earlier
        held, account = self.earlier, Account()
        claimed = {n for gap in gaps(self.stream) for n in range(gap["first_event"], gap["last_event"] + 1)}
        now = accountant.held_by(self.gateway.state_dir)
        given_up = accountant.credible(account, now, claimed, self.keep_events)
        acknowledged = self.storm.acknowledged()
        accountant.nodes_account(account, held, acknowledged, sum(node.lost for node in self.storm.nodes))
        accountant.mqtt_account(account, held, of_mqtt(self.stream), given_up)
        accountant.modbus_account(account, held, self.plc)
        accountant.opcua_account(account, held, self.scada.sessions)
        return account

    async def _caught_up(self, held: accountant.Held) -> None:
        """Each consumer has been told of the newest event."""
        newest, newest_alarm = max(held.events, default=0), max(held.alarms, default=0)
        await self.until(lambda: newest in {t.number for t in of_mqtt(self.stream)[-500:]}, f"{newest} at MQTT")
        await self.until(lambda: self.plc.taken[-1][0] >= newest_alarm, f"{newest_alarm} at Modbus")
        await self.until(lambda: self.scada.newest(held.gateway_id) >= newest_alarm, f"{newest_alarm} at OPC UA")


@asynccontextmanager
async def scene(
    folder: Path, *, nodes: int = NODES, wake_ms: int = WAKE_MS, journal: str = "", before: str = "",
    env: Mapping[str, str] | None = None, disk: Disk | None = None, models: Path | None = None,
    keep_events: int = KEEP_EVENTS, over_broker: bool = False,
) -> AsyncIterator[Scene]:  # fmt: skip
    """All of it, running and heard, while the context lasts; at its end the gateway must stop well. `disk`: its state
    folder lies on that one. `models`: bundles of motors that go wrong and are well again, beside sensors that fail.
    `over_broker`: the nodes report over MQTT, through a broker of their own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ports = free_ports()
    async with AsyncExitStack() as stack:
        broker = Broker(folder, ports.mqtt, [*BROKER_LINES, f"persistence_location {folder}/"])
        field_broker = Broker(folder, free_ports().mqtt, FIELD_BROKER_LINES) if over_broker else None
        for each in filter(None, (broker, field_broker)):
            await each.start()
            stack.push_async_callback(each.stop)
        more = FIELD_LINK.format(port=field_broker.port) if field_broker else ""
        journal = f"keep_events = {keep_events}\n{journal}"
        shims = disk.env if disk else {}
        env = {**(env or {}), **shims}
        gateway = Gateway(folder, nodes, ports=ports, journal=journal, before=before, env=env, models=models, more=more)
        if disk:
            disk.seed()
        stream = await stack.enter_async_context(streaming(*subscriber(ports.mqtt)))
        storm = Storm(gateway.keys, Radio, ("127.0.0.1", ports.udp), wake_ms, models)
        if field_broker:
            storm = Storm(gateway.keys, MqttRadio, ("127.0.0.1", field_broker.port), wake_ms, models)
        stage = Scene(gateway, broker, storm, stream, Plc(ports.modbus), Scada(ports.opcua))
        stage.field_broker, stage.keep_events = field_broker, keep_events
        stack.push_async_callback(gateway.end)
        await gateway.start()
        stage.tasks = [asyncio.create_task(stage.plc.run()), asyncio.create_task(stage.scada.run())]
        stack.push_async_callback(_end, stage.tasks)
        await gateway.running()
        stage.storm.start()
        stack.callback(stage.storm.end)
        await stage.hearing()
        yield stage
        assert await gateway.end() == 0, gateway.tail()


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel these until they have ended: a client that connects or closes just then may swallow it (asyncua 2.1.0 in
    `Client._cancel_task`; pymodbus 3.16.1).
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=ASK_AGAIN_S)
    for task in tasks:
        if not task.cancelled():
            task.result()
