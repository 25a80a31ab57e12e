"""MicroPython's REPL as a board has it, in its qemu port: found, asked, and without a file system."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.provision import micropython_board
from gateway.provision.boards import BoardFailed, Item
from tests.micropython.native.conftest import boards  # noqa: F401
from tests.micropython.native.emulated import BOARDS


def test_a_board_in_qemu_answers(boards: Callable[[str], Path]) -> None:  # noqa: F811
    emulated, firmware = BOARDS["armv7m"], boards("armv7m")
    command = [
        emulated.emulator, *emulated.machine, "-display", "none", "-monitor", "none", "-semihosting", "-serial", "pty",
        "-kernel", str(firmware),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as qemu:
        try:
            assert qemu.stdout
            port = re.search(r"/dev/pts/\d+", qemu.stdout.readline())
            assert port
            found = micropython_board.open_board(port[0], 115200, 30)
            assert found
            assert "mps2" in found.about().board.lower()
            assert found.about().firmware == "MicroPython 1.25.0"
            assert found.held() is None
            with pytest.raises(BoardFailed, match=r"node\.json\.new: "):
                found.write(Item("node.json", b"{}"))
            found.close()
        finally:
            qemu.kill()
