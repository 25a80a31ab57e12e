"""What provisioning decides, refuses and says, at a board and without one."""

from __future__ import annotations

import importlib.util
import json
import os
from binascii import crc32
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cbor2
import numpy as np
import pytest
import serial
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli import main
from gateway.provision import micropython_board, node_files, node_json
from gateway.provision.boards import BoardFailed, BoardUnfit, Held, Software, mark
from gateway.provision.label import Label
from gateway.provision.mpy import ARCHITECTURES, Abi
from gateway.provision.provisioning import ProvisionRefused, SelfTestFailed, Step, decide, with_model
from gateway.store.keys import NodeKey
from gateway.training import features
from gateway.wire.envelope import Cipher
from gateway.wire.keys import NodeKeys
from tests.micropython.native import built
from tests.provision import provisioned
from tests.provision.board import Board
from tests.provision.cut import ON_BOARD, before_each
from tests.provision.provisioned import FILES, MOTOR, ROOM, key_on, keys, order, provision

KEY = NodeKey("pump-1", b"\1\2\3\4", bytes(16), 0, 0)
OURS = Held(KEY.kid, mark(KEY.kid, KEY.secret), True)
CORTEX_M = [name for name in ARCHITECTURES if name.startswith(("armv6m", "armv7"))]


def mpy(folder: Path, arch: str, *, version: int = 6, sub: int = 3) -> Path:
    file = folder / f"{arch}.mpy"
    file.write_bytes(bytes((0x4D, version, ARCHITECTURES.index(arch) << 2 | sub, 31)))
    return file


@pytest.mark.parametrize(
    ("held", "known", "begun", "replace", "step"),
    [
        (None, None, False, False, Step.ADD),
        (None, None, True, False, Step.ADD),  # killed before it was registered
        (None, KEY, True, False, Step.REKEY),  # killed before the key was on the board
        (None, KEY, False, False, "take the place"),
        (None, KEY, False, True, Step.REKEY),
        (OURS, KEY, False, False, Step.KEEP),
        (OURS, KEY, False, True, Step.KEEP),
        (Held(KEY.kid, OURS.mark, False), KEY, False, False, Step.REKEY),  # its numbers are lost
        (Held(KEY.kid, mark(KEY.kid, b"1" * 16), True), KEY, False, False, Step.REKEY),  # the secret before
        (Held(b"9999", b"", True), KEY, False, False, "the key on this board is one of another gateway"),
        (Held(b"9999", b"", True), None, True, False, "the key on this board is one of another gateway"),
        (Held(b"9999", b"", True), KEY, True, True, Step.REKEY),
        (Held(b"9999", b"", True), None, False, True, Step.ADD),
    ],
)
def test_what_becomes_of_the_key(
    held: Held | None, known: NodeKey | None, begun: bool, replace: bool, step: Step | str
) -> None:
    if isinstance(step, Step):
        assert decide("pump-1", held, known, owner=None, begun=begun, replace=replace) is step
    else:
        with pytest.raises(ProvisionRefused, match=step):
            decide("pump-1", held, known, owner=None, begun=begun, replace=replace)


@given(st.booleans(), st.booleans(), st.binary(min_size=32, max_size=32), st.booleans())
def test_a_key_stays_only_on_the_board_that_has_it(begun: bool, replace: bool, other: bytes, counts: bool) -> None:
    held = Held(KEY.kid, other, counts)
    assert decide("pump-1", held, KEY, owner="pump-1", begun=begun, replace=replace) is not Step.KEEP


def test_another_nodes_board_is_taken_only_when_told(board: Board, state_dir: Path, tmp_path: Path) -> None:
    board.feels(g=0.2)
    first = provision(board, state_dir, order(tmp_path, "motor-1", MOTOR))
    with pytest.raises(ProvisionRefused, match="the key on this board is motor-1's"):
        provision(board, state_dir, order(tmp_path, "motor-2", MOTOR))
    assert (keys(state_dir), key_on(board)) == ((first,), (first.kid.hex(), first.secret.hex()))
    second = provision(board, state_dir, order(tmp_path, "motor-2", MOTOR, replace=True))
    assert (keys(state_dir), key_on(board)) == ((first, second), (second.kid.hex(), second.secret.hex()))


