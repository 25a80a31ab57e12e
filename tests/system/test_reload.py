"""SIGHUP in the middle of everything: what has not changed is not touched, and nothing is lost."""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.core import entry as entries
from gateway.core.entry import Configured, Report
from gateway.demo.broker import broker, mqtt_version
from gateway.demo.plant import DemoPlant, configuration
from gateway.demo.processes import House
from gateway.store.reader import Reader
from tests.system import plants
from tests.system.clients import Stream, mosquitto_sub, opcua, streaming
from tests.system.spine import outputs_up
from tests.system.tap import Tap, tapped

FAILING = "sim:motor?fault=imbalance&at=0&ramp=1"
ANONYMOUS = ("", "")
SECOND_ASSET = '\n[[asset]]\nname = "motor-2"\narea = "hall-1"\nline = "line-1"\nnodes = ["n3", "n4"]\nk = 2\n'


@dataclass
class Plant:
    """A gateway under fire: four nodes that claim something all the time, of which two are in no asset yet."""

    house: House
    tap: Tap
    reloads: int = 0

    def edit(self, old: str, new: str) -> None:
        text = self.house.config.read_text()
        assert old in text
        self.house.config.write_text(text.replace(old, new, 1))

    def counted(self, name: str) -> float:
        return plants.metrics(self.house.ports.metrics).get(("stethos_events_total", name), 0)

    async def reload(self) -> None:
        assert self.house.gateway
        self.house.gateway.send_signal(signal.SIGHUP)
        self.reloads += 1
        await plants.until(lambda: self.counted("reloaded") == self.reloads, "reload")

    async def answers(self, more: int = 40) -> None:
        """Nodes are being acknowledged."""
        seen = len(self.tap.down)
        await plants.until(lambda: len(self.tap.down) >= seen + more, "acknowledgements")

    def bodies(self) -> list[entries.Body]:
        with closing(Reader.open(self.house.state_dir)) as reader:
            return [entries.decode(row.kind, row.version, row.body) for row in reader.read(0, 1_000_000)]


@asynccontextmanager
async def running(folder: Path, models: Path, program: Path) -> AsyncIterator[Plant]:
    nodes = [plants.motor(f"n{i}", "motor", "udp", models, FAILING, 8000 + i, 60_000) for i in (1, 2, 3, 4)]
    plant = DemoPlant("works", (plants.asset("motor", ("n1", "n2"), k=2),), tuple(nodes), models, 20, 900)
    ports = plants.free_ports()
    behind = plants.free_ports().udp
    house = House(plant, ports, folder, program)
    config = configuration(plant, ports, folder, mqtt_version())
    house.prepare(config.replace(f"127.0.0.1:{ports.udp}", f"127.0.0.1:{behind}"))
    async with broker(ports.mqtt):
        with tapped(ports.udp, behind) as tap:
            try:
                await house.start()
                await outputs_up(house)
                yield Plant(house, tap)
            finally:
                await house.close()


@pytest.mark.timeout(300)
async def test_reloads_under_fire_lose_nothing_and_touch_only_what_changed(
    tmp_path: Path, models: Path, node_program: Path, pki: Path
) -> None:
    async with running(tmp_path, models, node_program) as plant:
        ports = plant.house.ports
        await plant.answers()
        watch = ("--policy", "none", "--count", "99999", "--timeout", "600", "--events", "Server", "--type",
                 "AlarmConditionType", "--value", "node.n1.score", "--value", "asset.motor.score")  # fmt: skip
        async with (
            streaming(*mosquitto_sub(ports.mqtt, "-t", "#")) as mqtt,
            streaming(*opcua("opcua_subscribe.mjs", ports.opcua, ANONYMOUS, pki, *watch)) as values,
        ):
            await values.first(lambda v: v.get("ready"), "a subscription")
            await mqtt.first(lambda m: m["topic"] == "stethos/works/status" and m["payload"]["online"], "status")

            second = plants.free_ports().udp
            plant.edit("[[link]]", f'[[link]]\ntype = "udp"\nname = "second"\nbind = "127.0.0.1:{second}"\n\n[[link]]')
            await plant.reload()
            await heard_on(second, ports.metrics)

            plant.edit("[output.mqtt]", '[output.mqtt]\nprefix = "other"')
            await plant.reload()
            await mqtt.first(lambda m: m["topic"] == "other/works/status" and m["payload"]["online"], "status")

            plant.edit('name = "wifi"', 'name = "wlan"')
            await plant.reload()
            await plant.answers()

            plant.edit("quiet_s = 900", "quiet_s = 800")
            await plant.reload()

            await broken_files_change_nothing(plant)

            # Through all this the session lived, and was served.
            seen = len(values.lines)
            await values.until(lambda: len(values.lines) > seen + 3, "notifications")
            assert not any("error" in line for line in values.lines)

            seen = len(mqtt.lines)
            plant.house.config.write_text(plant.house.config.read_text() + SECOND_ASSET)
            await plant.reload()
            await raised(mqtt, "asset/motor-2/anomaly", seen)
            await outputs_up(plant.house)
            watch = ("--policy", "none", "--count", "1", "--value", "node.n3.score")
            async with streaming(*opcua("opcua_subscribe.mjs", ports.opcua, ANONYMOUS, pki, *watch)) as late:
                await late.first(lambda v: v.get("value") == "node.n3.score", "a tag that is new")

            plant.edit('nodes = ["n3", "n4"]\nk = 2', 'nodes = ["n4"]\nk = 1')  # n3 moves
            plant.edit('nodes = ["n1", "n2"]', 'nodes = ["n1", "n2", "n3"]')
            await plant.reload()
            await mqtt.first(lambda m: m["topic"].startswith("other/works/hall-1/line-1/motor/nodes/n3/"), "n3", seen)
            await plant.answers()
        await plants.until(lambda: enough_was_told(plant), "some forty answers to each node", 120)
        for name in list(plant.house.nodes):
            await plant.house.end_node(name)
        assert await plant.house.end_gateway() == 0
        await nothing_is_lost(plant)
        each_change_is_told(plant.bodies())


