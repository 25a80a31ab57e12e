"""A room's own regimes, learned by the workstation from a recording (gateway/training/room.py), judge on the node: what
belongs to none of them is an alert, though every reading lies within the limits.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gateway.provision import node_json, provisioning
from gateway.training import room as trainer
from gateway.training.dataset import Channel, Run, Writer
from tests.micropython.glue.test_environment import ROOM, lines, room, wakes
from tests.micropython.native import built

DAY, NIGHT = (25.0, 35.0), (21.0, 45.0)  # degC, percent
EVERY_S, SAMPLES, DAYS = 10, 32, 8
SETTINGS = {"samples": SAMPLES, "rate_millihz": 1000 // EVERY_S, "model": "model.cbor", "watchdog_ms": 600_000,
            "wake_ms": 400_000}  # fmt: skip


def recording(folder: Path) -> Path:
    """Days and nights of twelve hours, as a data set."""
    rows = DAYS * 86_400 // EVERY_S
    by_day = (np.arange(rows) * EVERY_S // 43_200 % 2)[:, None]
    values = np.where(by_day, DAY, NIGHT) + np.random.default_rng(1).normal(0, 0.05, (rows, 2))
    channels = tuple(Channel(name=name, unit="-") for name in ("temperature", "humidity"))
    run = Run(file="room.npz", node="room-1", asset="room", kind="values", channels=channels, rate_hz=1 / EVERY_S,
              session="one")  # fmt: skip
    with Writer(folder, name="a room") as writer:
        writer.add(run, values)
    return folder


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("trained")
    arguments = ["--recording", str(recording(folder / "room")), "--node", "room-1", "--every-s", str(EVERY_S)]
    assert trainer.main([str(folder), *arguments]) == 0
    return (folder / "room-node" / "image.cbor").read_bytes()


@pytest.fixture
def native(micropython: Path) -> Path:
    if why := built.why_not("x64"):
        pytest.skip(why)
    return built.mpy("x64")


async def test_what_belongs_to_no_regime_of_the_room_is_an_alert(
    micropython: Path, native: Path, image: bytes, tmp_path: Path
) -> None:
    (tmp_path / "model.cbor").write_bytes(image)
    board = await room(micropython, tmp_path, native, **SETTINGS)
    (tmp_path / "checked.json").write_text(json.dumps(ROOM | SETTINGS))
    settings = node_json.read(tmp_path / "checked.json")
    assert provisioning.with_model(settings, image) == settings, "the workstation finds that they go together"
    for celsius, percent in (DAY, NIGHT, DAY):
        board.feels(celsius=celsius, percent=percent)
        assert "model:" not in "".join(await wakes(board, 3))
        assert not lines(board), "a regime that it knows"
    board.feels(celsius=DAY[0], percent=NIGHT[1])
    one, two = await wakes(board, 2)
    assert ("pin 2 1" in one, "pin 2 1" in two) == (False, True)
    assert lines(board) == ["ALERT 01020304 unusual"], "within the limits, each for itself"
    board.feels(celsius=NIGHT[0], percent=NIGHT[1])
    await wakes(board, 2)
    assert lines(board)[1:] == ["CLEAR 01020304"]


async def test_limits_go_on_beside_it(micropython: Path, native: Path, image: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.cbor").write_bytes(image)
    board = await room(micropython, tmp_path, native, **SETTINGS)
    board.feels(celsius=29)
    await wakes(board, 2)
    assert len(lines(board)) == 1
    assert lines(board)[0].startswith("ALERT 01020304 T 29.")