def test_a_full_board_says_so_and_goes_on_when_there_is_room(board: Board, state_dir: Path, tmp_path: Path) -> None:
    board.feels(g=0.2)

    def fills(_n: int, what: str) -> None:
        if what.startswith("write_file node.py.new"):
            (board.folder / "node.py.new").symlink_to("/dev/full")

    with (
        before_each(fills, ON_BOARD),
        pytest.raises(BoardFailed, match=r"node\.py\.new: No space left on device \(ENOSPC\)"),
    ):
        provision(board, state_dir, order(tmp_path, "motor-1", MOTOR))
    assert "main.py" not in board.files()
    key = provision(board, state_dir, order(tmp_path, "motor-1", MOTOR))
    assert keys(state_dir) == (key,)


def test_what_the_board_cannot_take_changes_nothing(board: Board, state_dir: Path, tmp_path: Path) -> None:
    before = board.files()
    wanted = order(tmp_path, "motor-1", MOTOR, native=mpy(tmp_path, "armv7m"))
    with pytest.raises(
        BoardUnfit, match=r"is for \.mpy version 6\.3, armv7m code; this board takes version 6\.3, x64 code"
    ):
        provision(board, state_dir, wanted)
    image = cbor2.dumps([2, 2, 3, 256])
    said = MOTOR | {"feature_set": 1, "samples": 128}
    with pytest.raises(BoardUnfit, match=r"feature_set: the model is made for 2, and node\.json says 1\nsamples: "):
        provision(board, state_dir, order(tmp_path, "motor-1", said, model=image))
    image = cbor2.dumps([2, 1, 3, 128])
    with pytest.raises(BoardUnfit, match="in C only"):
        provision(board, state_dir, order(tmp_path, "motor-1", MOTOR, model=image))
    with pytest.raises(BoardUnfit, match="wants a model"):
        provision(board, state_dir, order(tmp_path, "motor-1", MOTOR | {"model": "model.cbor"}))
    assert (board.files(), keys(state_dir)) == (before, ())


