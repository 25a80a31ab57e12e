"""The glue of nodes/micropython on MicroPython's unix port, at a real gateway: from what a chip feels to the alarm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.demo.plant import DemoAsset, DemoNode, configuration, tty
from gateway.demo.processes import House
from tests.micropython.glue.world import Board, cable
from tests.system import plants
from tests.system.broker import mosquitto

ALARM = "asset/room/anomaly"
LOOK_S = 0.2  # from one look at the alarms to the next
ROOM = {
    "hardware": "esp32-sht3x",
    "sensor": {"chip": "sht3x", "bus": {"kind": "i2c", "id": 0, "scl": 22, "sda": 21}},
    "feature_set": 3, "samples": 32, "rate_millihz": 50_000,
    "limits": [[2000, 2800], [3000, 5000]], "learn": None, "window_every": 0,
    "wake_ms": 1000, "heartbeat_ms": 3000, "listen_ms": 1000,
    "alert_pin": 2, "battery": {"pin": 34, "ratio": 2}, "radio_min_mv": 2500,
}  # fmt: skip


LINKS = "wifi_udp", "wifi_mqtt", "uart"


@dataclass
class Plant:
    """A gateway that watches a room with one node, and the node."""

    house: House
    board: Board

    @property
    def verdicts(self) -> dict[str, float]:
        """What became of the node's frames."""
        found = plants.metrics(self.house.ports.metrics)
        return {k[2]: n for k, n in found.items() if k[0] == "stethos_frames_total" and k[1] == "room-1"}

    async def alarms(self) -> str:
        """As the command line lists them."""
        ran = await asyncio.to_thread(CliRunner().invoke, main, ["alarm", "list", "-c", str(self.house.config)])
        assert ran.exit_code == 0, ran.output
        return ran.output

    async def listed(self, text: str, wakes: int = 60) -> str:
        """The alarms, once one has `text`; AssertionError when the node has woken so often and none has."""
        while text not in (found := await self.alarms()):
            assert len(self.board.said) < wakes, self.board.said[-3:]
            await asyncio.sleep(LOOK_S)
        return found


@asynccontextmanager
async def plant(folder: Path, micropython: Path, link: str = "wifi_udp", **changes: Any) -> AsyncIterator[Plant]:
    """The node has a key, the first records of its numbers, and a room that is as it should be. `changes`: of its
    node.json.
    """
    kind = {"wifi_udp": "udp", "wifi_mqtt": "mqtt", "uart": "serial"}[link]
    asset = DemoAsset("room", "hall", "line-1", 1, (), (("room-1", ""),))
    made = plants.plant((asset,), (DemoNode("room-1", "room", kind, ()),), plants.first_models())
    house, board = House(made, plants.free_ports(), folder, micropython), Board(micropython, folder / "board")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(house.close)
        if link == "wifi_mqtt":
            broker = await stack.enter_async_context(mosquitto(folder))
            house.ports = replace(house.ports, mqtt=broker.port)
        if link == "uart":
            stack.enter_context(cable(tty(folder, "room-1"), folder / "board.tty"))
            board.feels(tty=str(folder / "board.tty"))
        text = configuration(made, house.ports, folder, "5").partition("[output.mqtt]")[0]
        house.prepare(text.replace('model = { room-1 = "" }\n', ""))
        await house.start_gateway()
        await provision(board, house, link, changes)
        board.feels(celsius=24, percent=40)
        yield Plant(house, board)
        assert await house.end_gateway() == 0


async def provision(board: Board, house: House, link: str, changes: dict[str, Any]) -> None:
    """As `stethos node provision` does."""
    key, wifi = house.keys["room-1"], {"kind": link, "ssid": "works", "key": "key"}
    radios = {
        "wifi_udp": wifi | {"gateway": f"127.0.0.1:{house.ports.udp}"},
        "wifi_mqtt": wifi | {"broker": f"127.0.0.1:{house.ports.mqtt}"},
        "uart": {"kind": "uart", "id": 1, "baud": 115200},
    }
    board.write("key.json", {"id": key.kid.hex(), "secret": key.secret.hex()})
    board.write("node.json", ROOM | {"radio": radios[link]} | changes)
    script = "from board import Board; from settings import read; from stethos.ceiling import provision"
    assert "True" in await board.run(f"{script}; print(provision(Board(read())))")


@pytest.mark.parametrize("link", LINKS)
async def test_a_room_that_gets_too_warm_raises_an_alarm_and_lights_the_lamp(
    tmp_path: Path, micropython: Path, link: str
) -> None:
    async with plant(tmp_path, micropython, link) as room:
        board = room.board
        async with board.alive():
            await plants.until(lambda: room.verdicts.get("accepted", 0) >= 3, "a heartbeat")
            assert ALARM not in await room.alarms()
            board.feels(celsius=31)
            await plants.until(lambda: any("pin 2 1" in said for said in board.said), "a lamp")
            assert "unacknowledged" in await room.listed(ALARM)
        assert set(room.verdicts) <= {"accepted", "resent"}
        assert not [said for said in board.said if "radio:" in said or "sensor:" in said]


