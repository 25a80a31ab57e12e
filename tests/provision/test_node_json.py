"""node.json: what the workstation lets through, the board understands; what it does not, it names."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.provision import node_json
from gateway.provision.node_json import NodeJson, NodeJsonInvalid

BOARD = Path(__file__).parents[2] / "nodes" / "micropython" / "settings.py"
LIS3DH = {"chip": "lis3dh", "bus": {"kind": "i2c", "id": 0, "scl": 22, "sda": 21}}
SHT3X = {**LIS3DH, "chip": "sht3x"}
UDP = {"kind": "wifi_udp", "ssid": "works", "key": "k", "gateway": "10.0.0.1:47200"}
LEAST = {"hardware": "esp32", "sensor": LIS3DH, "radio": UDP}
SETTLED = {"feature_set": 2, "learn": None, "window_every": 1}
"""What the workstation says to the board in any case."""
SPI = {"kind": "spi", "id": 1, "sck": 1, "mosi": 2, "miso": 3}


@pytest.fixture
def board() -> ModuleType:
    """settings.py, as the board imports it."""
    spec = importlib.util.spec_from_file_location("board_settings", BOARD)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(folder: Path, **changes: Any) -> NodeJson:
    file = folder / "node.json"
    file.write_text(json.dumps(LEAST | changes))
    return node_json.read(file)


def test_board_and_workstation_have_the_same_keys_and_defaults(board: ModuleType, tmp_path: Path) -> None:
    ours = json.loads(read(tmp_path).model_dump_json(exclude={"hardware", "sensor", "radio", *SETTLED}))
    theirs = board.Settings(LEAST | SETTLED)
    assert ours == {key: getattr(theirs, key) for key in ours}
    assert {*NodeJson.model_fields} == {*vars(theirs)}


def test_what_is_not_said_the_board_is_told(board: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is missing"):
        board.Settings(json.loads(node_json.compact(read(tmp_path))))
    settled, _ = node_json.settled(read(tmp_path))
    there = board.Settings(json.loads(node_json.compact(settled)))
    assert (there.feature_set, there.learn, there.window_every) == (5, {"windows": 240}, 0)


def test_what_is_checked_is_what_the_board_gets(board: ModuleType, tmp_path: Path) -> None:
    changes = {"sensor": SHT3X, "feature_set": 3, "limits": [[2000, 2800], [None, 5000]], "wake_ms": 5000}
    there = board.Settings(json.loads(node_json.compact(node_json.settled(read(tmp_path, **changes))[0])))
    assert (there.limits, there.wake_ms, there.listen_ms) == ([[2000, 2800], [None, 5000]], 5000, 400)
    assert there.sensor == SHT3X
    assert there.radio == UDP


def test_the_board_names_what_is_wrong(board: ModuleType) -> None:
    for values, fault in ((LEAST | SETTLED | {"wake": 1}, "wake is no key"), ({"hardware": "x"}, "sensor is missing")):
        with pytest.raises(ValueError, match=f"node.json: {fault}"):
            board.Settings(values)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"wake": 1}, "wake: unknown key; did you mean 'wake_ms'?"),
        ({"wake_ms": 50}, "wake_ms: Input should be greater than or equal to 100, not 50"),
        ({"wake_ms": "5"}, "wake_ms: Input should be a valid integer, not '5'"),
        ({"sensor": LIS3DH | {"chip": "lis2dh"}}, "sensor.chip: Input should be 'lis3dh'"),
        ({"sensor": LIS3DH | {"bus": {"kind": "i2c", "id": 0, "scl": 22}}}, "sensor.bus.sda: is missing"),
        ({"sensor": LIS3DH | {"bus": SPI}}, "cs goes with a bus of kind spi"),
        ({"sensor": SHT3X | {"bus": SPI, "cs": 5}}, "a sht3x is at i2c, not at spi"),
        ({"radio": UDP | {"gateway": "10.0.0.1"}}, "radio.gateway: '10.0.0.1' is not \"host:port\""),
        ({"radio": {"kind": "lora"}}, "radio.kind: there is no 'lora'; known here: wifi_udp, wifi_mqtt, uart"),
        ({"limits": [[1, 2]]}, "limits are for slow sensors"),
        ({"sensor": SHT3X, "feature_set": 3, "limits": [[1, 2]]}, "has 2 channels, and limits has 1"),
        ({"sensor": SHT3X, "feature_set": 3, "limits": [[2, 1], [1, 2]]}, "limits: 2 is not below 1"),
        ({"limits": [[1, 2]], "model": "model.cbor"}, "limits are for slow sensors"),
        ({"radio_min_mv": 2500}, "radio_min_mv without a battery"),
        ({"heartbeat_ms": 5000}, "heartbeat_ms is shorter than wake_ms"),
        ({"rate_millihz": 1000}, "a window takes 128000 ms"),
    ],
)
def test_every_fault_is_named_with_its_key(tmp_path: Path, changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(NodeJsonInvalid) as raised:
        read(tmp_path, **changes)
    assert fault in str(raised.value)
    assert str(tmp_path / "node.json") in str(raised.value)


def test_all_faults_at_once(tmp_path: Path) -> None:
    with pytest.raises(NodeJsonInvalid) as raised:
        read(tmp_path, wake_ms=1, samples=1, hardware="")
    assert len(str(raised.value).splitlines()) == 3


def test_from_the_command_line(tmp_path: Path) -> None:
    read(tmp_path)
    ran = CliRunner().invoke(main, ["node", "check", str(tmp_path / "node.json")])
    assert (ran.exit_code, "a lis3dh of esp32, over wifi_udp, wakes every 10 s" in ran.output) == (0, True)
    (tmp_path / "node.json").write_text("{")
    ran = CliRunner().invoke(main, ["node", "check", str(tmp_path / "node.json")])
    assert ran.exit_code == 1
    assert "line 1 column 2" in ran.output
    ran = CliRunner().invoke(main, ["node", "check", str(tmp_path / "none.json")])
    assert "No such file" in ran.output
