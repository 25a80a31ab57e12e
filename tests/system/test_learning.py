"""The gateway learns at a node's place, alarms, remembers over a restart, and learns anew when it is told to."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

from gateway.core.entry import Learned, Scored, decode
from gateway.demo.broker import mqtt_version
from gateway.demo.plant import DemoAsset, DemoNode, DemoPlant, configuration
from gateway.demo.processes import House, running
from gateway.store.reader import Reader
from tests.system import plants
from tests.system.plants import stethos

WINDOWS = 32
HEALTHY = "sim:motor"
PATIENCE_S = 60


def entries(house: House, kind: type[Learned] | type[Scored]) -> list[Learned | Scored]:
    with closing(Reader.open(house.state_dir)) as reader:
        bodies = [decode(row.kind, row.version, row.body) for row in reader.read(0, 100_000)]
    return [body for body in bodies if isinstance(body, kind)]


async def commissioned(house: House, times: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while len([e for e in entries(house, Learned) if isinstance(e, Learned) and e.what == "commissioned"]) < times:
            await asyncio.sleep(0.2)


async def states(house: House, wanted: str) -> None:
    """Wait until the anomaly of the motor is in a state."""
    async with asyncio.timeout(PATIENCE_S):
        while wanted not in await stethos(house.config, "alarm", "list", "--all"):
            await asyncio.sleep(0.2)


async def test_a_node_without_a_model_is_judged_by_what_the_gateway_has_learned(
    tmp_path: Path, models: Path, node_program: Path
) -> None:
    arguments = ("--source", HEALTHY, "--seed", "11", "--wake-ms", "200", "--window-every", "1", "--speed", "8")
    mote = DemoNode("mote", "motor", "udp", (*arguments, "--heartbeat-ms", "60000"))
    asset = DemoAsset("motor", "hall-1", "line-1", 1, (), (("mote", "learner"),))
    plant = DemoPlant("works", (asset,), (mote,), models, window_s=5, quiet_s=2)
    ports, folder = plants.free_ports(), tmp_path / "house"
    learning = f"\n[learning]\nwindows = {WINDOWS}\nfalse_alarms_a_week = 10000\n"  # of windows every 90 ms
    told = configuration(plant, ports, folder, mqtt_version()) + learning
    async with running(plant, ports, folder, node_program, told) as house:
        await commissioned(house, 1)
        await plants.fail(house, "mote")
        await states(house, "unacknowledged")
        await house.end_gateway()
        scored = [e for e in entries(house, Scored) if isinstance(e, Scored) and e.model]
        assert {s.threshold for s in scored} == {1000} and any(s.value > 1000 for s in scored)
        await house.start_gateway()
        before = len(scored)
        async with asyncio.timeout(PATIENCE_S):
            while len([e for e in entries(house, Scored) if isinstance(e, Scored) and e.model]) < before + 5:
                await asyncio.sleep(0.2)
        assert len(entries(house, Learned)) == 1, "a restart is no reason to learn anew"

        assert "watches" in await stethos(house.config, "learner", "list")
        assert "share of the error" in await stethos(house.config, "learner", "show", "mote")
        assert "1 places" in await stethos(house.config, "learner", "export", str(tmp_path / "a.fleet"), "mote")

        said = await stethos(house.config, "alarm", "ack", "asset/motor/anomaly", "--learn", "-m", "a new fan")
        assert "learns anew: the gateway at mote" in said
        assert "a new fan; normal from now on" in await stethos(house.config, "explain", "1")
        await commissioned(house, 2)
        await states(house, " normal ")
