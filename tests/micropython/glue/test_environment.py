"""The node that watches a room, and what people there see, hear and read; buses and chips as node.json names them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.provision import node_json
from tests.micropython.glue.world import NODE, Board
from tests.micropython.native import built

EXAMPLES = NODE / "examples"
ROOM = json.loads((EXAMPLES / "room.json").read_text()) | {
    "rate_millihz": 50_000, "wake_ms": 1000, "listen_ms": 20, "clear_after": 2,
    "feature_set": 3, "learn": None, "window_every": 0,
    "radio": {"kind": "wifi_udp", "ssid": "works", "key": "key", "gateway": "127.0.0.1:9"},
}  # fmt: skip
PROVISION = "from board import Board; from settings import read; from stethos.ceiling import provision; "


async def room(micropython: Path, folder: Path, native: Path | None = None, **changes: Any) -> Board:
    """A node in a room that is as it should be; nobody hears it."""
    board = Board(micropython, folder, native=native, quick=True)
    board.write("key.json", {"id": "01020304", "secret": "00" * 16})
    board.write("node.json", ROOM | changes)
    await board.run(PROVISION + "provision(Board(read()))")
    board.feels(celsius=24, percent=40)
    return board


async def wakes(board: Board, n: int) -> list[str]:
    for _ in range(n):
        assert await board.wake() is not None
    return board.said[-n:]


def lines(board: Board) -> list[str]:
    """What the line for people has said."""
    file = board.folder / "uart.2"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize("name", ["room", "motor"])
def test_the_samples_are_what_workstation_and_board_take(name: str) -> None:
    settings = node_json.read(EXAMPLES / f"{name}.json")
    assert settings.hardware


async def test_lamp_buzzer_and_line_say_when_it_begins_and_when_it_is_over(micropython: Path, tmp_path: Path) -> None:
    board = await room(micropython, tmp_path)
    await wakes(board, 1)
    assert not lines(board)
    board.feels(celsius=31)
    one, two, three = await wakes(board, 3)
    assert "pin" not in one, "two windows make an alert"
    assert two.count("pin 2 1") == 1
    assert two.count("pin 4 1") == two.count("pin 4 0") == 3, "three beeps"
    assert len(lines(board)) == 1
    assert lines(board)[0].startswith("ALERT 01020304 T 31.")
    assert lines(board)[0].endswith(" degC above 28.0")
    assert "pin 2" not in two.partition("deepsleep")[0].partition("pin 2 1")[2] + three, "it shines on through sleep"
    assert three.count("pin 4 1") == 3, "and sounds again"
    board.feels(celsius=24)
    four, five = await wakes(board, 2)
    assert ("pin 2 0" in four, "pin 2 0" in five) == (False, True)
    assert lines(board)[1:] == ["CLEAR 01020304"]


async def test_a_buzzer_that_wants_a_tone_gets_one_and_falls_silent(micropython: Path, tmp_path: Path) -> None:
    board = await room(micropython, tmp_path, buzzer_hz=2700, alert_pin=None, alert_uart=None)
    board.feels(percent=61)
    assert [text.count("tone 4 2700") for text in await wakes(board, 3)] == [0, 3, 3]
    said = await board.run("from alerts import Alert; from settings import read; a = Alert(read(), True); "
                           "[(print('wake', n), a.remind(n)) for n in (10, 11, 200)]")  # fmt: skip
    assert [text.count("tone 4 2700") for text in said.split("wake ")[1:]] == [3, 0, 0], "after ten more it is quiet"


async def test_limits_hold_while_it_learns(micropython: Path, tmp_path: Path) -> None:
    if why := built.why_not("x64"):
        pytest.skip(why)
    board = await room(micropython, tmp_path, built.mpy("x64"), learn={"windows": 240})
    await wakes(board, 2)
    assert (tmp_path / "learner.0").exists(), "what it has learned so far outlives a reset"
    board.feels(percent=61)
    await wakes(board, 2)
    assert lines(board) == ["ALERT 01020304 RH 61.0 percent above 50.0"]


async def test_without_the_native_module_it_says_so_and_limits_hold_all_the_same(
    micropython: Path, tmp_path: Path
) -> None:
    board = await room(micropython, tmp_path, learn={"windows": 240}, alert_on_fault=False)
    assert "learn: it needs the native module: there is no stethos_native" in (await wakes(board, 1))[0]
    board.feels(celsius=17)
    await wakes(board, 2)
    assert [line[:24] for line in lines(board)] == ["ALERT 01020304 T 17.0 de"]


async def test_a_broken_sensor_is_said_as_well_where_that_is_wanted(micropython: Path, tmp_path: Path) -> None:
    board = await room(micropython, tmp_path)
    board.feels(celsius=None)
    await wakes(board, 2)
    assert lines(board) == ["ALERT 01020304 the sensor does not answer"]


SENSOR = "import main; from array import array; from sensors import window; s = main.make_sensor(**{}); s.check(); " \
         "out = array('h', bytes(2 * {})); print(window(s, {}, out), list(out))"  # fmt: skip


async def test_a_microphone_at_an_i2s(micropython: Path, tmp_path: Path) -> None:
    board = Board(micropython, tmp_path, quick=True)
    board.feels(sound_cdb=-2600)
    sensor = {"chip": "i2s_microphone", "bus": {"kind": "i2s", "id": 0, "sck": 14, "ws": 15, "sd": 32},
              "rate_hz": 8000, "bits": 16, "ibuf_ms": 400}  # fmt: skip
    said = await board.run(SENSOR.format(sensor, 4, 10_000))
    assert said.startswith("0 ["), said
    assert all(abs(level - 9400) < 30 for level in json.loads(said[2:])), "26 dB below 120"


async def test_of_two_thermometers_on_a_line_the_one_that_is_named(micropython: Path, tmp_path: Path) -> None:
    board = Board(micropython, tmp_path, quick=True)
    script = "import machine, onewire; print([c.rom.hex() for c in onewire.OneWire(machine.Pin(5)).chips])"
    for rom, cdeg in zip(json.loads((await board.run(script)).replace("'", '"')), (2000, 3100), strict=True):
        sensor = {"chip": "ds18b20", "bus": {"kind": "one_wire", "pin": 5}, "rom": rom}
        said = await board.run(SENSOR.format(sensor, 2, 9000))
        assert said == f"0 {[cdeg, cdeg]}\n"
