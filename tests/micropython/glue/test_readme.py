"""nodes/micropython/README.md leads from unboxing to the first alarm: its commands are run as they stand there, with a
real gateway, and the unix port as the board.
"""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.config import Asset
from tests.micropython.conftest import ROOT
from tests.micropython.glue.test_node import ALARM, Plant, plant
from tests.system import plants

PAGE = (ROOT / "nodes" / "micropython" / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NO_BOARD = "/dev/ttyUSB0"


def desk(folder: Path) -> Path:
    """Where the commands are run: the checkout lies there, and a native module that somebody has built."""
    folder.mkdir()
    (folder / "nodes").symlink_to(ROOT / "nodes")
    (folder / "stethos_native.mpy").write_bytes(b"M\x06\x00\x1f")
    return folder


async def type_in(line: str, config: Path) -> tuple[int, str]:
    """Exit code and output of a command; `stethos` knows its configuration."""
    if not line.startswith("stethos "):
        return 0, await plants.run("/bin/sh", "-c", f"{line} 2>&1")
    arguments = shlex.split(line)[1:]
    where = [] if arguments[:2] == ["node", "check"] else ["-c", str(config)]
    ran = await asyncio.to_thread(CliRunner().invoke, main, [*arguments, *where])
    return ran.exit_code, ran.output


async def first_alarm(room: Plant) -> None:
    """What the page tells its reader to do with the sensor."""
    await plants.until(lambda: room.verdicts.get("accepted", 0) >= 2, "a heartbeat")
    room.board.feels(percent=61)
    await room.listed(ALARM)


async def test_each_command_of_the_page_does_what_it_says(
    tmp_path: Path, micropython: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk(tmp_path / "desk"))
    async with plant(tmp_path / "plant", micropython) as room, room.board.alive():
        said: dict[str, str] = {}
        for line in "".join(BLOCKS).splitlines():
            if line.startswith("stethos alarm list"):
                await first_alarm(room)
            code, said[line] = await type_in(line, room.house.config)
            assert (code, NO_BOARD in said[line]) == ((1, True) if NO_BOARD in line else (0, False)), said[line]
        assert "a sht3x of esp32-sht3x, over wifi_udp" in said["stethos node check node.json"]
        assert "room-1" in said["stethos node list"]
        assert ALARM in said["stethos alarm list"]
        assert "order" in said["stethos node mail"]
        await plants.until(lambda: any("pin 2 0" in text for text in room.board.said), "a lamp that is acknowledged")
        assert len([line for line in said if line.startswith("stethos node tell")]) == 7


def test_the_page_names_each_file_of_the_glue_and_no_other() -> None:
    folder = ROOT / "nodes" / "micropython"
    named = set(re.findall(r"`([a-z_]+\.py)`", PAGE)) | set(re.findall(r"`([a-z]+/)`", PAGE))
    there = {path.name for path in folder.glob("*.py")} - {"self_test.py"}
    assert there <= named
    assert json.loads((folder / "examples" / "room.json").read_text())["sensor"]["bus"]["scl"] == 22  # as on the page


def test_the_asset_on_the_page_is_one_that_the_gateway_takes() -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (asset,) = (Asset.model_validate(asset) for asset in tomllib.loads(text)["asset"])
    assert (asset.name, asset.nodes, asset.k) == ("room", ("room-1",), 1)