def test_a_sensor_that_is_not_there_keeps_the_board_from_starting(
    board: Board, state_dir: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    with pytest.raises(SelfTestFailed, match="sensor: NoAnswerError"):
        provision(board, state_dir, order(tmp_path, "motor-1", MOTOR), said)
    assert "self-test: features: passed (feature set 5)" in said
    assert "main.py" not in board.files()


def test_what_an_earlier_program_has_left_is_not_in_the_way(board: Board, state_dir: Path, tmp_path: Path) -> None:
    board.feels(g=0.2)
    for name in (
        "sensors/bme280.py",
        "node.mpy",
        "lib/stethos/ring.mpy",
        "talk.py.new",
        "stethos_native.mpy",
        "boot.py",
    ):
        (board.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (board.folder / name).write_bytes(b"")
    provision(board, state_dir, order(tmp_path, "motor-1", MOTOR))
    left = board.files()
    assert "boot.py" in left
    assert not {"sensors/bme280.py", "node.mpy", "lib/stethos/ring.mpy", "talk.py.new", "stethos_native.mpy"} & {*left}


def test_no_board_at_the_port(tmp_path: Path) -> None:
    with pytest.raises(BoardFailed, match="there is no such port"):
        micropython_board.open_board(str(tmp_path / "tty"), 115200, 0.1)
    near, far = os.openpty()
    try:
        assert micropython_board.open_board(os.ttyname(far), 115200, 0.3) is None
        with serial.Serial(os.ttyname(far), exclusive=True), pytest.raises(BoardFailed, match="does another program"):
            micropython_board.open_board(os.ttyname(far), 115200, 0.3)
    finally:
        os.close(near)
        os.close(far)


def test_the_command_names_what_is_wrong(tmp_path: Path) -> None:
    config, settings = tmp_path / "stethos.toml", tmp_path / "node.json"
    text = (Path(__file__).parents[2] / "deploy" / "stethos.toml").read_text()
    config.write_text(text.replace("/var/lib/stethos", str(tmp_path / "state")))
    settings.write_text(json.dumps(ROOM | {"wake_ms": 1, "samples": 1}))
    arguments = ["node", "provision", "room-1", "--port", str(tmp_path / "tty"), "--settings", str(settings)]
    ran = CliRunner().invoke(main, [*arguments, "-c", str(config)])
    assert ran.exit_code == 1
    assert "wake_ms: " in ran.output
    assert "samples: " in ran.output
    settings.write_text(json.dumps(ROOM))
    ran = CliRunner().invoke(main, [*arguments, "-c", str(config)])
    assert (ran.exit_code, "there is no such port" in ran.output) == (1, True)


def told(folder: Path, settings: dict[str, Any], without: str = "", model: bytes | None = None) -> tuple[Any, str]:
    """What becomes of a node.json, and what is said of it."""
    settled, lines = node_json.settled(with_model(order(folder, "n", settings).settings, model), without)
    assert node_json.settled(settled, without)[0] == settled, "what is settled is said"
    return settled, "\n".join(lines)


def test_a_node_learns_where_it_is_mounted_unless_told_otherwise(tmp_path: Path) -> None:
    motor, said = told(tmp_path, MOTOR)
    assert (motor.feature_set, motor.learn.windows, motor.window_every) == (5, 240, 0)
    assert "features: principal, set 5" in said
    assert "from 240 windows (" in said
    wide, said = told(tmp_path, MOTOR | {"feature_set": 2})
    assert wide.learn.windows == 200
    assert "from 200 windows, as many as fit of 16 features" in said
    slower, said = told(tmp_path, MOTOR | {"rate_millihz": 65_000})
    assert (slower.feature_set, slower.learn.windows) == (1, 240)
    assert "from 240 windows (" in said
    room, _ = told(tmp_path, {key: ROOM[key] for key in ROOM if key != "feature_set"})
    assert (room.feature_set, room.learn.windows) == (3, 240)
    off, said = told(tmp_path, ROOM | {"learn": None})
    assert (off.learn, off.window_every, said) == (None, 0, "")
    blind, said = told(tmp_path, MOTOR | {"learn": None})
    assert (blind.learn, blind.window_every) == (None, 1)
    assert 'every window goes to the gateway, to be judged there: model = "learner"' in said


def test_a_board_that_cannot_learn_is_told_of_and_gets_what_it_can(tmp_path: Path) -> None:
    why = "there is no native module"
    motor, said = told(tmp_path, MOTOR, why)
    assert (motor.learn, motor.window_every) == (None, 1)
    assert f"does not learn what is normal where it is mounted: {why}; every window goes to the gateway" in said
    room, said = told(tmp_path, ROOM, why)
    assert (room.learn, room.window_every) == (None, 0)
    assert f"{why}; its limits alone judge" in said
    asked, said = told(tmp_path, MOTOR | {"learn": {"windows": 24}}, why)
    assert asked.learn.windows == 24, "what is asked for by name is refused by the board, not left out"


def test_a_model_says_what_node_json_does_not_and_stands_alone_only_by_wish(tmp_path: Path) -> None:
    image = cbor2.dumps([2, 1, 3, 256])
    both, said = told(tmp_path, MOTOR, model=image)
    assert (both.feature_set, both.samples, both.learn.windows, both.window_every) == (1, 256, 240, 0)
    assert "beside its model, from what that finds normal" in said
    alone, said = told(tmp_path, MOTOR | {"learn": None}, model=image)
    assert (alone.learn, alone.window_every, said) == (None, 0, "")
    with pytest.raises(BoardUnfit, match="watchdog_ms is shorter than a wake"):
        told(tmp_path, MOTOR | {"rate_millihz": 3000}, model=image)


def test_a_model_that_hears_more_than_a_board_holds_is_refused(tmp_path: Path) -> None:
    image: list[Any] = [3, 1, 3, 256, 0, [], 0, b"", [], 2, 1, 0, [128, 64, 16, 3, 0]]
    told(tmp_path, MOTOR, model=cbor2.dumps(image))
    image[12][3] = 4
    with pytest.raises(BoardUnfit, match="the model hears 320 samples in one go, and a board holds the 256"):
        told(tmp_path, MOTOR, model=cbor2.dumps(image))


def test_whether_a_native_module_has_the_learner_is_seen_before_it_is_on_a_board(
    board: Board, state_dir: Path, tmp_path: Path
) -> None:
    if why := built.why_not("x64"):
        pytest.skip(why)
    native, without = built.mpy("x64") / built.MODULE, tmp_path / "without.mpy"
    without.write_bytes(native.read_bytes().replace(micropython_board._LEARNER, b"x" * len(micropython_board._LEARNER)))
    opened = micropython_board.open_board(str(board.port), 115200, 10)
    assert opened
    try:
        found = {}
        for file in (native, without, None):
            settings, lines = opened.settled(order(tmp_path, "n", MOTOR).settings, None, Software(FILES, file))
            found[file] = bool(settings.learn), lines[-1]
    finally:
        opened.close()
    assert found[native][0]
    assert not found[without][0] and "without.mpy was made without the learner" in found[without][1]
    assert not found[None][0] and "there is no native module for this board (--native)" in found[None][1]


@pytest.mark.parametrize("board", CORTEX_M)
def test_a_board_takes_what_its_processor_runs(board: str) -> None:
    takes = Abi(6, 3, ARCHITECTURES.index(board))
    taken = [name for n, name in enumerate(ARCHITECTURES) if takes.takes(Abi(6, 3, n))]
    assert taken == ["no", *CORTEX_M[: CORTEX_M.index(board) + 1]]


def test_a_board_takes_its_own_version_alone(tmp_path: Path) -> None:
    takes = Abi.of(2822)  # what sys.implementation._mpy is in the unix port of MicroPython 1.25
    assert str(takes) == "version 6.3, x64 code"
    assert takes.takes(Abi.of_file(mpy(tmp_path, "x64")))
    assert takes.takes(Abi.of_file(mpy(tmp_path, "no", sub=0)))
    assert not takes.takes(Abi.of_file(mpy(tmp_path, "x64", sub=2)))
    assert not takes.takes(Abi.of_file(mpy(tmp_path, "no", version=5)))
    (tmp_path / "text.mpy").write_text("import")
    with pytest.raises(BoardUnfit, match=r"is no \.mpy file"):
        Abi.of_file(tmp_path / "text.mpy")


def test_a_board_gets_what_its_sensor_and_radio_need() -> None:
    names = {*node_files.needed(provisioned.FILES, "sht3x", "wifi_udp")}
    assert {"main.py", "node.py", "settings.py", "sensors/sht3x.py", "radios/wifi.py", "lib/stethos/native.py"} <= names
    assert not names & {"sensors/lis3dh.py", "radios/mqtt.py", "self_test.py", "lib/stethos/frame.py"}
    assert "lib/stethos/frame.py" in node_files.needed(provisioned.FILES, "sht3x", "uart")
    with pytest.raises(BoardUnfit, match=r"has no sensors/thermometer\.py"):
        node_files.needed(provisioned.FILES, "thermometer", "uart")


def test_every_sensor_and_radio_can_be_had() -> None:
    for chip in node_json_chips():
        for radio in ("wifi_udp", "wifi_mqtt", "uart"):
            assert f"sensors/{chip}.py" in node_files.needed(provisioned.FILES, chip, radio)


def node_json_chips() -> list[str]:
    return [*micropython_board.NodeJson.model_json_schema()["$defs"]["Sensor"]["properties"]["chip"]["enum"]]


def test_the_label_has_all_but_the_secret() -> None:
    label = Label("pump-1", b"\1\2\3\4", "works")
    assert label.code == "stethos:works/pump-1?id=01020304"
    assert label.terminal().splitlines()[-3:] == ["pump-1", "id 01020304", "site works"]
    drawn = ElementTree.fromstring(label.svg())
    svg = "{http://www.w3.org/2000/svg}"
    assert [text.text for text in drawn.iter(f"{svg}text")] == ["pump-1", "id 01020304", "site works"]
    assert drawn.find(f"{svg}path") is not None


def self_test() -> Any:
    """nodes/micropython/self_test.py."""
    spec = importlib.util.spec_from_file_location("self_test", provisioned.FILES / "self_test.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_self_test_knows_what_the_gateway_makes_of_the_same() -> None:
    board = self_test()
    samples = np.array(board.window(), dtype=np.int16).reshape(-1, board._CHANNELS)
    for set_, known in board._KNOWN.items():
        assert crc32(features.compute(set_, samples).astype("<i4").tobytes()) == known
    sealed = Cipher.up(NodeKeys(bytes(4), bytes(16))).seal(0, b"self-test")
    assert crc32(sealed) == board._SEALED