async def test_a_sensor_that_is_unplugged_is_a_fault_and_no_alarm_of_the_room(
    tmp_path: Path, micropython: Path
) -> None:
    async with plant(tmp_path, micropython) as room, room.board.alive():
        await plants.until(lambda: room.verdicts.get("accepted", 0) >= 2, "a heartbeat")
        room.board.feels(celsius=None)
        assert ALARM not in await room.listed("node/room-1/sensor_fault")
        room.board.feels(celsius=24)
        while "returned" not in (listed := await room.alarms()) and "node/room-1/sensor_fault" in listed:
            assert len(room.board.said) < 120, listed
            await asyncio.sleep(LOOK_S)


async def test_a_reset_that_costs_what_sleep_keeps_repeats_no_number(tmp_path: Path, micropython: Path) -> None:
    async with plant(tmp_path, micropython) as room:
        for _ in range(2):
            async with room.board.alive():
                before = room.verdicts.get("accepted", 0)
                await plants.until(lambda before=before: room.verdicts.get("accepted", 0) >= before + 2, "news")
            (room.board.folder / "rtc.memory").unlink()
        assert set(room.verdicts) <= {"accepted", "resent"}


QUIET = "import sys\ntry:\n    import main\n    main.main()\nexcept SystemExit:\n    print(sorted(sys.modules))"


async def test_in_a_quiet_wake_nothing_that_sends_is_loaded(tmp_path: Path, micropython: Path) -> None:
    async with plant(tmp_path, micropython, heartbeat_ms=600_000) as room:
        async with room.board.alive():
            await plants.until(lambda: room.verdicts.get("accepted", 0) >= 2, "a Birth and a Health")
            wakes = len(room.board.said)
            await plants.until(lambda: len(room.board.said) > wakes, "the end of that wake")
        said = await room.board.run(QUIET)
        assert "'kept'" in said
        for name in ("exchange", "radios", "radios.wifi_udp", "stethos.envelope", "stethos.message", "sensors"):
            assert f"'{name}'" not in said


async def test_without_a_gateway_it_keeps_its_news_and_tells_them_later(tmp_path: Path, micropython: Path) -> None:
    async with plant(tmp_path, micropython) as room, room.board.alive():
        await plants.until(lambda: room.verdicts.get("accepted", 0) >= 2, "a heartbeat")
        assert await room.house.end_gateway() == 0
        room.board.feels(celsius=31)
        await plants.until(lambda: any("pin 2 1" in said for said in room.board.said), "a lamp")
        await room.house.start_gateway()
        await room.listed(ALARM, wakes=90)
        assert room.verdicts.get("accepted", 0) + room.verdicts.get("resent", 0) > 0


async def test_a_node_that_keeps_crashing_waits_for_somebody_with_a_cable(tmp_path: Path, micropython: Path) -> None:
    board = Board(micropython, tmp_path)
    board.write("key.json", {"id": "01020304", "secret": "00" * 16})
    board.write("node.json", ROOM | {"wake": 1, "radio": {"kind": "uart"}})
    assert [await board.wake() for _ in range(3)] == [60_000] * 3
    assert "node.json: wake is no key" in (tmp_path / "crash.txt").read_text()
    said = await board.run("import main; main.main(rest=lambda s: print('awake for', s))")
    assert "safe mode: 3 wakes in a row have failed" in said
    assert said.endswith("awake for 600\ndeepsleep 3600000\n")
    assert await board.wake() == 60_000  # one more attempt
    assert (tmp_path / "crashes").read_text() == "3"


INSTEAD = "import sys, main; main.make_node = lambda: {}; main.main(rest=lambda s: print('awake for', s))"
HANGS = INSTEAD.format("sys.exit(0)")
WELL = INSTEAD.format("type('Node', (), {'step': lambda self: 1000})()")


async def test_wakes_that_the_watchdog_ends_are_crashes_as_well(tmp_path: Path, micropython: Path) -> None:
    board = Board(micropython, tmp_path)
    board.feels(reset_cause=3)
    assert ["safe mode" in await board.run(HANGS) for _ in range(3)] == [False, False, True]
    assert "the watchdog has ended a wake" in (tmp_path / "crash.txt").read_text()
    board.feels(reset_cause=None)
    assert (await board.run(WELL)).endswith("deepsleep 1000\n")
    board.feels(reset_cause=3)
    assert "deepsleep 1000" in await board.run(WELL), "one that is over in time ends the row"
    assert (tmp_path / "crashes").read_text() == "0"


async def test_a_node_that_cannot_note_its_crash_sleeps_all_the_same(tmp_path: Path, micropython: Path) -> None:
    board = Board(micropython, tmp_path)
    (tmp_path / "crashes").mkdir()  # nothing can be written there
    assert await board.wake() == 60_000
    assert "not kept: crashes" in board.said[-1]


async def test_without_a_record_of_its_numbers_it_says_nothing(tmp_path: Path, micropython: Path) -> None:
    async with plant(tmp_path, micropython) as room:
        for slot in (0, 1):
            (room.board.folder / f"ceiling.{slot}").unlink()
        assert await room.board.wake() == 3_600_000
        assert "needs a new key" in room.board.said[-1]
        assert not room.verdicts


async def test_a_model_that_is_not_there_is_a_fault_of_the_node(tmp_path: Path, micropython: Path) -> None:
    async with plant(tmp_path, micropython, limits=None, model="model.cbor") as room, room.board.alive():
        await room.listed("node/room-1/sensor_fault")
        assert any("model: there is no stethos_native" in said for said in room.board.said)
