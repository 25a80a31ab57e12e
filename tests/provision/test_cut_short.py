"""Provisioning that ends anywhere: on a new board the host is killed before every single thing that it does to the
board or to the registry, and in the middle of a line to the board; elsewhere before every second or third, and the
cable is pulled as well. Run again, it leaves one node with one key.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from stethos.ceiling import Ceiling

from gateway.provision.provisioning import Begun, Order
from gateway.store.keys import NodeKey
from tests.micropython.native import built
from tests.provision.board import Board
from tests.provision.cut import ANYWHERE, ON_BOARD, Places, before_each, killed, processes, unplugged
from tests.provision.provisioned import MOTOR, key_on, keys, order, provision
from tests.system import plants

Cut = Callable[[Board, Path, Order, int], bool]


class Flash:
    """A board as an earlier provisioning has left it, to begin from again and again."""

    def __init__(self, firmware: Path, folder: Path, settings: dict[str, Any] | None) -> None:
        """`settings`: of the node old-1 that it is, and that has used numbers; None: new, but for most of the files,
        which are alike.
        """
        self.firmware, self.folder = firmware, folder
        self.key: NodeKey | None = None
        (folder / "state").mkdir(parents=True, mode=0o700)
        with Board(firmware, folder / "board") as board:
            board.feels(g=0.2)
            self.key = provision(board, folder / "state", order(folder, "old-1", settings or MOTOR))
            while next_number(board.files()) == 0:
                assert len(board.said) < 100_000, board.said[-1000:]
        if settings is None:
            self.key = None
            (folder / "state" / "nodes.sqlite3").unlink()
            for name in ("main.py", "key.json", "ceiling.0", "ceiling.1", "node.json"):
                (folder / "board" / name).unlink()

    @contextmanager
    def copy(self) -> Iterator[tuple[Board, Path]]:
        """The board, with power, and the gateway's folder."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        for name in ("board", "state"):
            shutil.copytree(self.folder / name, folder / name)
        (folder / "state").chmod(0o700)
        with Board(self.firmware, folder / "board") as board:
            yield board, folder / "state"


def next_number(files: dict[str, bytes]) -> int:
    """Of a node with these records."""

    class Records:
        def read(self, slot: int) -> bytes | None:
            return files.get(f"ceiling.{slot}")

    return int(Ceiling(Records()).next_partial_iv)


def is_whole(now: dict[str, bytes], before: dict[str, bytes], after: dict[str, bytes]) -> None:
    """What would start now is the node that was, or that is to be, or none; and no key has the numbers of another."""
    if "main.py" in now:
        program = {name for name in after if name.endswith((".py", "node.json"))}
        assert any(all(now.get(name) == then.get(name) for name in program) for then in (before, after))
    if "key.json" in now:
        if now["key.json"] == before.get("key.json"):
            assert next_number(now) >= next_number(before) > 0
        else:
            assert next_number(now) == 0


def interrupted(flash: Flash, wanted: Order, cut: Cut, at: int) -> bool:
    """One provisioning that is cut short at `at`, and another that is not. False: the first was not, either."""
    with flash.copy() as (board, state_dir):
        before = board.files()
        was_cut = cut(board, state_dir, wanted, at)
        left = board.files()
        if not board.powered:
            board.plug_in()
        key = provision(board, state_dir, wanted)
        after = board.files()
        if was_cut:  # else it is a node by now, and has used numbers
            is_whole(left, before, after)
        names = {wanted.name} | ({"old-1"} if flash.key else set())
        assert {known.name for known in keys(state_dir)} == names
        assert [known for known in keys(state_dir) if known.name == wanted.name] == [key]
        assert key_on(board) == (key.kid.hex(), key.secret.hex())
        assert not Begun(state_dir, wanted.name)
        assert not [name for name in after if name.endswith(".new")]
        return was_cut


def calls(flash: Flash, wanted: Order, places: Places) -> list[int]:
    """Numbers of all calls, and that of the end."""
    names: list[str] = []
    with flash.copy() as (board, state_dir), before_each(lambda n, what: names.append(what), places):
        provision(board, state_dir, wanted)
    return [*range(len(names) + 1)]


def every(flash: Flash, wanted: Order, cut: Cut, places: Places, step: int = 1) -> int:
    """Of a provisioning that is cut short at each of its calls (each `step`th from the last one), how many that were.
    They mostly wait, so four at a time.
    """
    numbers = calls(flash, wanted, places)[::-step]
    with ProcessPoolExecutor(4, processes) as four:  # CPython 3.11 parses no syntax trees in two threads at a time
        was_cut = [*four.map(partial(interrupted, flash, wanted, cut), numbers)]
    assert was_cut == [False] + [True] * (len(numbers) - 1)
    return len(numbers) - 1


@pytest.fixture(scope="module")
def new(micropython: Path, tmp_path_factory: pytest.TempPathFactory) -> Flash:
    return Flash(micropython, tmp_path_factory.mktemp("new"), None)


@pytest.fixture(scope="module")
def old(micropython: Path, tmp_path_factory: pytest.TempPathFactory) -> Flash:
    return Flash(micropython, tmp_path_factory.mktemp("old"), MOTOR)


def test_a_new_board_whose_host_is_killed(new: Flash, tmp_path: Path) -> None:
    wanted = order(tmp_path, "motor-1", MOTOR)
    assert every(new, wanted, killed, ANYWHERE) > 20


def test_another_nodes_board_whose_host_is_killed(old: Flash, tmp_path: Path) -> None:
    wanted = order(tmp_path, "motor-1", MOTOR, replace=True)
    assert every(old, wanted, killed, ANYWHERE, step=3) > 6


def test_another_nodes_board_whose_cable_is_pulled(old: Flash, tmp_path: Path) -> None:
    wanted = order(tmp_path, "motor-1", MOTOR, replace=True)
    assert every(old, wanted, unplugged, ON_BOARD, step=2) > 7


def test_a_node_that_gets_other_settings_and_a_model_whose_host_is_killed(old: Flash, tmp_path: Path) -> None:
    if why := built.why_not("x64"):
        pytest.skip(why)
    image = (plants.first_models() / "pump-node" / "image.cbor").read_bytes()
    native = built.mpy("x64") / built.MODULE
    wanted = order(tmp_path, "old-1", MOTOR | {"wake_ms": 5000}, model=image, native=native)
    assert every(old, wanted, killed, ANYWHERE, step=3) > 6
