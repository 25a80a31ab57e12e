"""A small plant, a host that keeps commands in memory, and running servers and peers, for the tests of this folder."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.core.command import Command, CommandKind, CommandResult, Outcome
from gateway.core.event_id import EventIds
from gateway.core.plant import (
    AlarmId,
    AlarmKind,
    AlarmText,
    Asset,
    Liveness,
    Node,
    Plant,
    Priority,
    Rescoring,
    Rule,
    Scope,
    TagId,
)
from gateway.core.update import AlarmChange, AlarmTransition, Quality, TagChange, Value
from gateway.outputs import Present
from gateway.outputs.opcua import Output, Settings
from gateway.outputs.opcua.users import set_user

PEERS = Path(__file__).parents[2] / "system" / "peers"
GATEWAY_ID = b"gateway!"
PUMP = AlarmId(Scope.ASSET, "pump-1", AlarmKind.ANOMALY)
FAN = AlarmId(Scope.ASSET, "fan-1", AlarmKind.ANOMALY)
LOST = AlarmId(Scope.NODE, "n-1", AlarmKind.NODE_LOST)
T0 = 1_790_000_000_123  # Unix ms
USER, PASSWORD = "olivia", "correct horse"
VIEWER = "victor"


def make_plant(lines: dict[str, str] | None = None) -> Plant:
    """Two assets, a pump with two nodes and a fan with one; `lines` moves an asset to another line."""
    lines = {"pump-1": "line-a", "fan-1": "line-b", **(lines or {})}
    text = AlarmText("{asset} sounds unusual.", "It may stop.", "Look at {node}.", Priority.HIGH, 600)
    rule = Rule(1, 60_000, 60_000)
    assets = {name: Asset(name, "hall", lines[name], slot, rule) for slot, name in enumerate(["pump-1", "fan-1"])}
    nodes = {
        name: Node(name, slot.to_bytes(4, "big"), asset, slot)
        for slot, (name, asset) in enumerate([("n-1", "pump-1"), ("n-2", "pump-1"), ("n-3", "fan-1")])
    }
    return Plant("works", assets, nodes, dict.fromkeys(AlarmKind, text), Liveness(), Rescoring(1000), 60_000)


def tag(path: str, value: Value, quality: Quality = Quality.GOOD, source_ms: int = T0) -> TagChange:
    """A change of the Tag "scope/name/tag"."""
    return TagChange(TagId.parse(path), value, quality, source_ms)


def change(
    event: int,
    alarm: AlarmId = PUMP,
    transition: AlarmTransition = AlarmTransition.RAISED,
    *,
    active: bool = True,
    acknowledged: bool = False,
    shelved_until_ms: int = 0,
    actor: str = "",
    comment: str = "",
) -> AlarmChange:
    """An Alarm's change, one second later for each event number."""
    at = T0 + event * 1000
    return AlarmChange(
        event, alarm, transition, active, acknowledged, shelved_until_ms, False, at, at + 250, at, 7, True, actor,
        "", comment,
    )  # fmt: skip


class MemoryHost:
    """The Host contract in memory: acknowledges and shelves what it was told of, and hands the change to the Output."""

    def __init__(self, plant: Plant) -> None:
        self.gateway_id = GATEWAY_ID
        self.event_ids = EventIds(GATEWAY_ID)
        self.plant = plant
        self.commands: list[Command] = []
        self.counts: Counter[str] = Counter()
        self.newest: dict[AlarmId, AlarmChange] = {}
        self.output: Output | None = None
        self._event = 1000

    def count(self, name: str, by: int = 1) -> None:
        self.counts[name] += by

    async def alarm_events(self, after: int, limit: int) -> Sequence[AlarmChange]:
        return []

    async def mark(self, name: str) -> int:
        return 0

    async def set_mark(self, name: str, value: int) -> None:
        pass

    async def command(self, command: Command) -> CommandResult:
        self.commands.append(command)
        newest = self.newest.get(AlarmId.parse(command.alarm))
        if newest is None:
            return CommandResult(Outcome.UNKNOWN_ALARM)
        if command.kind is CommandKind.ACKNOWLEDGE:
            if newest.acknowledged:
                return CommandResult(Outcome.ALREADY)
            if command.event != newest.event:
                return CommandResult(Outcome.UNKNOWN_EVENT)
        self._event += 1
        transition = {
            CommandKind.ACKNOWLEDGE: AlarmTransition.ACKNOWLEDGED,
            CommandKind.SHELVE: AlarmTransition.SHELVED,
            CommandKind.UNSHELVE: AlarmTransition.UNSHELVED,
        }[command.kind]
        acknowledged = newest.acknowledged or command.kind is CommandKind.ACKNOWLEDGE
        await self.write(
            change(
                self._event, newest.alarm, transition, active=newest.active, acknowledged=acknowledged,
                shelved_until_ms=command.until_ms, actor=command.actor, comment=command.comment,
            )
        )  # fmt: skip
        return CommandResult(Outcome.DONE, self._event)

    async def write(self, *updates: TagChange | AlarmChange) -> None:
        """What the pump does with new Updates."""
        self.newest.update({u.alarm: u for u in updates if isinstance(u, AlarmChange)})
        assert self.output is not None
        await self.output.write(updates)


class Running:
    """An open server, its host and its folder."""

    def __init__(self, output: Output, host: MemoryHost, folder: Path) -> None:
        self.output = output
        self.host = host
        self.folder = folder

    @property
    def endpoint(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.output.port}/stethos"

    def trust(self, der: Path) -> None:
        shutil.copy(der, self.folder / "pki" / "trusted" / der.name)


@asynccontextmanager
async def serving(
    folder: Path,
    tags: Sequence[TagChange] = (),
    alarms: Sequence[AlarmChange] = (),
    plant: Plant | None = None,
    **settings: Any,
) -> AsyncIterator[Running]:
    """A server on a free port with a user of each role."""
    users = folder / "users"
    if not users.exists():
        set_user(users, USER, PASSWORD)
        set_user(users, VIEWER, PASSWORD, "viewer")
    host = MemoryHost(plant or make_plant())
    output = Output(Settings(endpoint="opc.tcp://127.0.0.1:0/stethos", pki=folder / "pki", users=users, **settings))
    host.output = output
    host.newest.update({a.alarm: a for a in alarms})
    await output.open(host, Present(tags, alarms))
    try:
        yield Running(output, host, folder)
    finally:
        await output.close()


class Peer:
    """A node-opcua program under test's control; each line it prints is one JSON value."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> Any:
        """The next value, within 30 s."""
        assert self._process.stdout is not None
        while True:
            line = await asyncio.wait_for(self._process.stdout.readline(), 30)
            if not line:
                raise AssertionError("the peer ended without the expected line")
            if line.startswith(b"{"):
                return json.loads(line)

    async def rest(self) -> list[Any]:
        """All further values, when it has ended."""
        output, _ = await asyncio.wait_for(self._process.communicate(), 60)
        return [json.loads(line) for line in output.splitlines() if line.startswith(b"{")]

    def stop(self) -> None:
        if self._process.returncode is None:
            self._process.kill()


@asynccontextmanager
async def peer(
    program: str, running: Running, client: Path, *options: str, user: str = USER, password: str = PASSWORD
) -> AsyncIterator[Peer]:
    """A node-opcua program, logged in at the server."""
    process = await asyncio.create_subprocess_exec(
        "node", str(PEERS / program), running.endpoint, user, password, str(client), *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    running_peer = Peer(process)
    try:
        yield running_peer
    finally:
        running_peer.stop()
        await process.wait()
