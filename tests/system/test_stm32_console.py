"""A blank board in QEMU becomes a node at its serial line as a technician makes it one, and its Birth arrives."""

from __future__ import annotations

import json
from pathlib import Path

import cbor2
import pytest

from gateway.demo.plant import DemoNode, configuration, tty
from gateway.demo.processes import House
from gateway.store.keys import NodeKey, Registry
from gateway.wire.messages import Birth
from tests.system import plants
from tests.system.emulated import Emulated, Machine, emulated, firmwares, needs
from tests.system.test_stm32 import F4, HARDWARE, L4

pytestmark = pytest.mark.timeout(240)  # a build of the firmware is in the first one

BLANK = {"stm32l4": 0x0807_2000, "stm32f4": 0x0802_0000}  # where a configuration would be


def blank(chip: str, file: Path) -> Path:
    """A HEX file with a word of erased flash: QEMU fills the rest with zeros."""

    def line(*record: int) -> str:
        return f":{bytes([*record, -sum(record) & 0xFF]).hex().upper()}"

    high, low = divmod(BLANK[chip], 1 << 16)
    lines = [line(2, 0, 0, 4, *high.to_bytes(2, "big")), line(8, *low.to_bytes(2, "big"), 0, *b"\xff" * 8)]
    file.write_text("\n".join([*lines, line(0, 0, 0, 1)]) + "\n")
    return file


@pytest.mark.parametrize("machine", [L4, F4], ids=lambda machine: machine.board)
async def test_a_blank_board_becomes_a_node_at_its_console(
    machine: Machine, tmp_path: Path, models: Path, node_program: Path
) -> None:
    needs(machine)
    firmwares()
    plant = plants.plant((plants.asset("motor", ("board",), k=1),), (DemoNode("board", "motor", "serial", ()),), models)
    house = House(plant, plants.free_ports(), tmp_path, node_program)
    house.prepare(configuration(plant, house.ports, tmp_path, "5").partition("[output.mqtt]")[0])
    model = (models / "motor-node" / "image.cbor").read_bytes()
    _, feature_set, channels, samples = cbor2.loads(model)[:4]
    said = {"board": machine.chip, "feature_set": feature_set, "channels": channels, "samples": samples,
            "wake_ms": 300, "heartbeat_ms": 3000}  # fmt: skip
    (tmp_path / "node.json").write_text(json.dumps(said))
    port = tty(tmp_path, "board")
    try:
        async with emulated(machine, blank(machine.chip, tmp_path / "blank.hex"), port, "sim:motor") as board:
            label = await plants.stethos(
                house.config, "node", "provision", "board", "--port", str(port), "--settings",
                str(tmp_path / "node.json"), "--model", str(models / "motor-node"), "--replace",
            )  # fmt: skip
            key = key_of(house)
            assert key.kid.hex() in label
            assert key.secret not in b"".join(data for direction, data in board.passed if direction == "up")
            board.passed.clear()  # questions and answers are no envelopes
            await house.start_gateway()
            birth = (await plants.until(lambda: born(board, key), "a Birth", 60))[0]
            assert (birth.hardware, birth.channels, birth.model is None) == (HARDWARE[machine.chip], channels, False)

            def accepted() -> bool:
                return any(k[0] == "stethos_frames_total" and "accepted" in k and n > 0
                           for k, n in plants.metrics(house.ports.metrics).items())  # fmt: skip

            await plants.until(accepted, "an accepted frame")
            assert await house.end_gateway() == 0
    finally:
        await house.close()


def key_of(house: House) -> NodeKey:
    """The one that the registry has for it."""
    registry = Registry.open(house.state_dir)
    try:
        key = registry.get("board")
        assert key is not None
        return key
    finally:
        registry.close()


def born(board: Emulated, key: NodeKey) -> list[Birth]:
    """What the node has said of itself."""
    return [message for _, message in board.said(key) if isinstance(message, Birth)]
