"""build/figures.json: `{"key": {"value": ..., "unit": ..., "how": ...}}`, to which every bench adds its own."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__).parents[2] / "build" / "figures.json"


def merge(figures: Mapping[str, Mapping[str, object]], file: Path = FILE) -> None:
    """Put these in the place of those of the same name; the others stay."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = json.loads(file.read_text()) if file.exists() else {}
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(known | dict(figures), indent=2, sort_keys=True) + "\n")
        fresh.replace(file)
