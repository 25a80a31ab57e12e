"""Killed at any moment, or with a write torn at any byte: whole groups only, and all that was acknowledged."""

from __future__ import annotations

import random
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.store.audit import audit
from gateway.store.journal import Journal
from gateway.store.schema import FILE_NAME
from tests.store.groups import fill, next_group

WRITER = """
import random, sys
from pathlib import Path
from gateway.store.journal import Group, Journal, Row
from gateway.store.retention import Limits
journal = Journal.open(Path(sys.argv[1]))
choose = random.Random(int(sys.argv[2]))
while True:
    first, count = journal.last_id + 1, choose.randint(1, 60)
    last = first + count - 1
    body = b"%d-%d " % (first, last) + bytes(choose.randint(0, 300))
    ids = range(first, last + 1)
    event = journal.last_event + 1
    journal.commit(Group(
        rows=[Row(i, i, "config" if i % 50 == 0 else "report", 1, body) for i in ids],
        decisions=[(i, body) for i in ids if i % 2],
        events=[(event + n, i, 0, body) for n, i in enumerate(i for i in ids if i % 10 == 1)],
        windows={"node/0": b"%d" % last},
        marks={"last": last},
    ))
    print(last, flush=True)
    act = choose.randrange(20)
    if act == 0:
        journal.checkpoint()
    elif act == 1:
        journal.save_snapshot(last, "1", body * 50)
    elif act == 2:
        while journal.prune(Limits(age_ms=500, events=100), never_past=last, now_ms=last):
            pass
"""


def _run_until_killed(folder: Path, seed: int, acknowledgements: int) -> int:
    """Let a writer run for about so many commits, kill it at no particular moment; return the last id acknowledged."""
    root = Path(__file__).parents[2]
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(seed)], stdout=subprocess.PIPE, cwd=root, bufsize=0
    )
    assert writer.stdout is not None
    output = b""
    try:
        while output.count(b"\n") < acknowledgements:
            assert select.select([writer.stdout], [], [], 60)[0], "the writer says nothing"
            chunk = writer.stdout.read(random.randint(1, 64))
            assert chunk, "the writer ended by itself"
            output += chunk
        select.select([], [], [], random.uniform(0, 0.004))
    finally:
        writer.kill()
        output += writer.stdout.read()
        writer.wait(60)
        writer.stdout.close()
    return int(output.rpartition(b"\n")[0].rpartition(b"\n")[2] or 0)


def _check_whole(journal: Journal) -> None:
    rows = journal.read(0, 10**9)
    ids = [row.id for row in rows]
    assert ids == list(range(journal.first_id, journal.last_id + 1))
    if rows:
        assert rows[-1].body.split()[0].partition(b"-")[2] == b"%d" % journal.last_id
        assert journal.marks() == {"last": journal.last_id}
        assert journal.windows() == {"node/0": b"%d" % journal.last_id}
    assert [e for e, _ in journal.decisions(0, 10**9)] == [i for i in ids if i % 2]
    events = journal.events(0, 10**9)
    assert [number for number, *_ in events] == list(
        range(journal.last_event - len(events) + 1, journal.last_event + 1)
    )
    assert [e for _, e, _ in events if e >= journal.first_id] == [i for i in ids if i % 10 == 1]


def test_a_killed_writer_loses_nothing_it_acknowledged_and_leaves_no_part_of_a_group(tmp_path: Path) -> None:
    pruned = False
    for seed in range(12):
        acknowledged = _run_until_killed(tmp_path, seed, random.choice([1, 5, 20, 60, 150]))
        journal = Journal.open(tmp_path, create=False)
        assert journal.last_id >= acknowledged
        _check_whole(journal)
        pruned |= journal.first_id > 1
        assert audit(tmp_path).faults == ()
        journal.close()
    assert pruned


@pytest.mark.parametrize("torn", ["cut", "scrambled"])
def test_a_write_ahead_log_torn_at_any_byte_gives_whole_groups(tmp_path: Path, torn: str) -> None:
    running = tmp_path / "running"
    journal = Journal.open(running)
    fill(journal, 10)
    journal.close()
    journal = Journal.open(running)
    ends = [10]
    sizes = [0]
    wal = running / f"{FILE_NAME}-wal"
    for count in (5, 1, 40, 7, 200, 3):
        journal.commit(next_group(journal, count))
        ends.append(journal.last_id)
        sizes.append(wal.stat().st_size)
    for number in range(30):
        copy = tmp_path / str(number)
        shutil.copytree(running, copy, ignore=shutil.ignore_patterns("*-shm", "*.lock"))
        data = wal.read_bytes()
        at = random.randrange(len(data))
        kept = data[:at] if torn == "cut" else data[:at] + random.randbytes(len(data) - at)
        (copy / wal.name).write_bytes(kept)
        whole = max(end for end, size in zip(ends, sizes, strict=True) if size <= at)
        survivor = Journal.open(copy)
        assert survivor.last_id == whole
        assert len(survivor.read(0, 1000)) == whole
        assert audit(copy).ok
        survivor.commit(next_group(survivor, 5))
        survivor.close()
        assert audit(copy).verified_before == whole + 5
    journal.close()