def enough_was_told(plant: Plant) -> bool:
    """Each node has heard so many answers that a lost report would show."""
    return all(len(numbers) > 40 for numbers in plant.tap.acknowledged(plant.house.keys).values())


async def heard_on(port: int, metrics: int) -> None:
    """Somebody listens there, under the name of the new link."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.sendto(b"no envelope", ("127.0.0.1", port))
    await plants.until(lambda: plants.metrics(metrics).get(("stethos_link_total", "second", "received")), "a datagram")


async def broken_files_change_nothing(plant: Plant) -> None:
    assert plant.house.gateway
    text, before = plant.house.config.read_text(), plant.bodies()
    for old, new, fault in (
        ("site = ", "sight = ", "gateway.site: is missing"),
        ('site = "works"', 'site = "elsewhere"', "gateway.site: cannot change while the gateway runs"),
        ("k = 2", "k = 9", "asset[0].k: 9 of 2 nodes"),
        ("motor-host", "no-such-model", "asset.model 'no-such-model'"),
        ("[output.mqtt]", '[output.mqtt]\ntls = true\nca_file = "gone.pem"', "output.mqtt.ca_file: there is no file"),
        ("[gateway]", "[gateway", "Expected ']'"),
    ):
        refused = plant.counted("reload_refused")
        plant.edit(old, new)
        plant.house.gateway.send_signal(signal.SIGHUP)
        await plants.until(lambda: plant.counted("reload_refused") > refused, "refusal")  # noqa: B023 - awaited here
        assert fault in (plant.house.folder / "gateway.log").read_text()
        if "elsewhere" in new:
            assert fault in await plants.stethos(plant.house.config, "reload", ok=(os.EX_CONFIG,))
        plant.house.config.write_text(text)
    assert configurations(plant.bodies()) == configurations(before)


def configurations(bodies: list[entries.Body]) -> int:
    return sum(isinstance(body, Configured) for body in bodies)


def each_change_is_told(bodies: list[entries.Body]) -> None:
    """The journal says of each reload what it changed; what a plant is made of is told in words."""
    told = [body.changes for body in bodies if isinstance(body, Configured) and body.changes]
    assert told[:4] == [
        ("link second: started",), ("output mqtt: restarted",), ("link wifi: stopped", "link wlan: started"),
        ("asset motor: changed",),
    ]  # fmt: skip
    assert "asset motor-2: added" in told[4] and "output opcua: restarted" in told[4]
    assert "node n3: moved from motor-2 to motor" in told[5]
    assert len(told) == 6


async def raised(mqtt: Stream, alarm: str, after: int) -> None:
    await mqtt.first(
        lambda m: (
            m["topic"].endswith("events/alarms")
            and (m["payload"]["alarm"], m["payload"]["transition"]) == (alarm, "raised")
        ),
        f"{alarm} raised",
        after,
    )


async def nothing_is_lost(plant: Plant) -> None:
    """What a node was acknowledged is in the journal, once; the journal replays and holds."""
    kept = Counter((body.node, body.seq) for body in plant.bodies() if isinstance(body, Report))
    assert set(kept.values()) == {1}
    told = plant.tap.acknowledged(plant.house.keys)
    assert {(node, seq) for node, numbers in told.items() for seq in numbers} <= kept.keys()
    assert "byte-identical" in await plants.stethos(plant.house.config, "replay")
    assert "entries hold" in await plants.stethos(plant.house.config, "audit")
