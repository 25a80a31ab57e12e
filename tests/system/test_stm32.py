"""The firmware of a bare board, in QEMU, at a running gateway: samples of a recording go in at one serial port, frames
come out at the other, an alarm is raised, and the board hears the gateway's Acks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from gateway.demo.plant import DemoNode, configuration, tty
from gateway.demo.processes import House
from gateway.wire.messages import Ack, Birth, Flag, Health, UpMessage
from tests.nodes.samples import Source
from tests.system import plants
from tests.system.emulated import Emulated, Machine, emulated, firmwares, needs, provision

pytestmark = pytest.mark.timeout(240)  # a build of the firmware is in the first one

L4 = Machine("stm32l4", "b-l475e-iot01a")
F4 = Machine("stm32f4", "olimex-stm32-h405")
HARDWARE = {"stm32l4": "b-l475e-iot01a", "stm32f4": "stm32f4"}
ALARM = "asset/motor/anomaly"
HEALTHY_S, FAILING_S = 4, 120

machines = pytest.mark.parametrize("machine", [L4, F4], ids=lambda machine: machine.board)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A motor that runs well, and then with an imbalance, as stethos-node plays it too."""
    path = tmp_path / "motor.samples"
    with Source("sim:motor", 7300) as healthy, Source("sim:motor?fault=imbalance&at=0&ramp=0", 7300) as failing:
        rate = healthy.rate_millihz // 1000
        samples = np.vstack([source.read(0, rate) for source in (healthy,) * HEALTHY_S])
        samples = np.vstack([samples, *(failing.read(second, rate) for second in range(FAILING_S))])
        head = f"stethos-samples 1 channels={healthy.channels} rate_millihz={healthy.rate_millihz} unit=16384/g\n"
    path.write_bytes(head.encode() + samples.astype("<i2").tobytes())
    return path


@asynccontextmanager
async def watched(
    machine: Machine, folder: Path, models: Path, node_program: Path, spec: str, *options: str
) -> AsyncIterator[tuple[House, Emulated]]:
    """The board with a key of its own, on its line to a gateway that watches the motor with it alone."""
    needs(machine)
    firmwares()
    plant = plants.plant((plants.asset("motor", ("board",), k=1),), (DemoNode("board", "motor", "serial", ()),), models)
    house = House(plant, plants.free_ports(), folder, node_program)
    house.prepare(configuration(plant, house.ports, folder, "5").partition("[output.mqtt]")[0])
    image, flash = models / "motor-node" / "image.cbor", folder / "board.hex"
    schedule = ("--wake-ms", "300", "--heartbeat-ms", "3000")
    provision(machine, folder / "board.key", flash, "--model", str(image), *schedule, *options)
    try:
        async with emulated(machine, flash, tty(folder, "board"), spec) as board:
            await house.start_gateway()
            yield house, board
            assert await house.end_gateway() == 0
    finally:
        await house.close()


def sent_again(board: Emulated, house: House) -> list[int]:
    """Numbers of messages that went out after the gateway had acknowledged them."""
    acknowledged, again = set[int](), []
    for _, message in board.said(house.keys["board"]):
        if isinstance(message, Ack):
            also = (
                (message.base + 1 + i for i in range(32) if message.bitmap >> i & 1) if message.base is not None else ()
            )
            acknowledged |= {*also} if message.base is None else {message.base, *also}
        elif isinstance(message, UpMessage) and message.seq in acknowledged:
            again.append(message.seq)
    return again


def of(board: Emulated, house: House, kind: type) -> list[UpMessage]:
    """The node's messages of that kind."""
    return [message for _, message in board.said(house.keys["board"]) if isinstance(message, kind)]


@machines
async def test_a_recording_through_the_board_raises_an_alarm_and_the_board_hears_the_acks(
    machine: Machine, tmp_path: Path, models: Path, node_program: Path, recording: Path
) -> None:
    spec = f"file:{recording}?contiguous=1"
    async with watched(machine, tmp_path, models, node_program, spec) as (house, board):
        await plants.until(lambda: len(of(board, house, Flag)) >= 5, "flags", 90)
        while ALARM not in (listed := await plants.stethos(house.config, "alarm", "list")):
            assert board.windows < 100, listed
        assert "unacknowledged" in listed
        await plants.until(lambda: len(of(board, house, Health)) >= 2, "a heartbeat", 60)

        birth = of(board, house, Birth)[0]
        assert (birth.hardware, birth.channels, birth.model is None) == (HARDWARE[machine.chip], 6, False)
        assert [flag.why for flag in of(board, house, Flag)] == [f.why for f in of(board, house, Flag) if f.why >= 64]
        assert {f.features is not None for f in of(board, house, Flag)} == {True}
        assert sent_again(board, house) == []
        assert of(board, house, Health)[-1].refused == 0
        assert board.broken == []
        counted = {k: n for k, n in plants.metrics(house.ports.metrics).items() if k[0] == "stethos_frames_total"}
        assert {verdict for _, _, verdict in counted} == {"accepted"}


@machines
async def test_a_board_that_hears_nothing_sends_again_until_it_hears(
    machine: Machine, tmp_path: Path, models: Path, node_program: Path
) -> None:
    async with watched(machine, tmp_path, models, node_program, "sim:motor") as (house, board):
        board.deaf = True
        await plants.until(lambda: len(sent_again(board, house)) >= 2, "messages that go out again", 60)
        board.deaf = False

        def steady() -> bool:
            """Deaf, it would send again at least every 16th wake, which is twice in the time of three heartbeats."""
            resends = [health.resends for health in of(board, house, Health)[-3:] if isinstance(health, Health)]
            return len(resends) == 3 and len(set(resends)) == 1 and resends[0] > 0

        await plants.until(steady, "heartbeats with nothing sent again in between", 90)
