"""A small plant with its journal, registry and decider in one folder, and nodes that seal real envelopes."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.core.entry import Configured
from gateway.core.plant import AlarmKind, AlarmText, Asset, Liveness, Node, Plant, Priority, Rescoring, Rule
from gateway.links import Address, Frame
from gateway.runtime.admission import Admission
from gateway.runtime.clock import Clock
from gateway.runtime.decider import Decider
from gateway.runtime.inbound import Arrival
from gateway.runtime.intake import Answers
from gateway.runtime.metrics import Metrics
from gateway.runtime.outbox import Outbox
from gateway.store.journal import Journal
from gateway.store.keys import NodeKey
from gateway.wire.envelope import Cipher, parse
from gateway.wire.keys import NodeKeys
from gateway.wire.messages import (
    Ack,
    Birth,
    DownMessage,
    EnergyUc,
    Features,
    Flag,
    Health,
    Message,
    decode_down,
    encode,
)

PATIENCE_S = 10.0
TEXT = AlarmText("why", "what follows", "what to do", Priority.HIGH, 600)
KEYS = tuple(NodeKey(name, bytes([0, 0, 0, i]), bytes([i]) * 16, 0, 0) for i, name in enumerate(("n1", "n2"), 1))


def plant(model: str = "", models: Mapping[str, bytes] | None = None, **more: int) -> Plant:
    """One pump, two nodes, one of which is enough for an incident."""
    return Plant(
        site="works",
        assets={"pump-1": Asset("pump-1", "north", "line-3", 0, Rule(1, 60_000, more.get("quiet_ms", 600_000)))},
        nodes={key.name: Node(key.name, key.kid, "pump-1", i, 0, model) for i, key in enumerate(KEYS)},
        alarms=dict.fromkeys(AlarmKind, TEXT),
        liveness=Liveness(),
        rescoring=Rescoring(more.get("deadline_ms", 600_000), models or {}),
        correlate_ms=30_000,
    )


class WireNode:
    """A node: seals what it says, and opens what it is told."""

    def __init__(self, key: NodeKey, partial_iv: int = 0, seq: int = 0) -> None:
        keys = NodeKeys(key.kid, key.secret)
        self._keys = keys
        self._up = Cipher.up(keys)
        self._partial_iv = itertools.count(partial_iv)
        self._seq = itertools.count(seq)

    def say(self, message: Message) -> bytes:
        return self._up.seal(next(self._partial_iv), encode(message))

    def skip(self, transmissions: int) -> None:
        """So many went out and were heard by nobody."""
        self._partial_iv = itertools.count(next(self._partial_iv) + transmissions)

    def flag(self, seq: int | None = None, *values: int) -> bytes:
        """A claim; a new one unless `seq` says which one is sent again."""
        number = next(self._seq) if seq is None else seq
        return self.say(Flag(number & 0xFFFF, 0, 160, 65, 1, Features(1, values) if values else None))

    def say_health(self, seq: int) -> bytes:
        """A heartbeat of a healthy node."""
        return self.say(Health(seq, 0, 100, 0, 3000, 2000, -60, 1, 1, 0, 0, 0, 0, EnergyUc(0, 0, 0, 0)))

    def birth(self, full_seq: int, epoch: int = 0) -> bytes:
        return self.say(
            Birth(full_seq & 0xFFFF, 0, 1, full_seq, 0, 0, "board", "1", 1, 3, 1, None, 1000, 60_000, 100, epoch, 0)
        )

    def hear(self, envelope: bytes) -> tuple[int, int, Ack]:
        """Epoch, partial IV and Ack of an answer. BadTag if it is another node's."""
        epoch, partial_iv, ack = self.open(envelope)
        assert isinstance(ack, Ack)
        return epoch, partial_iv, ack

    def open(self, envelope: bytes) -> tuple[int, int, DownMessage]:
        """Epoch, partial IV and what the gateway says. BadTag if it is another node's."""
        sealed = parse(envelope, down=True)
        assert sealed.epoch is not None
        return sealed.epoch, sealed.partial_iv, decode_down(Cipher.down(self._keys, sealed.epoch).open(sealed))


class Wire:
    """A Link in memory: `sent` holds what was answered."""

    def __init__(self) -> None:
        self.sent: list[tuple[Address, bytes]] = []
        self.came = asyncio.Event()

    async def open(self) -> None: ...

    async def receive(self) -> list[Frame]:
        await asyncio.Event().wait()
        return []

    async def send(self, address: Address, data: bytes) -> None:
        self.sent.append((address, data))
        self.came.set()

    async def close(self) -> None: ...


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition, as long as patience lasts."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.002)


class House:
    """A running decider and what belongs to it."""

    def __init__(
        self, journal: Journal, plant: Plant, clock: Clock | None = None, snapshot_entries: int = 1000
    ) -> None:
        self.journal = journal
        self.plant = plant
        self.metrics = Metrics()
        self.clock = clock or Clock(journal.last_at_ms)
        self.answers = Answers(self.metrics, self.clock)
        self.refreshed: list[bool] = []
        self.decider = Decider(
            journal,
            Admission(KEYS, journal.windows(), journal.marks()),
            self.metrics,
            self.clock,
            group_ms=0,
            snapshot_entries=snapshot_entries,
            heard=lambda heard: self.answers.heard(
                heard,
                self.decider.admission,
                lambda node: True,
                self.decider.engine.mail.boxes.get,
                self.decider.images.get,
            ),
            refresh=self._refresh,
        )
        self.wire = Wire()
        self.outbox = Outbox(self.wire, lambda name: self.metrics.event(name))

    def _refresh(self, again: bool) -> Configured | None:
        self.refreshed.append(again)
        return Configured(self.plant) if self.decider.engine.plant != self.plant else None

    async def hand_in(self, envelope: bytes, address: Address = "n1") -> None:
        await self.decider.put([Arrival(Frame(envelope, address, time.monotonic_ns()), "test", self.outbox)])

    async def answered(self, count: int) -> list[bytes]:
        """The answers so far, once there are `count`."""
        await until(lambda: len(self.wire.sent) >= count)
        return [data for _, data in self.wire.sent]

    def counted(self, name: str) -> float:
        return self.metrics.registry.get_sample_value("stethos_events_total", {"name": name}) or 0.0

    def verdicts(self, verdict: str, node: str = "n1") -> float:
        labels = {"node": node, "verdict": verdict}
        return self.metrics.registry.get_sample_value("stethos_frames_total", labels) or 0.0


@asynccontextmanager
async def running(
    folder: Path, the_plant: Plant | None = None, kind: type[Journal] = Journal, *, graceful: bool = True,
    clock: Clock | None = None, snapshot_entries: int = 1000,
) -> AsyncIterator[House]:  # fmt: skip
    """A house at work; `graceful=False` ends it as a crash would, but for what lies in SQLite's own hands."""
    journal = kind.open(folder)
    house = House(journal, the_plant or plant(), clock, snapshot_entries)
    sender = asyncio.create_task(house.outbox.run())
    work = asyncio.create_task(house.decider.run())
    try:
        yield house
        if graceful:
            await house.decider.finish()
            await asyncio.wait_for(work, PATIENCE_S)
    finally:
        for task in (work, sender):
            task.cancel()
        await asyncio.gather(work, sender, return_exceptions=True)
        house.decider.close()
        journal.close()
