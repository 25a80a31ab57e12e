"""A gateway is started on a disk that is full or read-only: it says so and ends with 75, for systemd to try again; and
once the disk is well it works, with all that it had.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from gateway.store.audit import audit
from gateway.store.keys import NodeKey, Registry
from tests.faults.gateway import Gateway
from tests.faults.storage import small_file_system

ROOM_MB = 8
PAGE = 4096


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    try:
        with small_file_system(tmp_path / "disk", ROOM_MB):
            yield tmp_path / "disk"
    except PermissionError as error:
        pytest.skip(str(error))


def on(disk: Path, *, lived: bool) -> Gateway:
    """A gateway whose state folder is on `disk`; `lived`: it has run there."""
    gateway = Gateway(disk.parent / "box", 4)
    gateway.state_dir = disk / "state"
    text = gateway.config.read_text().replace('state_dir = "state"', f'state_dir = "{gateway.state_dir}"')
    gateway.config.write_text(text)
    if lived:
        with closing(Registry.open(gateway.state_dir)) as registry:
            registry.add("n-0", now_ms=1)
    return gateway


async def works(gateway: Gateway) -> None:
    """It starts, runs and ends well."""
    await gateway.start()
    await gateway.running()
    assert await gateway.end() == 0


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Hardly a page is free there."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(PAGE))
        except OSError as fault:
            assert fault.errno == errno.ENOSPC
    yield
    ballast.unlink()


@contextmanager
def read_only(disk: Path) -> Iterator[None]:
    """As after an error of the file system."""
    for how in ("ro", "rw"):
        subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True)
        if how == "ro":
            yield


def contents(folder: Path) -> dict[str, bytes]:
    """What counts in a state folder; SQLite's own helpers, which are empty between two lives, come and go."""
    helpers = re.compile(r"-(wal|shm)$|lock$")
    return {path.name: path.read_bytes() for path in folder.glob("*") if not helpers.search(path.name)}


@pytest.mark.parametrize("lived", [True, False], ids=["with a journal", "without one"])
@pytest.mark.parametrize(
    ("bad", "why"),
    [(full, r"\(\d+ KiB are free on this disk\)"), (read_only, "Read-only file system")],
    ids=["full", "read-only"],
)
async def test_on_a_bad_disk_it_says_what_is_wrong_and_ends_with_75(
    disk: Path, bad: Callable[[Path], AbstractContextManager[None]], why: str, lived: bool
) -> None:
    gateway = on(disk, lived=lived)
    if lived:
        await works(gateway)
    before = contents(gateway.state_dir)
    with bad(disk):
        await gateway.start()
        assert gateway.process
        assert await gateway.process.wait() == os.EX_TEMPFAIL
        assert await gateway.end() == os.EX_TEMPFAIL
        (line,) = gateway.log.read_text().splitlines()[-1:]
        assert re.match(f"{gateway.state_dir}.*{why}", line) and "Traceback" not in gateway.log.read_text()
        if lived:
            assert contents(gateway.state_dir) == before
    await works(gateway)
    assert audit(gateway.state_dir).ok
    if lived:
        assert contents(gateway.state_dir)["gateway.key"] == before["gateway.key"]
        assert names(gateway.state_dir) == ["n-0"]


def names(state_dir: Path) -> list[str]:
    with closing(Registry.open(state_dir)) as registry:
        found: tuple[NodeKey, ...] = registry.list()
    return [key.name for key in found]
