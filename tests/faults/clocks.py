"""The system's clock is stepped, forward and back, while nodes send."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gateway.store.reader import Reader
from tests.faults.accountant import Account
from tests.faults.disk import Control, shim
from tests.faults.scene import scene

HOUR_S = 3600
MEANWHILE = 30  # events at each setting


async def steps(folder: Path, offsets_s: Sequence[float]) -> tuple[Account, list[int]]:
    """Set the clock so far off, one after the other, under a storm. The account, and the times of all entries."""
    folder.mkdir(parents=True, exist_ok=True)
    control = Control(folder / "control")
    env = {"LD_PRELOAD": str(shim("clock", folder)), "STETHOS_CONTROL": str(control.path)}
    async with scene(folder, env=env) as stage:
        for offset_s in offsets_s:
            control.step_clock(offset_s)
            await stage.events(MEANWHILE)
        account = await stage.settle()
    reader = Reader.open(stage.gateway.state_dir)
    try:
        return account, [row.at_ms for row in reader.read(0, 1_000_000)]
    finally:
        reader.close()
