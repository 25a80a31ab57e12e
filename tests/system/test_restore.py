"""A gateway dies, its backup starts on a new box, and its nodes, which nobody visits, follow."""

from __future__ import annotations

import re
import signal
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from gateway.core import entry as entries
from gateway.core.entry import Report
from gateway.demo.broker import broker, mqtt_version
from gateway.demo.plant import configuration
from gateway.demo.processes import House
from gateway.store.reader import Reader
from gateway.wire.messages import Birth
from tests.system import plants
from tests.system.clients import Line, Stream, mosquitto_sub, streaming
from tests.system.tap import Tap, tapped

FAILING = "sim:motor?fault=imbalance&at=0&ramp=1"
NAMES = ("n1", "n2")
ALARM = "asset/motor/anomaly"


def reports(state_dir: Path) -> list[Report]:
    with closing(Reader.open(state_dir)) as reader:
        bodies = [entries.decode(row.kind, row.version, row.body) for row in reader.read(0, 1_000_000)]
    return [body for body in bodies if isinstance(body, Report)]


async def answered(tap: Tap, house: House, epoch: int, count: int) -> None:
    """Each node has been acknowledged so many messages in an epoch."""
    await plants.until(
        lambda: all(len(numbers) >= count for numbers in tap.acknowledged(house.keys, epoch).values()),
        f"acknowledgements in epoch {epoch}",
    )


@pytest.mark.timeout(300)
async def test_nodes_meet_a_restored_gateway_without_a_visit(tmp_path: Path, models: Path, node_program: Path) -> None:
    nodes = tuple(plants.motor(name, "motor", "udp", models, FAILING, 8100 + i, 60_000) for i, name in enumerate(NAMES))
    plant = plants.plant((plants.asset("motor", NAMES, k=2),), nodes, models)
    ports, behind = plants.free_ports(), plants.free_ports().udp
    old = House(plant, ports, tmp_path / "old", node_program)
    config = configuration(plant, ports, old.folder, mqtt_version())
    old.prepare(config.replace(f"127.0.0.1:{ports.udp}", f"127.0.0.1:{behind}"))
    new = House(plant, ports, tmp_path / "new", node_program)
    async with broker(ports.mqtt), streaming(*mosquitto_sub(ports.mqtt, "-t", "+/+/events/#")) as mqtt:
        with tapped(ports.udp, behind) as tap:
            try:
                await old.start_gateway()
                told = await plants.stethos(old.config, "backup", str(tmp_path / "backup"))
                assert "verified" in told and f"not in it: {models.resolve()}" in told
                for name in NAMES:  # all that follows, no backup knows of
                    await old.start_node(name)
                await answered(tap, old, 0, 30)
                lost = await raised(mqtt, 0)
                heard = len(mqtt.lines)
                await old.end_gateway(signal.SIGKILL)

                new.folder.mkdir()
                told = await plants.stethos(new.config, "restore", str(tmp_path / "backup"))
                epoch = int(re.findall(r"The nodes follow by themselves: epoch (\d+)", told)[0])
                await new.start_gateway()
                await answered(tap, old, epoch, 20)
                found = await raised(mqtt, heard)
                assert found["event"] == lost["event"] and found["id"] != lost["id"]

                for name in NAMES:  # only a new Birth tells what a node follows; its memory is as it was
                    await old.end_node(name)
                    await old.start_node(name)
                await plants.until(lambda: len(births(new.state_dir, epoch)) == len(NAMES), "births in the new epoch")
            finally:
                await old.close()
                assert await new.end_gateway() == 0
    said: dict[str, set[str]] = {}
    for message in mqtt.lines:
        said.setdefault(message["payload"]["id"], set()).add(message["payload"]["time"])
    assert max(map(len, said.values())) == 1  # no id was given to two events
    used = Counter((sealed.kid, sealed.epoch, sealed.partial_iv) for sealed in tap.sealed())
    assert {sealed.epoch for sealed in tap.sealed()} == {0, epoch}
    assert {pair: count for pair, count in used.items() if count > 1} == {}
    kept = Counter((report.node, report.seq) for report in reports(new.state_dir))
    assert set(kept.values()) == {1}
    told_anew = {(node, seq) for node, seqs in tap.acknowledged(old.keys, epoch).items() for seq in seqs}
    assert told_anew <= kept.keys()
    assert "entries hold" in await plants.stethos(new.config, "audit")
    assert "byte-identical" in await plants.stethos(new.config, "replay")


async def raised(mqtt: Stream, after: int) -> Line:
    """The event that the alarm was raised."""
    found = await mqtt.first(
        lambda m: (m["payload"].get("alarm"), m["payload"]["transition"]) == (ALARM, "raised"), "alarm raised", after
    )
    payload: Line = found["payload"]
    return payload


def births(state_dir: Path, epoch: int) -> set[str]:
    """Nodes that have said they follow this epoch."""
    found = reports(state_dir)
    return {r.node for r in found if isinstance(r.message, Birth) and r.message.epoch == epoch}
