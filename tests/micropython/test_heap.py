"""What a wake computes fits in a heap of 64 KB, on a machine whose words are twice as long as a board's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.micropython.conftest import BUILT, HERE, LIB, ROOT

SETS = {"statistics": 1, "invariant": 2, "slow": 3}


def wake(micropython: Path, lib: Path, heap_kb: int, *arguments: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [micropython, "-X", f"heapsize={heap_kb}k", HERE / "board" / "wake.py", *map(str, arguments)],
        cwd=ROOT / "nodes" / "wire", env={"MICROPYPATH": os.pathsep.join([str(HERE / "board"), str(lib)])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("set_", SETS.values(), ids=SETS)
def test_from_its_source(micropython, set_):
    done = wake(micropython, LIB, 64, set_, 512)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def compiled(micropython, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("compiled")
    for source in (LIB / "stethos").glob("*.py"):
        out = folder / "stethos" / f"{source.stem}.mpy"
        out.parent.mkdir(exist_ok=True)
        subprocess.run([BUILT / "mpy-cross", "-o", out, source], check=True)
    return folder


@pytest.mark.parametrize("set_", SETS.values(), ids=SETS)
@pytest.mark.parametrize(("heap_kb", "samples"), [(64, 1024), (56, 512)])
def test_compiled_it_takes_less(micropython, compiled, heap_kb, samples, set_):
    done = wake(micropython, compiled, heap_kb, set_, samples)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_heap_that_is_too_small_is_noticed(micropython):
    done = wake(micropython, LIB, 32, 2, 512)
    assert done.returncode != 0
    assert "MemoryError" in done.stderr + done.stdout
