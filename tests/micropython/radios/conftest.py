"""Runs `board/wakes.py` under MicroPython's unix port; what it prints comes back as lines."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from tests.micropython.conftest import LIB, ROOT

HERE = Path(__file__).parent
Talk = Callable[..., Coroutine[None, None, list[str]]]


@pytest.fixture
def talk(micropython: Path) -> Talk:
    """A few wakes: kind of the radio, where to, how many, and what else wakes.py takes."""
    paths = [HERE / "board", ROOT / "nodes" / "micropython", LIB, HERE.parent]

    async def talk(*arguments: object) -> list[str]:
        process = await asyncio.create_subprocess_exec(
            str(micropython), str(HERE / "board" / "wakes.py"), *map(str, arguments),
            env={"MICROPYPATH": os.pathsep.join(map(str, paths))}, stdout=-1, stderr=-1,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, out.decode() + err.decode()
        return out.decode().splitlines()

    return talk
