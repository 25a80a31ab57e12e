"""MicroPython's unix port, and CPython in its place: the scripts in `board` run in both."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.nodes.conftest import library, node_build  # noqa: F401  the node in C

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
BUILT = ROOT / "build" / "micropython"
LIB = ROOT / "nodes" / "micropython" / "lib"

for folder in (LIB, HERE / "cpython"):
    sys.path.append(str(folder))  # for tests that import the node's modules


@pytest.fixture(scope="session")
def micropython() -> Path:
    """The unix port: build/micropython has the cross compiler (mpy-cross) and the source as well."""
    found = BUILT / "micropython"
    if not found.exists():
        pytest.skip("MicroPython is not built here: `make micropython` says why, or builds it")
    return found


def compile_to(folder: Path) -> Path:
    """What a node has, as .mpy files, and the scripts that hold it."""
    node = LIB.parent
    files = {path: path.relative_to(node) for path in node.rglob("*.py") if path.name != "manifest.py"}
    files = {path: Path(*to.parts[1:]) if to.parts[0] == "lib" else to for path, to in files.items()}
    files |= {HERE / "board" / f"{name}.py": Path(f"{name}.py") for name in ("check", "wake", "whole_wake")}
    for source, to in files.items():
        out = folder / to.with_suffix(".mpy")
        out.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([BUILT / "mpy-cross", "-s", to, "-o", out, source], check=True)
    return folder


@pytest.fixture(scope="session")
def compiled(micropython: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of .mpy files."""
    return compile_to(tmp_path_factory.mktemp("compiled"))


Run = Callable[..., str]


@pytest.fixture(params=["micropython", "cpython"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a script of `board` from the folder nodes/wire; gives what it has printed."""
    python = request.param == "cpython"
    command = [sys.executable] if python else [str(request.getfixturevalue("micropython"))]
    paths = [HERE / "board", LIB, *([HERE / "cpython"] if python else [])]
    env = {"PYTHONPATH" if python else "MICROPYPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(script: str, *arguments: object) -> str:
        done = subprocess.run(
            [*command, HERE / "board" / f"{script}.py", *map(str, arguments)],
            cwd=ROOT / "nodes" / "wire", env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    return run
