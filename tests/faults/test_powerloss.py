"""Loss of power: what was never synced is gone."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.disk import Disk
from tests.faults.powerloss import TOO_EARLY, cut_again_and_again, cut_as_it_answers, cut_without_sync

CUTS = 4

WRITES = """
import os, sys
from pathlib import Path
folder = Path(sys.argv[1])
def write(name, data, sync, how="wb"):
    with (folder / name).open(how) as file:
        file.write(data)
        file.flush()
        if sync:
            os.fsync(file.fileno())
def sync(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
write("old", b"changed", False)
write("kept", b"first ", True)
write("unsynced", b"gone", False)
sync(folder)
write("kept", b"second", True, "ab")
write("kept", b" third", False, "ab")
(folder / "kept").rename(folder / "renamed")
write("nameless", b"synced", True)
(folder / "below").mkdir()
write("below/file", b"deep", True)
sync(folder / "below")
(folder / "gone").unlink()
"""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("torn", [False, True], ids=["clean", "torn"])
async def test_a_gateway_that_loses_power_loses_nothing_and_doubles_nothing(tmp_path: Path, torn: bool) -> None:
    account, lost_bytes = await cut_again_and_again(tmp_path, CUTS, torn=torn)
    assert account.is_clean, account
    assert lost_bytes > 0
    assert account.messages > 10 * CUTS
    assert account.events > CUTS
    assert account.incidents > 0


async def test_a_gateway_that_does_not_sync_is_found_out(tmp_path: Path) -> None:
    account = await cut_without_sync(tmp_path)
    assert account.lost["journal"], account


@pytest.mark.parametrize("before", ["", TOO_EARLY], ids=["durable", "too early"])
async def test_a_gateway_that_answers_before_it_is_durable_is_found_out(tmp_path: Path, before: str) -> None:
    account = await cut_as_it_answers(tmp_path, before)
    assert bool(account.lost["journal"]) == bool(before), account


def test_the_disk_keeps_what_was_synced_and_nothing_else(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "old").write_bytes(b"as it was")
    (state / "gone").write_bytes(b"not yet")
    disk = Disk(state, tmp_path / "disk")
    disk.seed()
    subprocess.run([sys.executable, "-c", WRITES, str(state)], env=disk.env, check=True, timeout=60)
    assert disk.cut() > 0
    kept = {path.relative_to(state).as_posix(): path.read_bytes() for path in state.rglob("*") if path.is_file()}
    # A name is durable with its directory, bytes are with their file: neither brings the other with it.
    assert kept == {"old": b"as it was", "gone": b"not yet", "kept": b"first second", "unsynced": b""}


def test_sectors_that_were_written_and_not_synced_may_be_there_or_not(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "file").write_bytes(bytes(8192))
    disk = Disk(state, tmp_path / "disk")
    disk.seed()
    write = "import sys; open(sys.argv[1], 'r+b').write(bytes([1]) * 8192)"
    subprocess.run([sys.executable, "-c", write, str(state / "file")], env=disk.env, check=True, timeout=60)
    disk.cut(random.Random(1))
    data = (state / "file").read_bytes()
    assert {data[at : at + 512] for at in range(0, 8192, 512)} == {bytes(512), bytes([1]) * 512}
