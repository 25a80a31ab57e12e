"""What the core must not contain: state of its own, floating point, a C library, a board."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "nodes" / "c_tflm" / "core"
SOURCES = sorted(CORE.glob("*.c"))
ALLOWED = {"memcpy", "memmove", "memset", "memcmp"}
COMPILE = ("cc", "-std=c11", "-O2", "-mgeneral-regs-only", "-fno-stack-protector", "-fno-pic", "-c")
SIZES = {"ring.h": "RING_BYTES", "learner.h": "LEARNER_BYTES", "feature_set.h": "FEATURE_SETS"}
"""What a board may set on the compiler's command line."""
INCLUDE = re.compile(r'#include ["<](.*)[">]')
HEADERS = {"stdbool.h", "stddef.h", "stdint.h", "string.h"}


@pytest.fixture(scope="module")
def symbols(node_build: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, str]]:
    """(file, type, name) of every symbol; compiling without floating-point registers refuses floating point."""
    folder = tmp_path_factory.mktemp("core")
    include = [f"-I{CORE}", f"-I{CORE.parent / 'infer'}", f"-I{node_build / 'gen'}"]
    found = []
    for source in SOURCES:
        out = folder / f"{source.stem}.o"
        subprocess.run([*COMPILE, *include, "-o", str(out), str(source)], check=True)
        lines = subprocess.run(["nm", str(out)], check=True, capture_output=True, text=True).stdout.splitlines()
        found += [(source.name, line.split()[-2], line.split()[-1]) for line in lines]
    return found


def test_no_state_of_its_own(symbols):
    assert [symbol for symbol in symbols if symbol[1] in "bBdDC"] == []


def test_nothing_of_the_c_library_but_moving_memory(symbols):
    """Nor a model or its engine by name: a firmware that opens no model is without them."""
    ours = re.compile("cbor_|_GLOBAL_OFFSET_TABLE_$")
    defined = {name for _, kind, name in symbols if kind in "tTrR"}
    outside = {name for _, kind, name in symbols if kind == "U"} - defined - ALLOWED
    assert {name for name in outside if not ours.match(name)} == set()


@pytest.mark.parametrize(
    "named", [("STATISTICS",), ("INVARIANT", "SLOW"), ("PRINCIPAL",), ("STATISTICS", "INVARIANT", "SLOW", "PRINCIPAL")]
)
def test_feature_sets_that_are_not_named_are_not_linked(tmp_path, named):
    out = tmp_path / "feature_set.o"
    sets = "|".join(f"FEATURE_SET_BIT_{name}" for name in named)
    command = [*COMPILE, f"-DFEATURE_SETS=({sets})", f"-I{CORE}", "-o", str(out), str(CORE / "feature_set.c")]
    subprocess.run(command, check=True)
    lines = subprocess.run(["nm", "-u", str(out)], check=True, capture_output=True, text=True).stdout.split()
    assert {name for name in lines if name.startswith("features_")} == {f"features_{name.lower()}" for name in named}


@pytest.mark.parametrize("source", [*SOURCES, *sorted(CORE.glob("*.h"))], ids=lambda path: path.name)
def test_no_board_and_no_stranger_is_included(source):
    text = source.read_text()
    here = {path.name for path in [*CORE.glob("*.h"), *(CORE.parent / "infer").glob("*.h")]}
    assert set(INCLUDE.findall(text)) <= HEADERS | here
    conditionals = [line for line in text.splitlines() if re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b", line)]
    guard = [] if source.suffix == ".c" else [f"#ifndef STETHOS_{source.stem.upper()}_H"]
    sizes = [f"#ifndef {SIZES[source.name]}"] if source.name in SIZES else []
    assert conditionals == guard + sizes
