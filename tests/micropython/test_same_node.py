"""A node in MicroPython, in deep sleep after every wake, reports what the node in C does of the same samples."""

from __future__ import annotations

import ctypes
import json
import os
import random
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from gateway.wire import messages
from gateway.wire.envelope import Cipher, parse
from gateway.wire.keys import NodeKeys
from gateway.wire.messages import Birth, Command, Flag, Health, LearnerState, Result
from tests.micropython.conftest import HERE
from tests.micropython.native import built
from tests.nodes.core_board import KID, SECRET, Board, Flash, Gateway, Node
from tests.nodes.core_machine import ACKNOWLEDGE, FREEZE, LEARN, ROLL_BACK, SEND_LEARNER, SENSITIVITY, THAW

NO_ANSWER = 7
NOT_COMPARED = ("energy_uc",)  # what a board measures of itself


def recorded(library: ctypes.CDLL, windows: Iterable[list[int] | int], commands: dict[int, tuple[int, int | None]],
             node: dict[str, Any]) -> tuple[list[messages.UpMessage], list[list[str]]]:  # fmt: skip
    """What a node in C said of the windows, and the answers to each of its frames. `commands`: by wake."""
    board = Board(Flash())
    assert library.ceiling_provision(ctypes.byref(board.port))
    board.port.battery_load_mv = type(board.port.battery_load_mv)()
    gateway, answers = Gateway(board), []

    def take(frame: bytes) -> None:
        before = len(board.inbox)
        gateway.take(frame)
        answers.append([answer.hex() for answer in list(board.inbox)[before:]])

    board.on_send = take
    made = Node(library, board, **node)
    for wake, window in enumerate(windows):
        if wake in commands:
            gateway.mail = [Command(wake + 1, *commands[wake])]
        board.window = lambda n, window=window: window
        made.step()
    return gateway.received, answers


