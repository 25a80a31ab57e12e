"""One plant with nodes on every link, alarms from each, and clients of every protocol that watch from the beginning."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gateway.demo.broker import broker, mqtt_version
from gateway.demo.plant import DemoPlant, configuration
from gateway.demo.processes import House
from gateway.outputs.opcua.users import set_user
from tests.system import plants
from tests.system.clients import PEERS, Desk, Line, Stream, lines, mosquitto_sub, opcua, streaming

LINKS = ("udp", "serial", "mqtt")
USER, PASSWORD = "anna", "a long sentence that nobody guesses"
ANOMALIES = tuple(f"asset/motor-{link}/anomaly" for link in LINKS)
SENSOR_FAULT = "node/deaf/sensor_fault"
ALARMS = (*ANOMALIES, SENSOR_FAULT)
HEARTBEAT_MS = 60_000  # so long that nobody is missed while a test stops the nodes


def spine_plant(models: Path) -> DemoPlant:
    """Three motors that lose their balance, each watched over another link; a fourth has a stuck sensor."""
    # From the first sample on: a window that straddles a fault's beginning may be flagged by the node and refuted by
    # the host, and an alarm that comes and goes has more events than these tests name.
    nodes = [
        plants.motor(f"{link}-{i}", f"motor-{link}", link, models, plants.FAILING, 6000 + 10 * n + i, HEARTBEAT_MS)
        for n, link in enumerate(LINKS)
        for i in (1, 2)
    ]
    deaf = plants.motor("deaf", "motor-deaf", "udp", models, "sim:motor?fault=stuck&at=2", 6100, HEARTBEAT_MS)
    hearing = plants.motor("hearing", "motor-deaf", "udp", models, "sim:motor", 6101, HEARTBEAT_MS)
    assets = [plants.asset(f"motor-{link}", (f"{link}-1", f"{link}-2"), k=2) for link in LINKS]
    assets.append(plants.asset("motor-deaf", ("deaf", "hearing"), k=2))
    return plants.plant(tuple(assets), (*nodes, deaf, hearing), models)


class Seen(NamedTuple):
    """The browsed plant with all NodeIds, one tag as read, conditions by name, retained messages by topic."""

    plant: Line
    score: Line
    conditions: dict[str, Line]
    retained: dict[str, Line]


@dataclass
class Spine:
    """The running plant. `mqtt` has every message since before the first node started, `opcua` every event up to the
    gateway's first end.
    """

    house: House
    desk: Desk
    mqtt: Stream
    opcua: Stream
    fifo: list[Line] = field(default_factory=list)  # what a PLC has taken so far

    def topic(self, alarm: str) -> str:
        """Where an alarm's state is retained."""
        scope, name, kind = alarm.split("/")
        asset = name if scope == "asset" else f"motor-{name}/nodes/{name}"
        return f"stethos/works/hall-1/line-1/{asset}/alarms/{kind}"

    def alarm_events(self) -> list[Line]:
        """Every alarm event over MQTT, by number."""
        events = {m["payload"]["event"]: m["payload"] for m in self.mqtt.lines if m["topic"].endswith("events/alarms")}
        return [events[number] for number in sorted(events)]

    async def event(self, alarm: str, transition: str) -> Line:
        """The first such event over MQTT."""
        message = await self.mqtt.first(
            lambda m: (
                m["topic"].endswith("events/alarms")
                and (m["payload"]["alarm"], m["payload"]["transition"]) == (alarm, transition)
            ),
            f"{alarm} {transition}",
        )
        event: Line = message["payload"]
        return event

    async def retained(self) -> dict[str, Line]:
        """Topic -> payload, as a client sees it that connects now."""
        command = mosquitto_sub(self.house.ports.mqtt, "-t", "stethos/works/#", "--retained-only")
        async with streaming(*command) as stream:
            await stream.first(lambda m: m["topic"].endswith("status"), "status")
            await stream.until(lambda: {self.topic(a) for a in ALARMS} <= {m["topic"] for m in stream.lines}, "state")
            return {m["topic"]: m["payload"] for m in stream.lines}

    async def conditions(self) -> dict[str, Line]:
        """Condition name -> what ConditionRefresh tells of it."""
        [told] = await self.desk.run("opcua_alarms.mjs")
        return {alarm["name"]: alarm for alarm in told["alarms"]}

    async def everything(self) -> Seen:
        """What OPC UA and MQTT clients see that connect now."""
        plant, score = await self.desk.run("opcua_plant.mjs", "--read", "node.udp-1.score")
        return Seen(plant, score, await self.conditions(), await self.retained())

    async def command(self, **request: object) -> Line:
        """Publish on the commands topic, and return the result."""
        root = "stethos/works/commands"
        await lines(
            "mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.house.ports.mqtt), "-q", "1", "-t", root,
            "-m", json.dumps({"v": 1, **request}),
        )  # fmt: skip
        message = await self.mqtt.first(
            lambda m: m["topic"] == f"{root}/results" and m["payload"]["id"] == request["id"], "an answer"
        )
        result: Line = message["payload"]
        return result

    @contextmanager
    def silence(self) -> Iterator[None]:
        """No node says anything while the context lasts."""
        for node in self.house.nodes.values():
            node.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for node in self.house.nodes.values():
                node.send_signal(signal.SIGCONT)

    async def restart(self, how: signal.Signals) -> int:
        """End the gateway and start it again; returns its exit code when its outputs are there again."""
        code = await self.house.end_gateway(how)
        seen = len(self.mqtt.lines)
        await self.house.start_gateway()
        alarms = set(map(self.topic, ALARMS))  # the last of what is published at a start
        await self.mqtt.until(lambda: alarms <= {m["topic"] for m in self.mqtt.lines[seen:]}, "the present state")
        await outputs_up(self.house)
        return code


