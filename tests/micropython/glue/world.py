"""A board with stock MicroPython, as a folder and a program that is started at every wake."""

from __future__ import annotations

import asyncio
import json
import os
import re
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from tests.micropython.conftest import HERE, LIB, ROOT

NODE = ROOT / "nodes" / "micropython"
BOARD = Path(__file__).parent / "board"
QUICK = Path(__file__).parent / "quick"
RADIO = HERE / "radios" / "board"
SLEPT = re.compile(r"^deepsleep (\d+)$", re.MULTILINE)


@contextmanager
def cable(one: Path, other: Path) -> Iterator[None]:
    """Two serial ports, and a wire between them that is there whether anybody has opened them or not."""
    loop, ends = asyncio.get_running_loop(), [os.openpty() for _ in range(2)]

    def carry(source: int, sink: int) -> None:
        os.write(sink, os.read(source, 4096))

    for (near, device), (far, _), path in zip(ends, reversed(ends), (one, other), strict=True):
        tty.setraw(device)
        path.symlink_to(os.ttyname(device))
        loop.add_reader(near, carry, near, far)
    try:
        yield
    finally:
        for near, device in ends:
            loop.remove_reader(near)
            os.close(near)
            os.close(device)


class Board:
    """`said`: what each wake has printed. `speed`: how much faster than its own clock it sleeps."""

    def __init__(self, micropython: Path, folder: Path, *, speed: float = 1.0, native: Path | None = None,
                 quick: bool = False) -> None:  # fmt: skip
        """`native`: the folder of the native module, for a node that has it. `quick`: nobody waits, time passes all the
        same.
        """
        self.folder = folder
        self._first = [*([native] if native else []), *([QUICK] if quick else [])]
        self.said: list[str] = []
        self._program = micropython
        self._speed = speed
        folder.mkdir(parents=True, exist_ok=True)
        self.feels()

    def feels(self, **world: Any) -> None:
        """What its sensors are in, and how it was started, from the next wake on."""
        file = self.folder / "world.json"
        before = json.loads(file.read_text()) if file.exists() else {"battery_mv": 3000}
        part = file.with_suffix(".part")
        part.write_text(json.dumps(before | world))
        part.replace(file)

    def write(self, name: str, content: Any) -> None:
        """A file of the node's."""
        (self.folder / name).write_text(json.dumps(content))

    async def run(self, script: str) -> str:
        """A script instead of main.py."""
        return await self._python("-c", script)

    async def wake(self) -> int | None:
        """One wake; for how long it sleeps then, None after a reset."""
        said = await self._python(str(NODE / "main.py"))
        self.said.append(said)
        slept = SLEPT.search(said)
        return int(slept[1]) if slept else None

    async def _python(self, *arguments: str) -> str:
        paths = os.pathsep.join(map(str, (*self._first, BOARD, RADIO, NODE, LIB, HERE)))
        process = await asyncio.create_subprocess_exec(
            str(self._program), *arguments, cwd=self.folder, env={"MICROPYPATH": paths}, stdout=-1, stderr=-1
        )
        try:
            out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, out.decode() + err.decode()
        return out.decode()

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Wakes and sleeps on while the context lasts."""

        async def live() -> None:
            while True:
                await asyncio.sleep((await self.wake() or 0) / 1000 / self._speed)

        task = asyncio.create_task(live())
        try:
            yield
            assert not task.done(), await task
        finally:
            task.cancel()
            await asyncio.wait([task])
