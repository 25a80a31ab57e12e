"""Asks a profiled gateway (profiled.py) for its CPU time by stage."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODULE = ("tests.bench.profiled",)
FILE = "profile.json"
PER_S = 500
_ANSWER_S = 10.0


@contextmanager
def of(pid: int, folder: Path) -> Iterator[dict[str, float]]:
    """CPU seconds by stage of what happens in the context: filled in at its end. Raises TimeoutError."""
    found: dict[str, float] = {}
    os.kill(pid, signal.SIGUSR1)
    yield found
    os.kill(pid, signal.SIGUSR1)
    end_s, file = time.monotonic() + _ANSWER_S, folder / FILE
    while not file.exists():
        if time.monotonic() > end_s:
            raise TimeoutError(f"no {file}")
        time.sleep(0.01)
    found.update(json.loads(file.read_text(encoding="utf-8")))