async def outputs_up(house: House) -> None:
    """OPC UA and Modbus accept connections."""

    def listening() -> bool:
        assert house.gateway
        assert house.gateway.returncode is None, (house.folder / "gateway.log").read_text()[-2000:]
        return all(map(plants.accepts, (house.ports.opcua, house.ports.modbus)))

    await plants.until(listening, "outputs")


@asynccontextmanager
async def running(folder: Path, models: Path, node_program: Path, pki: Path) -> AsyncIterator[Spine]:
    """The plant with OPC UA as in production: encrypted, a trusted certificate, a user with a password; every alarm of
    ALARMS has been raised.
    """
    ports = plants.free_ports()
    plant = spine_plant(models)
    house = House(plant, ports, folder, node_program)
    config = configuration(plant, ports, folder, mqtt_version(), open_opcua=False)
    house.prepare(config + "\n[journal]\nsnapshot_entries = 100\n")
    set_user(house.state_dir / "opcua-users", USER, PASSWORD)
    trusted = house.state_dir / "pki" / "trusted"
    trusted.mkdir(parents=True)
    shutil.copy(pki / "client.der", trusted)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(broker(ports.mqtt))
        stack.push_async_callback(house.close)
        mqtt = await stack.enter_async_context(streaming(*mosquitto_sub(ports.mqtt, "-t", "stethos/works/#")))
        await house.start_gateway()
        await outputs_up(house)
        events = ("--events", "Server", "--type", "AlarmConditionType", "--count", "9999", "--timeout", "600")
        subscriber = opcua("opcua_subscribe.mjs", ports.opcua, (USER, PASSWORD), pki, *events)
        subscribed = await stack.enter_async_context(streaming(*subscriber))
        await subscribed.first(lambda line: line.get("ready"), "subscription")
        await mqtt.first(lambda m: m["topic"].endswith("/status") and m["payload"]["online"], "status")
        await asyncio.gather(*(house.start_node(node.name) for node in plant.nodes))
        program = await stack.enter_async_context(streaming("node", str(PEERS / "opcua_desk.mjs")))
        spine = Spine(house, Desk(program, ports.opcua, (USER, PASSWORD), pki), mqtt, subscribed)
        for alarm in ALARMS:
            await spine.event(alarm, "raised")
        yield spine
        assert await house.end_gateway() == 0
