"""The floors of the house: a module imports only what lies below it, and siblings never import each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "gateway"

LOW = {"wire", "links", "config", "mqtt"}
MIDDLE = {"outputs", "detectors", "store"}
BELOW_APP = {"runtime", "web", "training", "demo", "energy", "provision"} | MIDDLE | {"core"} | LOW

# What each part of the gateway may import of the others. "" is gateway/__init__.py: the version.
MAY_IMPORT: dict[str, set[str]] = {
    "": set(),
    "__main__": {"", "cli"},
    "cli": {"", "app", "configured", "extensions"} | BELOW_APP,
    "demo": {"", "app", "configured", "extensions"} | BELOW_APP - {"demo", "web"},  # beside app, may what cli may
    "app": {"", "configured", "extensions", "runtime", "web"} | MIDDLE | {"core"} | LOW,
    "configured": {"", "extensions", "runtime"} | MIDDLE | {"core"} | LOW,  # from the file to what app puts together
    "extensions": {"links", "outputs"},  # beside app: finds them by the name of their file
    "runtime": {""} | MIDDLE | {"core"} | LOW,
    "web": {""} | MIDDLE | {"core"} | LOW,
    "training": {"", "energy"} | MIDDLE | {"core"} | LOW,
    "outputs": {"", "core"} | LOW,
    "detectors": {"", "core"} | LOW,
    "store": {"", "core"} | LOW,
    "core": {"wire", "links", "config"},
    "wire": set(),
    "energy": set(),  # a table of currents and what follows from it
    "provision": {"", "store", "detectors"} | LOW,  # beside training: what a node goes through before its machine
    "links": {"mqtt"},
    "mqtt": set(),  # the connection to a broker, which a Link and an Output have
    "config": set(),
}

# A file of these folders is an extension of its own: it imports no other file of the folder but those named here.
EXTENSIONS = {"links": {"fields", "inbox"}, "outputs": set()}

PURE = {"core", "wire"}
IMPURE_MODULES = {
    "asyncio", "threading", "time", "logging", "structlog", "socket", "select", "selectors", "random", "secrets",
    "uuid", "os", "subprocess", "sqlite3", "tempfile", "numpy", "ai_edge_litert", "tensorflow", "prometheus_client",
}  # fmt: skip
CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}  # of datetime

DAEMON = {
    "app", "configured", "extensions", "runtime", "outputs", "links", "detectors", "store", "core", "wire", "config",
}  # fmt: skip
NEVER_IN_DAEMON = {"training", "demo", "provision"}

FILES = sorted((ROOT / PACKAGE).rglob("*.py"))


def module_of(file: Path) -> tuple[str, ...]:
    """Dotted path below `gateway`, without it: ("core", "engine"); () for gateway itself."""
    parts = file.relative_to(ROOT / PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports(file: Path) -> Iterator[tuple[str, ...]]:
    """Dotted paths of everything that a file imports, wherever in it; names from packages count as modules, too."""
    package = (PACKAGE, *file.relative_to(ROOT / PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield tuple(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            for alias in node.names:
                yield (*base, *(node.module or "").split("."), alias.name) if node.module else (*base, alias.name)


def parts_imported(file: Path) -> set[str]:
    """Parts of the gateway (first name below `gateway`, "" for the package itself) that a file imports."""
    parts = {path[1] if len(path) > 1 else "" for path in imports(file) if path[0] == PACKAGE}
    return {part if part in MAY_IMPORT else "" for part in parts}


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", FILES, ids=name)
def test_a_floor_imports_only_what_lies_below(file):
    part = (module_of(file) or ("",))[0]
    assert part in MAY_IMPORT, f"{part} has no place in the table"
    assert not parts_imported(file) - MAY_IMPORT[part] - {part}


@pytest.mark.parametrize("file", [f for f in FILES if (module_of(f) or ("",))[0] in PURE], ids=name)
def test_the_pure_floors_have_no_clock_no_input_and_no_chance(file):
    assert not {path[0] for path in imports(file)} & IMPURE_MODULES
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert not {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & CLOCKS
    called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    assert not called & {"open", "print", "input", "hash", "id"}


@pytest.mark.parametrize("file", [f for f in FILES if (module_of(f) or ("",))[0] in EXTENSIONS], ids=name)
def test_an_extension_imports_no_other(file):
    folder, *rest = module_of(file)
    if rest and rest[0] not in EXTENSIONS[folder]:
        inside = {path[2] for path in imports(file) if path[:2] == (PACKAGE, folder) and len(path) > 2}
        others = {other for other in inside if is_module(ROOT / PACKAGE / folder / other)}
        assert not others - EXTENSIONS[folder] - {rest[0]}


def is_module(path: Path) -> bool:
    return path.is_dir() or path.with_suffix(".py").is_file()


def test_the_daemon_never_trains_and_never_plays():
    table = {part for start in DAEMON for part in reachable(start)}
    assert not table & NEVER_IN_DAEMON


def reachable(start: str) -> set[str]:
    """Every part that a part leads to, by what is imported and not by what is allowed."""
    leads = {
        part: {p for f in FILES if (module_of(f) or ("",))[0] == part for p in parts_imported(f)} for part in MAY_IMPORT
    }
    seen, open_parts = set[str](), {start}
    while open_parts:
        part = open_parts.pop()
        seen.add(part)
        open_parts |= leads[part] - seen
    return seen


def test_the_table_is_a_house():
    """Nobody is above himself: what may be imported never leads back."""

    def above(part: str, path: tuple[str, ...] = ()) -> None:
        assert part not in path, " → ".join((*path, part))
        for below in MAY_IMPORT[part]:
            above(below, (*path, part))

    for part in MAY_IMPORT:
        above(part)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import gateway.store.journal", {"store"}),
        ("from gateway import app", {"app"}),
        ("from gateway.core import engine", {"core"}),
        ("from gateway import __version__", {""}),
        ("def f():\n    from gateway.demo.plant import x", {"demo"}),
        ("from . import engine", {"core"}),
        ("from ..store import journal", {"store"}),
        ("import gateways", set()),
    ],
)
def test_the_reader_of_imports(source, found, tmp_path, monkeypatch):
    file = tmp_path / PACKAGE / "core" / "x.py"
    file.parent.mkdir(parents=True)
    file.write_text(source, encoding="utf-8")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert parts_imported(file) == found
