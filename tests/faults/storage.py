"""The disk is full, or takes no writes, or takes two seconds for each sync; then it is well again."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults import accountant
from tests.faults.accountant import Account
from tests.faults.consumers import of_mqtt
from tests.faults.disk import Disk
from tests.faults.scene import Scene, scene

SLOW_WAKE_MS = 500  # so slow that what waits fits into a node's ring while nothing is acknowledged
ROOM_MB, RESERVE_MB = 8, 3
MIB = 1 << 20
BEFORE = 20  # events, and after it
SLOW_SYNC_S = 2.0
REFUSED_S = 60.0
SPACE = "gateway/gateway/journal_space"
RAISED, RETURNED = "raised", "returned"
COMMIT_FAILED = ("stethos_events_total", "commit_failed")


@contextmanager
def small_file_system(folder: Path, megabytes: int) -> Iterator[None]:
    """A tmpfs of its own at `folder`. PermissionError where mounting is not allowed."""
    folder.mkdir(parents=True, mode=0o700)
    options = f"size={megabytes}m,mode=0700"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "stethos-faults", str(folder)], capture_output=True)
    if done.returncode:
        raise PermissionError(errno.EPERM, f"mounting a tmpfs is not allowed here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


async def full(folder: Path) -> Account:
    """Room becomes scarce, which is told over MQTT; none is left; and then there is again. PermissionError where
    mounting is not allowed.
    """
    with small_file_system(folder / "state", ROOM_MB):
        async with scene(folder, wake_ms=SLOW_WAKE_MS, journal=f"reserve_mb = {RESERVE_MB}") as stage:
            await stage.events(BEFORE)
            ballast = folder / "state" / "ballast"
            await _warned(stage, ballast)
            _fill(ballast)
            await _nothing_accepted(stage)
            ballast.unlink()
            await stage.hearing()
            stage.storm.rage()
            await stage.events(BEFORE)
            await stage.until(lambda: _said_of_space(stage) == [RAISED, RETURNED], "end of the warning at MQTT")
            return await stage.settle()


async def read_only(folder: Path) -> Account:
    """Every write is refused as on a file system that was remounted read-only, and then none is."""
    disk = Disk(folder / "state", folder / "disk")
    async with scene(folder, wake_ms=SLOW_WAKE_MS, disk=disk) as stage:
        await stage.events(BEFORE)
        disk.control.refuse_writes(errno.EROFS)
        await _nothing_accepted(stage)
        disk.control.refuse_writes(0)
        await stage.hearing()
        stage.storm.rage()
        await stage.events(BEFORE)
        return await stage.settle()


async def slow(folder: Path, syncs: int) -> Account:
    """So many syncs take two seconds each."""
    disk = Disk(folder / "state", folder / "disk")
    async with scene(folder, wake_ms=SLOW_WAKE_MS, disk=disk) as stage:
        disk.control.slow_sync(SLOW_SYNC_S)
        due = disk.control.syncs + syncs
        await stage.until(lambda: disk.control.syncs >= due, f"{syncs} syncs")
        disk.control.slow_sync(0)
        return await stage.settle()


async def _warned(stage: Scene, ballast: Path) -> None:
    """Whoever follows the events is told while there still is room, and everything is still accepted."""
    assert _said_of_space(stage) == []
    _fill(ballast, spare=RESERVE_MB * MIB * 2 // 3)
    await stage.until(lambda: _said_of_space(stage) == [RAISED], "warning at MQTT")
    await stage.hearing()
    assert await stage.gateway.metric(*COMMIT_FAILED) == 0
    assert await stage.gateway.metric("stethos_accepting") == 1


def _said_of_space(stage: Scene) -> list[str]:
    """What the MQTT consumer knows of the alarm `journal_space`: its transitions, in order."""
    return [told.what[1] for told in of_mqtt(stage.stream) if told.what[0] == SPACE]


async def _nothing_accepted(stage: Scene) -> None:
    """The gateway says that it accepts nothing, and from then on acknowledges nothing; the nodes keep."""

    def refused() -> bool:
        return stage.gateway.log.read_text().count("nothing is accepted until it can") > 0

    await stage.until(refused, "word that nothing is accepted")
    held = set(accountant.held_by(stage.gateway.state_dir).messages.values())
    await stage.until(lambda: stage.storm.sent() - held, "message that is not accepted")
    stage.storm.calm()
    failed = await stage.gateway.metric(*COMMIT_FAILED)
    async with asyncio.timeout(REFUSED_S):
        while await stage.gateway.metric(*COMMIT_FAILED) < failed + 2:  # it goes on trying
            await asyncio.sleep(0.1)
    assert await stage.gateway.metric("stethos_accepting") == 0
    assert stage.storm.acknowledged() <= held
    assert set(accountant.held_by(stage.gateway.state_dir).messages.values()) == held


def _fill(ballast: Path, spare: int = 0) -> None:
    """Take all the room there is, but for so many bytes."""
    with ballast.open("ab", buffering=0) as file:
        if spare:
            disk = os.statvfs(ballast)
            file.write(bytes(disk.f_bavail * disk.f_frsize - spare))
            return
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    os.write(file.fileno(), bytes(size))
            except OSError as fault:
                if fault.errno != errno.ENOSPC:
                    raise
