"""Two nodes of one motor learn beside each other; as the simulator gives them nothing in common, each is judged by
itself, and goes on when the other is gone."""

from __future__ import annotations

import asyncio
import signal
from contextlib import closing
from pathlib import Path

from gateway.core.entry import Learned, Report, Scored, decode
from gateway.demo.broker import mqtt_version
from gateway.demo.plant import DemoAsset, DemoNode, DemoPlant, configuration
from gateway.demo.processes import House, running
from gateway.store.reader import Reader
from tests.system import plants
from tests.system.plants import stethos

WINDOWS = 32
NODES = ("bearing", "foot")
HEALTHY = "sim:motor"
PATIENCE_S = 60


def learned(house: House, what: str) -> list[Learned]:
    with closing(Reader.open(house.state_dir)) as reader:
        bodies = [decode(row.kind, row.version, row.body) for row in reader.read(0, 100_000)]
    return [body for body in bodies if isinstance(body, Learned) and body.what == what]


def scored(house: House, node: str) -> int:
    """How many of its windows the gateway has judged by what it has learned."""
    with closing(Reader.open(house.state_dir)) as reader:
        bodies = {row.id: decode(row.kind, row.version, row.body) for row in reader.read(0, 100_000)}
    windows = [body.window for body in bodies.values() if isinstance(body, Scored) and body.model]
    return sum(report.node == node for report in map(bodies.get, windows) if isinstance(report, Report))


def newest_words(house: House, node: str) -> str:
    """What the log says last of how a node is judged."""
    lines = (house.folder / "gateway.log").read_text(encoding="utf-8").splitlines()
    return next((line for line in reversed(lines) if "learner" in line and node in line and "windows" not in line), "")


async def test_nodes_of_a_fused_asset_are_judged_together(tmp_path: Path, models: Path, node_program: Path) -> None:
    schedule = ("--seed", "11", "--wake-ms", "200", "--window-every", "1", "--speed", "8", "--heartbeat-ms", "60000")
    nodes = tuple(DemoNode(name, "motor", "udp", ("--source", HEALTHY, *schedule)) for name in NODES)
    asset = DemoAsset("motor", "hall-1", "line-1", 1, (), tuple((name, "learner") for name in NODES))
    plant = DemoPlant("works", (asset,), nodes, models, window_s=5, quiet_s=2)
    ports, folder = plants.free_ports(), tmp_path / "house"
    told = configuration(plant, ports, folder, mqtt_version()).replace('name = "motor"', 'name = "motor"\nfused = true')
    told += f"\n[learning]\nwindows = {WINDOWS}\nfalse_alarms_a_week = 10000\n"  # windows are tenths of a second apart
    async with running(plant, ports, folder, node_program, told) as house, asyncio.timeout(PATIENCE_S):
        while {entry.node for entry in learned(house, "given")} != set(NODES):
            await asyncio.sleep(0.2)
        while '"by itself"' not in newest_words(house, "bearing"):
            await asyncio.sleep(0.2)
        await plants.fail(house, "bearing")
        while "unacknowledged" not in await stethos(house.config, "alarm", "list", "--all"):
            await asyncio.sleep(0.2)
        shown = await stethos(house.config, "learner", "show", "bearing")
        assert "by itself" in shown, shown
        await house.end_node("foot", signal.SIGKILL)
        while "by itself, without foot" not in newest_words(house, "bearing"):
            await asyncio.sleep(0.2)
        await house.end_gateway()
        listed = await stethos(house.config, "learner", "list")
        assert "by itself, without foot" in listed, listed
        before = scored(house, "bearing")
        await house.start_gateway()
        while scored(house, "bearing") < before + 5:
            await asyncio.sleep(0.2)
        assert len(learned(house, "commissioned")) == len(NODES), "a restart is no reason to learn anew"