@pytest.fixture(scope="module")
def same(
    micropython: Path, compiled: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[list[Any], dict[str, int]]]:
    """Plays it to MicroPython, with the learner in C; gives what that said and how often it wrote each file. From .mpy
    files: each wake loads them anew.
    """
    if why := built.why_not("x64"):
        pytest.skip(why)
    paths = [built.mpy("x64"), HERE / "board", compiled]
    file = tmp_path_factory.mktemp("play") / "play.json"

    def play(**scenario: Any) -> tuple[list[Any], dict[str, int]]:
        file.write_text(json.dumps({"kid": KID.hex(), "secret": SECRET.hex()} | scenario))
        done = subprocess.run(
            [micropython, HERE / "board" / "node_again.py", file], capture_output=True, text=True,
            env={"MICROPYPATH": os.pathsep.join(map(str, paths))}, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        *wakes, writes = done.stdout.splitlines()
        up = Cipher.up(NodeKeys(KID, SECRET))
        frames = [bytes.fromhex(frame) for wake in wakes if wake[:5] == "wake " for frame in wake[5:].split()]
        return [messages.decode_up(up.open(parse(frame))) for frame in frames], json.loads(writes.split("}")[0] + "}")

    return play


def told(message: messages.UpMessage) -> dict[str, Any]:
    """But for what a board measures of itself."""
    found = message._asdict() | {"kind": type(message).__name__}
    return {name: value for name, value in found.items() if name not in NOT_COMPARED}


def shaking(draw: random.Random, n: int, channels: int, size: float) -> list[int]:
    """A window of a machine: noise about a standing value of each channel."""
    loud = size * draw.lognormvariate(0, 0.03)
    return [max(-32768, min(32767, round(200 * (i % channels) + draw.gauss(0, loud)))) for i in range(n * channels)]


def machine(seed: str, channels: int, learn: int) -> list[list[int] | int]:
    """It runs evenly, gets louder, is quiet again; the sensor drops out, and is turned round."""
    draw = random.Random(seed)
    course = [*[300.0] * (learn + 20), *[1500.0] * 12, *[300.0] * 25]
    windows: list[list[int] | int] = [shaking(draw, 128, channels, size) for size in course]
    windows += [NO_ANSWER, NO_ANSWER]
    windows += [[x + 9000 for x in shaking(draw, 128, channels, 300)] for _ in range(8)]
    return windows + [[x + 9000 for x in shaking(draw, 128, channels, 300)] for _ in range(learn + 12)]


def room(seed: str, channels: int, learn: int) -> list[list[int] | int]:
    """Readings that wander, one of them too high, one alone far off, and then they are restless."""
    draw, levels = random.Random(seed), [2400.0, 4000.0][:channels]
    windows: list[list[int] | int] = []
    for i in range(learn + 80):
        levels = [level + draw.gauss(0, 2) for level in levels]
        restless = 20 if i > learn + 60 else 3
        window = [round(levels[j % channels] + draw.gauss(0, restless)) for j in range(32 * channels)]
        if i in (10, learn + 30, learn + 31):
            window[5 * channels] = 2950
        if i == learn + 40:
            window[8 * channels] += 120
        windows.append(window)
    return windows


def still(seed: str, channels: int, learn: int) -> list[list[int] | int]:
    """A room in which nothing changes, of a sensor with coarse steps; then it is at the end of its range."""
    windows: list[list[int] | int] = [[2112] * (32 * channels) for _ in range(learn + 12)]
    return [*windows, *[[32767] * (32 * channels)] * 2, [2112] * (32 * channels)]


def hot(seed: str, channels: int, learn: int) -> list[list[int] | int]:
    """A room that is too warm for long, by its limits, and then is not."""
    draw = random.Random(seed)
    return [
        [round((2900 if i < 30 else 2400) + draw.gauss(0, 3)) for _ in range(32 * channels)] for i in range(learn + 60)
    ]


def wear(seed: str, channels: int, learn: int) -> list[list[int] | int]:
    """A machine that gets louder day by day."""
    draw = random.Random("w")
    return [shaking(draw, 64, channels, 300 * 1.001 ** max(i - learn, 0)) for i in range(learn + 300)]


LEARNED = 40
ABOVE, SATURATED, MOVED, DRIFTED, POINT, COLLECTIVE, HINDERED = 2, 5, 9, 10, 12, 14, 15
CASES: dict[str, tuple[Callable[..., list[Any]], int, dict[str, Any], dict[int, tuple[int, int | None]], set[int]]] = {
    "motor, statistics": (machine, 3, {"feature_set": 1}, {}, {MOVED, NO_ANSWER, 65}),
    "motor, invariant": (machine, 3, {"feature_set": 2}, {}, {NO_ANSWER, 64}),
    "motor, principal": (machine, 3, {"feature_set": 5}, {}, {NO_ANSWER, 64}),
    "wear": (wear, 3, {"feature_set": 1, "samples": 64}, {}, {DRIFTED}),
    "told": (machine, 1, {"feature_set": 1}, {
        5: (FREEZE, None), 6: (THAW, None), 7: (ROLL_BACK, None), 45: (SEND_LEARNER, None), 46: (SENSITIVITY, 1000),
        47: (LEARN, 24), 72: (SEND_LEARNER, None), 75: (ROLL_BACK, None), 76: (SEND_LEARNER, None), 77: (FREEZE, None),
        80: (SENSITIVITY, 2_000_000_000), 81: (LEARN, 70_000), 82: (THAW, None), 105: (ACKNOWLEDGE, None),
    }, {MOVED}),
    "moved": (machine, 3, {"feature_set": 1}, {103: (ACKNOWLEDGE, None)}, {MOVED}),
    "room": (room, 2, {"feature_set": 3, "limits": [[2000, 2800], [None, None]]}, {}, {ABOVE, POINT, COLLECTIVE}),
    "room in still air": (still, 2, {"feature_set": 3, "limits": [[2000, 2800], [None, None]]}, {}, {SATURATED}),
    "room that is too warm to learn": (
        hot, 2, {"feature_set": 3, "limits": [[2000, 2800], [None, None]]}, {}, {ABOVE, HINDERED},
    ),
    "room without a learner": (room, 1, {"feature_set": 3, "limits": [[2300, 2800]]}, {}, {ABOVE, POINT}),
}  # fmt: skip


def in_c(case: dict[str, Any], channels: int, learns: int) -> dict[str, Any]:
    """The same settings, as the node in C has them."""
    node = {name: case[name] for name in case if name != "limits"}
    pair = case.get("limits", [None])[0]
    return node | {"channels": channels, "learns": learns, "limits": tuple(pair) if pair else None}


@pytest.mark.parametrize("name", CASES)
def test_it_says_what_the_node_in_c_says(library, same, name):
    make, channels, settings, commands, whys = CASES[name]
    learns = 0 if "without" in name else LEARNED
    common = {"window_every": 1, "samples": 32 if make in (room, still, hot) else 128, "flag_repeat": 1,
              "heartbeat_ms": 60_000, "rate_millihz": 200_000, "wake_ms": 10_000, "listen_ms": 500}  # fmt: skip
    common |= settings
    windows = make(name, channels, learns)
    wanted, answers = recorded(library, windows, commands, in_c(common, channels, learns))
    node = {"hardware": "test", "sensor": None, "radio": None, "learn": {"windows": learns} if learns else None}
    said, writes = same(windows=windows, answers=answers, channels=channels, node=node | common)
    for i, (mine, theirs) in enumerate(zip(said, wanted, strict=False)):
        assert told(mine) == told(theirs), f"message {i}"
    assert len(said) == len(wanted)
    assert whys <= {message.why for message in wanted if isinstance(message, Flag)}
    assert len([message for message in wanted if isinstance(message, Result)]) == len(commands)
    if learns:
        assert any(isinstance(message, Birth) and message.more.learner for message in wanted)
        assert sum(writes.values()) < 4 * LEARNED, "flash wears"
    if name == "told":
        assert len([message for message in wanted if isinstance(message, LearnerState)]) == 2
        assert {message.code for message in wanted if isinstance(message, Result)} == {0, 2}


@pytest.mark.parametrize("spoils", [[], [20], [LEARNED + 5]])
def test_after_a_reset_it_goes_on_from_its_file(same, spoils):
    """What the node in C cannot: there the windows learned so far are gone. A file that is spoiled costs a window."""
    node = {"hardware": "test", "sensor": None, "radio": None, "feature_set": 1, "heartbeat_ms": 10_000,
            "window_every": 0, "learn": {"windows": LEARNED}}  # fmt: skip
    windows = machine("reset", 3, LEARNED)[: LEARNED + 10]
    said, _ = same(windows=windows, answers=[], channels=3, node=node, resets=[7, 20, 33, LEARNED + 5], spoils=spoils)
    last = [message.learner for message in said if isinstance(message, Health)][-1]
    assert (last.state, last.learned) == (2, LEARNED)
