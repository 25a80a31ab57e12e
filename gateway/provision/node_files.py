"""Which files of nodes/micropython a node needs, and as what they go onto its board.

The files are those that main.py, one sensor and one radio import, directly or not. What is imported and lies in no file
of ours is the firmware's.
"""

from __future__ import annotations

import ast
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from gateway.provision.boards import BoardUnfit, Item, Software
from gateway.provision.mpy import Abi

MAIN = "main.py"
LIB = "lib"
NATIVE = "stethos_native.mpy"
SELF_TEST = "self_test.py"
"""Runs on the board, and is no file of it."""
_PLACES = (Path(__file__).parent / "micropython", Path(__file__).parents[2] / "nodes" / "micropython")


def default_folder() -> Path | None:
    """Where this gateway was installed with the node's files, or the checkout's."""
    return next((place for place in _PLACES if (place / MAIN).is_file()), None)


def needed(folder: Path, chip: str, radio: str) -> tuple[str, ...]:
    """Paths below `folder`, in alphabetical order, main.py among them. Raises BoardUnfit if the node's own are not
    there.
    """
    found: set[str] = set()
    waiting = ["main", f"sensors.{chip}", f"radios.{radio}"]
    for module in waiting:
        if _file(folder, module) is None:
            raise BoardUnfit(f"{folder}: has no {module.replace('.', '/')}.py: are these the files of a node?")
    while waiting:
        file = _file(folder, waiting.pop())
        if file is not None and file not in found:
            found.add(file)
            waiting += _imports(folder, file)
    return tuple(sorted(found))


def items(software: Software, chip: str, radio: str) -> Iterator[Item]:
    """The files as they lie on a board, main.py first. Raises BoardUnfit."""
    names = needed(software.files, chip, radio)
    for name in sorted(names, key=lambda name: name != MAIN):
        file = software.files / name
        if software.mpy_cross is None or name == MAIN:  # a firmware looks for main.py by this name only
            yield Item(name, file.read_bytes())
        else:
            yield Item(name.removesuffix(".py") + ".mpy", _compiled(software.mpy_cross, file, name))
    if software.native is not None:
        Abi.of_file(software.native)
        yield Item(NATIVE, software.native.read_bytes())


def _file(folder: Path, module: str) -> str | None:
    """The path of a module's file below `folder`."""
    path = module.replace(".", "/")
    for name in (f"{path}.py", f"{path}/__init__.py", f"{LIB}/{path}.py", f"{LIB}/{path}/__init__.py"):
        if (folder / name).is_file():
            return name
    return None


def _imports(folder: Path, file: str) -> Iterator[str]:
    """Names of what a file may import, as far as they stand there; every package on the way to a module as well."""
    package = file.removeprefix(f"{LIB}/").split("/")[:-1]
    for node in ast.walk(ast.parse((folder / file).read_bytes())):
        if isinstance(node, ast.Import):
            yield from _with_packages(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = [*start, *filter(None, [node.module])]
            yield from _with_packages([".".join(base), *(".".join([*base, alias.name]) for alias in node.names)])


def _with_packages(modules: Iterable[str]) -> Iterator[str]:
    for module in modules:
        parts = module.split(".")
        yield from (".".join(parts[:n]) for n in range(1, len(parts) + 1))


def _compiled(mpy_cross: Path, file: Path, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mpy"
        command = [str(mpy_cross), "-s", name, "-o", str(out), str(file)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise BoardUnfit(f"{mpy_cross}: {error.strerror}") from error
        if done.returncode:
            raise BoardUnfit(f"{mpy_cross}: {done.stderr.strip()}")
        return out.read_bytes()
