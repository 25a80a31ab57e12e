"""How much heap a wake takes: what it computes, from source; a whole one, from .mpy files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.micropython.conftest import HERE, LIB, ROOT

SETS = {"statistics": 1, "invariant": 2, "slow": 3, "principal": 5}
ONE_HEAP_KB = 64


def run(program: Path, heap_kb: float, paths: list[Path | str], *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, "-X", f"heapsize={int(heap_kb * 1024)}", *map(str, arguments)],
        cwd=ROOT / "nodes" / "wire", env={"MICROPYPATH": os.pathsep.join(map(str, paths))}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


def fits(program: Path, heap_kb: float, paths: list[Path | str], kept: Path, *arguments: object) -> bool:
    """Whether two whole wakes come to their end: the first says a Birth, the second is as all others."""
    kept.unlink(missing_ok=True)
    set_, *learn = arguments
    for _ in range(2):
        wake = run(program, heap_kb, paths, "-m", "whole_wake", set_, 128, kept, *learn)
        if wake.returncode:
            assert "emory" in wake.stderr + wake.stdout, wake.stderr
            return False
    return True


@pytest.mark.parametrize("set_", SETS.values(), ids=SETS)
def test_what_is_computed_from_its_source(micropython, set_):
    done = run(micropython, ONE_HEAP_KB, [HERE / "board", LIB], HERE / "board" / "wake.py", set_, 512)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("set_", SETS.values(), ids=SETS)
@pytest.mark.parametrize(("heap_kb", "samples"), [(ONE_HEAP_KB, 1024), (56, 512)])
def test_compiled_it_takes_less(micropython, compiled, heap_kb, samples, set_):
    done = run(micropython, heap_kb, [compiled], "-m", "wake", set_, samples)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("set_", SETS.values(), ids=SETS)
def test_a_whole_wake_from_mpy_files_whose_words_are_twice_a_boards(micropython, compiled, tmp_path, set_):
    assert fits(micropython, 80, [compiled], tmp_path / "kept", set_)
    assert not fits(micropython, 40, [compiled], tmp_path / "kept", set_), "the heap's size counts"
