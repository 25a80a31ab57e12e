"""Loss of power under a storm of alarms and incidents, with many a snapshot: what was never synced is gone, and the
gateway starts from what is left.
"""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

from tests.faults.accountant import Account
from tests.faults.disk import Disk
from tests.faults.kill9 import KEPT
from tests.faults.scene import scene
from tests.system.plants import first_models

MEANWHILE = 20  # events
SYNC_S = 0.2  # so slow that the power goes in the middle of a commit
RUNNING_S = 1.2
STARTING_S = 4.0
STARTING = 0.25  # share of cuts that come while the gateway is still starting
LONG_SYNC_S = 2.0  # so slow that what is acknowledged meanwhile is acknowledged too early

WITHOUT_SYNC = "from gateway.store import schema; schema.SYNCHRONOUS = 'OFF'"
"""What makes a gateway that does not keep the promise."""

TOO_EARLY = """
from gateway.runtime.decider import Decider
commit = Decider._commit
async def acknowledge_and_commit(self, decided):
    self._heard(decided.heard)
    await commit(self, decided)
Decider._commit = acknowledge_and_commit
"""
"""Another: it acknowledges before the commit."""


async def cut_again_and_again(
    folder: Path, runs: int, seed: int = 1, *, torn: bool = False, before: str = ""
) -> tuple[Account, int]:
    """Cut the power `runs` times in one journal. The account once all have caught up, and how many bytes were lost."""
    choose = random.Random(seed)
    disk = Disk(folder / "state", folder / "disk")
    lost_bytes = 0
    async with scene(folder, before=before, disk=disk, models=first_models(), journal=KEPT) as stage:
        for _ in range(runs):
            if choose.random() < STARTING:
                disk.control.slow_sync(SYNC_S)
                await asyncio.sleep(choose.uniform(0, STARTING_S))
            else:
                await stage.hearing()
                disk.control.slow_sync(SYNC_S)
                await asyncio.sleep(choose.uniform(SYNC_S, RUNNING_S))
            await stage.gateway.end(signal.SIGKILL)
            lost_bytes += await asyncio.to_thread(disk.cut, choose if torn else None)
            disk.control.slow_sync(0)
            await stage.gateway.start()
        await stage.incident()
        return await stage.settle(), lost_bytes


async def cut_without_sync(folder: Path) -> Account:
    """One cut of a gateway whose commits do not wait for the disk, in a journal that was begun well; the account as it
    is then.
    """
    disk = Disk(folder / "state", folder / "disk")
    async with scene(folder, before=WITHOUT_SYNC, disk=disk) as stage:
        await stage.events(MEANWHILE)
        await stage.gateway.end()
        disk.seed()
        await stage.gateway.start()
        await stage.hearing()
        await stage.events(MEANWHILE)
        await stage.gateway.end(signal.SIGKILL)
        disk.cut()
        return stage.account()


async def cut_as_it_answers(folder: Path, before: str = "") -> Account:
    """One cut at the very moment at which something is acknowledged, while every sync takes long; the account then."""
    disk = Disk(folder / "state", folder / "disk")
    async with scene(folder, before=before, disk=disk) as stage:
        disk.control.slow_sync(LONG_SYNC_S)
        due = disk.control.syncs + 1
        await stage.until(lambda: disk.control.syncs >= due, "sync")  # what was sent before this is durable
        await stage.hearing()
        await stage.gateway.end(signal.SIGKILL)
        disk.cut()
        return stage.account()
