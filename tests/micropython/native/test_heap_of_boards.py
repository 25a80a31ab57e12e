"""A whole wake in a heap of 64 KB: on a 32-bit board from .mpy files, and in a firmware that has the node's files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.micropython.native.emulated import BOARDS, Board, Failed
from tests.micropython.test_heap import SETS, fits

pytestmark = pytest.mark.timeout(400)  # firmwares are built
SHIMS = {
    # The qemu port has neither. What AES gives does not matter here: on a board it takes nothing of the heap.
    "lib/time.py": b"now = 0\ndef ticks_us():\n    global now\n    now += 7\n    return now\nticks_ms = ticks_us\n"
    b"def ticks_diff(a, b):\n    return a - b\ndef time_ns():\n    return ticks_us() * 1000000\n",
    "lib/cryptolib.py": b"class aes:\n    def __init__(self, key, mode, iv=None):\n        pass\n"
    b"    def encrypt(self, data):\n        return data\n",
}
TAKE = "hog = None\ngc.collect()\nhog = bytearray(gc.mem_free() - {})\ngc.collect()\n"


def wakes(arch: str, firmware: Path, files: dict[str, bytes], set_: int, heap_kb: float) -> bool:
    """Whether a wake comes to its end where so much of the heap is free."""
    with Board(BOARDS[arch], firmware, files | SHIMS) as board:
        board.run("import gc\n" + TAKE.format(int(heap_kb * 1024)))
        try:
            board.run(f"sys.argv[:] = ['', '{set_}', '128', '-']\nimport whole_wake\n")
        except Failed as failed:
            assert "MemoryError" in str(failed), failed
            return False
        return True


@pytest.mark.parametrize("set_", SETS.values(), ids=SETS)
def test_on_an_armv7m_from_mpy_files(boards: Callable[[str], Path], compiled: Path, set_: int) -> None:
    files = {f"lib/{path.relative_to(compiled)}": path.read_bytes() for path in compiled.rglob("*.mpy")}
    firmware = boards("armv7m")
    assert wakes("armv7m", firmware, files, set_, 56)
    assert set_ != 1 or not wakes("armv7m", firmware, files, set_, 32), "the heap's size counts"


@pytest.mark.parametrize(("set_", "learn", "most_kb"), [(1, 0, 40), (2, 0, 40), (3, 0, 40), (1, 64, 56)])
def test_in_a_firmware_that_has_the_files_in_flash(
    unix_with_module: Path,
    compiled: Path,
    tmp_path: Path,
    set_: int,
    learn: int,
    most_kb: int,
) -> None:
    """With the native module in it, and a learner; words of eight bytes."""
    assert fits(unix_with_module, most_kb, [".frozen", compiled], tmp_path / "kept", set_, learn)
