"""A MicroPython board at a serial port: a folder as its flash, the unix port with the REPL of boards as its firmware,
and two pseudo-terminals with a cable between them. Sensors and radio are the fakes of tests/micropython.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import subprocess
import termios
import threading
import tty
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
MICROPYTHON = ROOT / "tests" / "micropython"
FAKES = MICROPYTHON / "glue" / "board", MICROPYTHON / "radios" / "board", MICROPYTHON
FIRMWARE = """
import sys, board_repl
board_repl.begin()
try:
    with open("main.py") as file: exec(compile(file.read(), "main.py", "exec"), {"__name__": "__main__"})
except OSError as error:
    if error.errno != 2: sys.print_exception(error)
except (Exception, KeyboardInterrupt) as error: sys.print_exception(error)
board_repl.run()
"""
ASLEEP = re.compile(rb"deepsleep (\d+)\r?\n\Z")
LOOK_S = 0.02


class Board:
    """Powered from `with` on, or from `plug_in`; `said`: all that it has printed since. It wakes from deep sleep and
    comes back from a reset by itself.
    """

    def __init__(self, firmware: Path, folder: Path) -> None:
        self.folder = folder
        self.port = folder.with_suffix(".tty")
        self.said = b""
        self._firmware = firmware
        self._unplugged = threading.Event()
        self._thread: threading.Thread | None = None
        folder.mkdir(exist_ok=True)
        self.feels(celsius=24, percent=40, battery_mv=3000)

    def feels(self, **world: Any) -> None:
        """What its sensors are in."""
        file = self.folder / "world.json"
        before = json.loads(file.read_text()) if file.exists() else {}
        file.with_suffix(".part").write_text(json.dumps(before | world))
        file.with_suffix(".part").replace(file)

    def __enter__(self) -> Self:
        self.plug_in()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def plug_in(self) -> None:
        """A port of its own, and power."""
        near, port = os.openpty()
        far, line = os.openpty()
        for side in (port, line):
            tty.setraw(side)
        for side in (near, far):
            os.set_blocking(side, False)
        self.port.unlink(missing_ok=True)
        self.port.symlink_to(os.ttyname(port))
        self._unplugged.clear()
        self._thread = threading.Thread(target=self._live, args=(near, port, far, line), daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """At once: its program is killed, the port is gone."""
        self._unplugged.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    @property
    def powered(self) -> bool:
        """Whether it is plugged in."""
        return self._thread is not None

    def files(self) -> dict[str, bytes]:
        """What is in its flash, while it may be writing there."""
        found = {}
        for path in filter(Path.is_file, self.folder.rglob("*")):
            with contextlib.suppress(FileNotFoundError):
                found[str(path.relative_to(self.folder))] = path.read_bytes()
        return found

    def _live(self, near: int, port: int, far: int, line: int) -> None:
        try:
            while not self._unplugged.is_set():
                asleep_ms = self._run(near, far, line)
                self._unplugged.wait(asleep_ms / 1000)
        finally:
            for side in (near, port, far, line):
                os.close(side)

    def _run(self, near: int, far: int, line: int) -> int:
        """From a start to its end; how long it sleeps then."""
        settings = termios.tcgetattr(line)
        settings[3] = termios.ISIG
        termios.tcsetattr(line, termios.TCSAFLUSH, settings)
        process = subprocess.Popen(
            ["setsid", "--ctty", str(self._firmware), "-c", FIRMWARE],
            cwd=self.folder, stdin=line, stdout=line, stderr=line,
            env={"MICROPYPATH": os.pathsep.join(["", "lib", *map(str, FAKES)])},
        )  # fmt: skip
        said = b""
        try:
            while not self._unplugged.is_set():
                ended = process.poll() is not None
                said += self._carry(near, far)
                if ended:
                    break
        finally:
            process.kill()
            process.wait()
        asleep = ASLEEP.search(said)
        return int(asleep[1]) if asleep else 0

    def _carry(self, near: int, far: int) -> bytes:
        """Whatever waits at either end, once; what the board has said."""
        said = b""
        for side in select.select([near, far], [], [], LOOK_S)[0]:
            with contextlib.suppress(BlockingIOError):  # as a UART: who does not read in time has lost it
                data = os.read(side, 4096)
                if side == far:
                    said += data
                    self.said += data
                os.write(far if side == near else near, data)
        return said
