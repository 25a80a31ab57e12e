"""The module in C (nodes/micropython/native) on each machine that there is here: MicroPython's unix port with the .mpy
file, boards in QEMU with theirs, and a unix port that has the module within. All run the scripts of `board`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.micropython.native import built, vectors
from tests.micropython.native.built import MODULE, ROOT
from tests.micropython.native.emulated import BOARDS, Board

HERE = Path(__file__).parent
LIB = ROOT / "nodes" / "micropython" / "lib"
WIRE = ROOT / "nodes" / "wire"
SCRIPTS = (HERE.parent / "board", HERE / "board")


def mpy(arch: str, **settings: str) -> Path:
    """The folder of the module for a processor. Skips where it cannot be built."""
    if why := built.why_not(arch):
        pytest.skip(why)
    return built.mpy(arch, **settings)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the scripts run in."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("features", "vectors", "learner"):
        (folder / name).symlink_to(WIRE / name)
    vectors.write(folder / "models.json")
    return folder


Run = Callable[[str], str]


def run_here(micropython: Path, files: Path, native: Path | None, script: str) -> str:
    paths = [*([native] if native else []), *SCRIPTS, LIB]
    done = subprocess.run(
        [micropython, HERE / "board" / "begin.py", script], cwd=files, capture_output=True, text=True, check=False,
        env={"MICROPYPATH": os.pathsep.join(map(str, paths))},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


NEEDED = {
    "envelope": ("vectors/keys", "vectors/ccm", "vectors/envelope"),
    "features": tuple(f"features/{name}" for name in ("fixed", "statistics", "invariant", "slow", "principal")),
    "learners": ("learner/learner",),
    "models": ("models",),
    "damaged": ("learner/learner", "models"),
    "python_left": (),
}


def run_emulated(arch: str, firmware: Path, files: Path, native: Path, script: str) -> str:
    sent = {f"lib/stethos/{path.name}": path.read_bytes() for path in (LIB / "stethos").glob("*.py")}
    sent |= {f"scripts/{path.name}": path.read_bytes() for folder in SCRIPTS for path in folder.glob("*.py")}
    sent |= {f"{name}.json": (files / f"{name}.json").read_bytes() for name in NEEDED[script]}
    sent[f"lib/{MODULE}"] = (native / MODULE).read_bytes()
    with Board(BOARDS[arch], firmware, sent) as board:
        return board.run_to_exit("begin", script)


@pytest.fixture(scope="session")
def unix_with_module(micropython: Path) -> Path:
    """A unix port with the module and the node's files built in, as in a firmware of one's own."""
    return built.firmware()


@pytest.fixture(scope="session")
def boards(micropython: Path) -> Callable[[str], Path]:
    """By architecture, the firmware of the board in QEMU."""

    def firmware(arch: str) -> Path:
        board = BOARDS[arch]
        for tool in (board.emulator, built.compiler(arch)):
            if shutil.which(tool) is None:
                pytest.skip(f"{tool} not installed (deploy/system-packages test)")
        return built.board_firmware(board)

    return firmware


@pytest.fixture(params=["x64", "built in", *BOARDS])
def machine(request: pytest.FixtureRequest, micropython: Path, files: Path) -> Run:
    """Runs a script; gives what it has printed."""
    kind = request.param
    if kind == "x64":
        native = mpy("x64")
        return lambda script: run_here(micropython, files, native, script)
    if kind == "built in":
        unix = request.getfixturevalue("unix_with_module")
        return lambda script: run_here(unix, files, None, script)
    firmware, native = request.getfixturevalue("boards")(kind), mpy(kind)
    return lambda script: run_emulated(kind, firmware, files, native, script)
