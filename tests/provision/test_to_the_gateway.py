"""The command, a board, a gateway that runs: from a new board to its first messages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.demo.plant import DemoAsset, DemoNode, configuration
from gateway.demo.processes import House
from tests.micropython.conftest import BUILT
from tests.micropython.native import built
from tests.provision.board import Board
from tests.provision.provisioned import MOTOR, UDP, key_on
from tests.system import plants


@asynccontextmanager
async def gateway(folder: Path, micropython: Path) -> AsyncIterator[House]:
    """One that watches a room with one node, whose key no board has yet."""
    asset = DemoAsset("room", "hall", "line-1", 1, (), (("room-1", ""),))
    made = plants.plant((asset,), (DemoNode("room-1", "room", "udp", ()),), plants.first_models())
    house = House(made, plants.free_ports(), folder, micropython)
    try:
        text = configuration(made, house.ports, folder, "5").partition("[output.mqtt]")[0]
        house.prepare(text.replace('model = { room-1 = "" }\n', ""))
        await plants.stethos(house.config, "node", "remove", "room-1")
        await house.start_gateway()
        yield house
        assert await house.end_gateway() == 0
    finally:
        await house.close()


def accepted(house: House) -> float:
    """Messages of room-1; a Birth is the first."""
    found = plants.metrics(house.ports.metrics)
    refused = {k: n for k, n in found.items() if k[0] == "stethos_frames_total" and k[2] not in ("accepted", "resent")}
    assert not refused or not any(refused.values())
    return found.get(("stethos_frames_total", "room-1", "accepted"), 0)


async def test_a_new_board_is_provisioned_and_heard(board: Board, micropython: Path, tmp_path: Path) -> None:
    if why := built.why_not("x64"):
        pytest.skip(why)
    board.feels(g=0.2)
    async with gateway(tmp_path, micropython) as house:
        settings, label = tmp_path / "node.json", tmp_path / "label.svg"
        radio = UDP | {"gateway": f"127.0.0.1:{house.ports.udp}"}
        schedule = {"wake_ms": 1000, "heartbeat_ms": 3000, "listen_ms": 1000}
        settings.write_text(json.dumps(MOTOR | schedule | {"radio": radio}))
        said = await plants.stethos(
            house.config, "node", "provision", "room-1", "--port", str(board.port), "--settings", str(settings),
            "--label", str(label),
        )  # fmt: skip
        id_, secret = key_on(board)
        assert f"room-1\nid {id_}\nsite" in said
        assert "▀" in said
        assert secret not in said + label.read_text()
        assert f"id {id_}" in label.read_text()
        await plants.until(lambda: accepted(house) >= 2, "a birth, and a heartbeat")
        listed = await plants.stethos(house.config, "node", "list")
        assert id_ in listed

        bundle, native = plants.first_models() / "pump-node", built.mpy("x64") / built.MODULE
        again = await plants.stethos(
            house.config, "node", "provision", "room-1", "--port", str(board.port), "--settings", str(settings),
            "--model", str(bundle), "--native", str(native), "--mpy-cross", str(BUILT / "mpy-cross"),
        )  # fmt: skip
        assert f"id {id_}" in again
        assert key_on(board) == (id_, secret)
        before, said_before = accepted(house), len(board.said)
        files = board.files()
        assert files["model.cbor"] == (bundle / "image.cbor").read_bytes()
        assert files["stethos_native.mpy"] == native.read_bytes()
        assert [name for name in files if name.endswith(".py")] == ["main.py"], "all else is compiled"
        await plants.until(lambda: accepted(house) >= before + 2, "the node goes on, with numbers that nobody has seen")
        assert b"model:" not in board.said[said_before:], "its model can be had"
        await asyncio.to_thread(board.unplug)
