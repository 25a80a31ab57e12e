"""Nothing grows without a bound: no queue is made without one, and docs/bounds.md says what the code says."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "gateway").rglob("*.py"))
PAGE = (ROOT / "docs" / "bounds.md").read_text(encoding="utf-8")
QUEUES = {"Queue", "LifoQueue", "PriorityQueue", "deque"}
NEVER_BOUNDED = {"SimpleQueue", "cache"}
CACHES = {"lru_cache"}

NAMED = re.compile(r"`(gateway/[a-z_/]+\.py)` `([A-Z_]+) = (\d+)`")
OF_FILE = re.compile(r"\(`(gateway/[a-z_/]+\.py)`\)")
OUTSIDE = {"stethos_library_messages_total", "journal_space", "output_behind"}


def name_of(call: ast.expr) -> str:
    """The last word of what is called."""
    if isinstance(call, ast.Subscript):
        return name_of(call.value)
    return call.attr if isinstance(call, ast.Attribute) else call.id if isinstance(call, ast.Name) else ""


def bound_of(call: ast.Call) -> ast.expr | None:
    """The argument that bounds a queue or a cache."""
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    at = 1 if name_of(call.func) == "deque" else 0
    return keywords.get("maxlen") or keywords.get("maxsize") or (call.args[at] if len(call.args) > at else None)


def made_in(source: str) -> Iterator[tuple[int, str, ast.Call]]:
    """Line, name and call of every queue and cache that is made."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and name_of(node.func) in QUEUES | NEVER_BOUNDED | CACHES:
            yield node.lineno, name_of(node.func), node


def unbounded(source: str) -> list[str]:
    """What is made without a bound; None and numbers below 1 are none."""
    found = []
    for line, name, call in made_in(source):
        bound = bound_of(call)
        missing = bound is None and name in QUEUES
        if name in NEVER_BOUNDED or missing or (bound is not None and ast.unparse(bound) in ("None", "0", "-1")):
            found.append(f"{name} in line {line}")
    return found


def test_no_queue_is_without_a_bound() -> None:
    elsewhere = {path for row in rows() if row[1].startswith("held by who") for path in OF_FILE.findall(row[0])}
    for file in FILES:
        path = str(file.relative_to(ROOT))
        found = unbounded(file.read_text(encoding="utf-8"))
        assert not found or path in elsewhere, f"{path}: {found}"


@pytest.mark.parametrize(
    "source",
    [
        "asyncio.Queue()", "asyncio.Queue[int]()", "Queue(maxsize=0)", "Queue(0)", "deque()", "deque([])",
        "SimpleQueue()", "deque([], None)", "deque(maxlen=None)", "lru_cache(maxsize=None)(f)",
        "functools.lru_cache(None)",
        "queue.PriorityQueue(-1)",
    ],
)  # fmt: skip
def test_the_test_finds_what_is_unbounded(source: str) -> None:
    assert unbounded(source)


@pytest.mark.parametrize(
    "source", ["asyncio.Queue(7)", "Queue(WAITING)", "deque(maxlen=9)", "deque([], 9)", "lru_cache(f)"]
)
def test_and_not_what_is_bounded(source: str) -> None:
    assert not unbounded(source)


def test_every_queue_is_on_the_page() -> None:
    listed = set(OF_FILE.findall(PAGE))
    with_queues = {
        str(file.relative_to(ROOT))
        for file in FILES
        if any(name in QUEUES for _, name, _ in made_in(file.read_text(encoding="utf-8")))
    }
    assert with_queues <= listed
    assert all((ROOT / path).is_file() for path in listed)


@pytest.mark.parametrize(("path", "name", "value"), NAMED.findall(PAGE))
def test_a_bound_is_what_the_code_says(path: str, name: str, value: str) -> None:
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    assert getattr(module, name) == int(value)


def rows() -> list[list[str]]:
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")
    ]
    return [row for row in cells if row[0] != "what"]


def test_every_counter_on_the_page_is_counted() -> None:
    words = {
        node.value
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    counters = {name for row in rows() for name in re.findall(r"`([a-z_]+)`", row[3])}
    assert len(counters) > 12
    assert counters - OUTSIDE <= words


def test_every_alarm_on_the_page_is_one_of_the_gateways() -> None:
    alarms = {name for row in rows() for name in re.findall(r"`([a-z_]+)`", row[4])}
    assert alarms == {"journal_space", "output_behind"}


def test_every_row_says_what_happens() -> None:
    assert len(rows()) > 30
    assert all(len(row) == 5 and row[1] for row in rows())


def test_the_bound_of_the_memory_is_on_the_page_with_what_tells_before() -> None:
    [row] = [row for row in rows() if row[0].startswith("memory of")]
    assert "`MemoryMax`" in row[1]
    assert "gateway/runtime/memory.py" in row[1]
    unit = (ROOT / "deploy" / "systemd" / "stethos.service").read_text(encoding="utf-8")
    assert re.search(r"^MemoryMax=\d", unit, re.MULTILINE)
    metrics = (ROOT / "gateway" / "runtime" / "metrics.py").read_text(encoding="utf-8")
    assert all(f'"{name}"' in metrics for name in re.findall(r"`(stethos_[a-z]+_[a-z_]*(?:bound|bytes))`", PAGE))
