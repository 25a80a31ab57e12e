"""Time is right on every side of a clock that steps: the gateway's, and that of nodes whose news is hours late."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.demo.broker import broker
from gateway.store.reader import Reader
from tests.faults.disk import Control, shim
from tests.faults.gateway import SITE, Gateway
from tests.faults.protocol import HOUR_MS, Mote, clear, dead, gateway_alone
from tests.nodes.conftest import library, node_build  # noqa: F401 - fixtures
from tests.system.clients import Stream, mosquitto_sub, streaming
from tests.system.plants import free_ports

HOUR_S = 3600
HEARTBEAT_MS = 60_000
WAKE_MS = 10_000
AGE_STEP = 1 / 16  # of an age is what its code can be off by
LATE_MS = 60_000  # more than any step of these tests takes on a busy machine


@dataclass
class Scene:
    """A gateway whose clock a test sets, and what it publishes."""

    gateway: Gateway
    clock: Control
    stream: Stream

    def said(self, end: str) -> list[dict[str, Any]]:
        """All payloads so far of topics that end so."""
        return [line["payload"] for line in self.stream.lines if line["topic"].endswith(end)]

    async def event(self, alarm: str, transition: str) -> dict[str, Any]:
        """The first such event."""

        def found() -> dict[str, Any] | None:
            events = self.said("events/alarms")
            return next((e for e in events if (e["alarm"], e["transition"]) == (alarm, transition)), None)

        event: dict[str, Any] = await self.stream.until(found, f"{alarm} {transition}")
        return event

    async def battery(self, node: str, after_ms: int) -> int:
        """The source time of a node's battery once it is later than that."""

        def newer() -> int | None:
            times = [ms_of(said["source_time"]) for said in self.said(f"nodes/{node}/battery") if said["source_time"]]
            return times[-1] if times and times[-1] > after_ms else None

        newest: int = await self.stream.until(newer, f"battery of {node}")
        return newest


@asynccontextmanager
async def scene(folder: Path, nodes: int) -> AsyncIterator[Scene]:
    """Broker, subscriber and gateway."""
    ports = free_ports()
    clock = Control(folder / "control")
    env = {"LD_PRELOAD": str(shim("clock", folder)), "STETHOS_CONTROL": str(clock.path)}
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(broker(ports.mqtt))
        stream = await stack.enter_async_context(streaming(*mosquitto_sub(ports.mqtt, "-t", f"stethos/{SITE}/#")))
        gateway = await stack.enter_async_context(
            gateway_alone(folder / "gateway", nodes, mqtt=True, ports=ports, env=env)
        )
        yield Scene(gateway, clock, stream)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def ms_of(text: str) -> int:
    """A published time."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def stuck(n: int) -> list[int]:
    return [5] * n


def times_of(gateway: Gateway) -> list[int]:
    """When each entry of the journal was taken up."""
    reader = Reader.open(gateway.state_dir)
    try:
        return [row.at_ms for row in reader.read(0, 1_000_000)]
    finally:
        reader.close()


def beat(mote: Mote) -> None:
    """Wakes up to and with the next heartbeat."""
    mote.wake(HEARTBEAT_MS // WAKE_MS)


async def test_set_forward_nobody_is_missed_for_a_time_that_did_not_pass(tmp_path: Path, library) -> None:  # noqa: F811
    async with scene(tmp_path, nodes=2) as plant:
        motes = [Mote(library, key, plant.gateway.ports.udp, heartbeat_ms=HEARTBEAT_MS) for key in plant.gateway.keys]
        for mote in motes:
            mote.wake()
            await plant.battery(mote.key.name, 0)
        plant.clock.step_clock(2 * HOUR_S)
        speaks, sleeps = motes
        beat(speaks)
        heard_ms = await plant.battery("n-0", now_ms() + HOUR_MS)
        assert abs(heard_ms - now_ms() - 2 * HOUR_MS) < LATE_MS
        assert speaks.station.acks[-1][1].time_ms > now_ms() + HOUR_MS
        speaks.station.window = stuck
        speaks.wake()
        await plant.event("node/n-0/sensor_fault", "raised")
        assert not [event for event in plant.said("events/alarms") if event["alarm"].endswith("node_lost")]
        assert not {said["state"] for said in plant.said("nodes/n-1/liveness")} & {"stale", "lost"}
        assert await plant.gateway.metric("stethos_events_total", "clock_leapt") == 1
        beat(sleeps)
        await plant.battery("n-1", now_ms() + HOUR_MS)
        for mote in motes:
            mote.station.close()


async def test_set_back_time_goes_on_and_news_is_still_news(tmp_path: Path, library) -> None:  # noqa: F811
    async with scene(tmp_path, nodes=1) as plant:
        mote = Mote(library, plant.gateway.keys[0], plant.gateway.ports.udp, heartbeat_ms=HEARTBEAT_MS)
        mote.wake()
        before_ms = await plant.battery("n-0", 0)
        plant.clock.step_clock(-HOUR_S)
        for _ in range(3):
            beat(mote)
            before_ms = await plant.battery("n-0", before_ms)
        mote.station.window = stuck
        mote.wake()
        raised = await plant.event("node/n-0/sensor_fault", "raised")
        assert before_ms <= ms_of(raised["source_time"]) < now_ms() + LATE_MS
        acks = [ack.time_ms for _, ack in mote.station.acks]
        assert acks == sorted(acks)
        taken = times_of(plant.gateway)
        assert taken == sorted(taken)
        assert taken[-1] > now_ms() - LATE_MS
        mote.station.close()


async def test_news_that_is_hours_late_is_told_with_the_time_it_happened(tmp_path: Path, library) -> None:  # noqa: F811
    async with scene(tmp_path, nodes=1) as plant:
        mote = Mote(library, plant.gateway.keys[0], plant.gateway.ports.udp, window_every=0, flag_repeat=1000)
        mote.wake()
        await plant.battery("n-0", 0)
        good, mote.station.window = mote.station.window, stuck
        mote.station.up = dead
        mote.wake()
        mote.station.now_ms += HOUR_MS
        mote.station.window = good
        mote.wake()
        mote.station.now_ms += 4 * HOUR_MS
        # The same time passes at the gateway, and so much more that no rounding of an age makes the news older than
        # what is known.
        plant.clock.step_clock(6 * HOUR_S)
        mote.station.up = clear
        mote.deliver()
        raised = await plant.event("node/n-0/sensor_fault", "raised")
        returned = await plant.event("node/n-0/sensor_fault", "returned")
        for event, hours in ((raised, 5), (returned, 4)):
            age_ms = now_ms() + 6 * HOUR_MS - ms_of(event["source_time"])
            assert abs(age_ms - hours * HOUR_MS) < AGE_STEP * hours * HOUR_MS + LATE_MS
        mote.station.close()
