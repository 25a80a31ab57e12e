"""The bench of the node in MicroPython: its wake is a wake, and its figures are those of the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import micropython as bench
from tests.bench.page import MICROPYTHON
from tests.micropython.conftest import micropython  # noqa: F401  skips where it is not built

pytestmark = pytest.mark.usefixtures("micropython")


@pytest.mark.parametrize("number", bench.SETS)
def test_a_wake_with_each_set_comes_to_its_end_and_has_every_phase(number: int, tmp_path: Path) -> None:
    said = bench.run("-m", bench.WAKE.stem, number, 128, "-", paths=[bench.compiled(tmp_path)])
    assert said is not None
    phases = {key.removeprefix("mpy_wake_ms_") for key in MICROPYTHON if key.startswith("mpy_wake_ms_")}
    assert {name for name in phases if f"'{name}'" in said} == phases


def test_in_too_little_memory_it_does_not(tmp_path: Path) -> None:
    assert (
        bench.run("-X", "heapsize=8192", "-m", bench.WAKE.stem, 1, 128, "-", paths=[bench.compiled(tmp_path)]) is None
    )


def test_both_writings_of_the_features_are_timed() -> None:
    file = bench.native("x64")
    if file is None:
        pytest.skip("no native module for x64: it wants gcc and pyelftools")
    script = bench.BOARD / "features_us.py"
    for paths in ([bench.NODE / "lib"], [file.parent, bench.NODE / "lib"]):
        assert float(bench.run(script, 2, 512, 3, paths=paths) or 0) > 0
