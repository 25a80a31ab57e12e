"""docs/promises.md keeps to what there is: its tests exist, each promise has one, its figures are of the benches."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeGuard

import pytest

from tests.bench import page
from tests.bench.figures import NOT_FULL, Figure
from tests.bench.page import BEGIN, END, KEYS, filled

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
BENCHES = [*(ROOT / "tests" / "bench").glob("*.py"), ROOT / "tests" / "faults" / "__main__.py"]

NAMED = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")
LOOKS_LIKE_ONE = re.compile(r"\btest_\w+")
FIGURE = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
NAMES = ast.Constant | ast.JoinedStr
NOT_PROMISED = "What is not promised"


@cache
def names_in(file: str) -> frozenset[str]:
    """The tests of a file as pytest names them, without their parameters."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))

    def within(body: list[ast.stmt], prefix: str) -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield prefix + node.name
            elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
                yield from within(node.body, f"{prefix}{node.name}::")

    return frozenset(within(tree.body, ""))


def rows(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each row of the page's tables of promises: the section it stands in, and its cells."""
    section, header = "", True
    for line in text.partition("## Figures")[0].splitlines():
        if line.startswith("#"):
            section = line.lstrip("# ")
        if not line.startswith("|"):
            header = True
            continue
        if not header and not set(line) <= set("|-"):
            yield section, [cell.strip() for cell in line.strip("|").split("|")]
        header = False


def keys_written() -> set[str]:
    """The keys of figures that a bench writes, as patterns: what is filled in may be any word."""
    found = set()
    files = [file for file in BENCHES if not file.name.startswith("test_")]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    makers = {"Figure", *(node.name for tree in trees for node in ast.walk(tree) if returns_figure(node))}
    for tree in trees:
        for node in ast.walk(tree):
            match node:
                case ast.Dict():
                    pairs = [*zip(node.keys, node.values, strict=True)]
                case ast.DictComp():
                    pairs = [(node.key, node.value)]
                case ast.Assign(targets=[ast.Subscript(slice=key)]):
                    pairs = [(key, node.value)]
                case _:
                    continue
            found |= {pattern(key) for key, value in pairs if isinstance(key, NAMES) and is_figure(value, makers)}
    return found


def returns_figure(node: ast.AST) -> TypeGuard[ast.FunctionDef]:
    """Whether it is a function that says it makes a figure."""
    return isinstance(node, ast.FunctionDef) and node.returns is not None and ast.unparse(node.returns) == "Figure"


def is_figure(value: ast.expr, makers: set[str]) -> bool:
    """Whether an expression makes a figure: by its class or a function, or as the dict that goes into the file."""
    if isinstance(value, ast.Dict):
        return {key.value for key in value.keys if isinstance(key, ast.Constant)} == {"value", "unit", "how"}
    return isinstance(value, ast.Call) and ast.unparse(value.func) in makers


def pattern(key: ast.Constant | ast.JoinedStr) -> str:
    """What a key may be."""
    parts = key.values if isinstance(key, ast.JoinedStr) else [key]
    return "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"\w*" for part in parts)


@pytest.mark.parametrize(("file", "test"), sorted(set(NAMED.findall(PAGE))))
def test_a_test_that_is_named_exists(file: str, test: str) -> None:
    assert (ROOT / file).is_file(), file
    assert test in names_in(file)


def test_nothing_that_looks_like_a_test_is_named_without_its_file() -> None:
    named = {name for file, test in NAMED.findall(PAGE) for name in (Path(file).stem, test.rpartition(":")[2])}
    assert set(LOOKS_LIKE_ONE.findall(PAGE)) - named == {"test_promises"}


def test_every_promise_names_a_test() -> None:
    promises = [(section, cells) for section, cells in rows(PAGE) if section != NOT_PROMISED]
    assert len(promises) > 50
    assert [cells for _, cells in promises if not NAMED.search(cells[-1])] == []
    assert all(len(cells) == 3 and all(cells[:2]) for section, cells in rows(PAGE) if section == NOT_PROMISED)


def test_a_promise_without_a_test_is_found() -> None:
    made_up = "### MQTT\n\n| promise | test |\n|---|---|\n| All is well. | |\n| It is. | `tests/a.py::test_b` |\n"
    assert [bool(NAMED.search(cells[-1])) for _, cells in rows(made_up)] == [False, True]


def test_every_figure_is_one_that_a_bench_writes() -> None:
    written = [re.compile(key) for key in keys_written()]
    shown = {*KEYS, *FIGURE.findall(PAGE.partition(BEGIN)[2])}
    assert [key for key in shown if not any(known.fullmatch(key) for known in written)] == []
    assert not any(known.fullmatch("a_figure_that_nobody_measures") for known in written)


def test_no_number_stands_between_the_markers_by_hand() -> None:
    _, _, behind = PAGE.partition(BEGIN)
    between, end, _ = behind.partition(END)
    assert end
    assert all(re.match(r"\||\[\^\d+\]: |$", line) for line in between.splitlines())


def test_the_page_takes_the_figures_that_are_there() -> None:
    figures = {
        "kill9_lost": Figure(0, "messages", "so"),
        "kill9_doubled": Figure(0, "messages", "so"),
        "recovery_s": Figure(2.5, "s", f"{NOT_FULL}otherwise"),
        page.CPU + "open": Figure(12345.5, "us", "so"),
        "of_something_else": Figure(1, "", "unsaid"),
    }
    once = filled(f"before\n{BEGIN}old\n{END}after\n", figures)
    assert once == filled(once, figures)
    assert once.splitlines() == [
        "before",
        BEGIN.strip(),
        "| figure | value | unit | how |",
        "|---|---:|---|---|",
        "| `recovery_s` | 2.5 (not the full run) | s | [^1] |",
        "| `kill9_lost` | 0 | messages | [^2] |",
        "| `kill9_doubled` | 0 | messages | [^2] |",
        f"| `{page.CPU}open` | 12,345.5 | us | [^2] |",
        "",
        f"[^1]: {NOT_FULL}otherwise",
        "[^2]: so",
        END.strip(),
        "after",
    ]
    with pytest.raises(ValueError, match="unpack"):
        filled("no markers", figures)
