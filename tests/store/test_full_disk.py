"""A disk without room: nothing of the group is kept, the rest stays readable, and it goes on when room is back."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store.audit import audit
from gateway.store.journal import Group, Journal, JournalFull, Row
from gateway.store.schema import FILE_NAME
from tests.store.groups import fill, next_group, prune

FULL_AND_FREE_AGAIN = """
import resource, sys
from pathlib import Path
from gateway.store.journal import JournalFull, Journal
from tests.store.groups import next_group
journal = Journal.open(Path(sys.argv[1]))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
group = next_group(journal, 50)
while True:
    try:
        journal.commit(group)
    except JournalFull as fault:
        print(journal.last_id, fault)
        break
    group = next_group(journal, 50)
for act in (lambda: journal.commit(group), lambda: journal.save_snapshot(1, "1", bytes(10**6))):
    try:
        act()
    except JournalFull:
        continue
    raise SystemExit("there was room")
assert len(journal.read(0, 10**6)) == journal.last_id == group.rows[0].id - 1
assert journal.marks() == {"mqtt": journal.last_id}
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
journal.commit(group)
journal.close()
print(journal.last_id)
"""

READ_ONLY = """
import os, sys
from pathlib import Path
from gateway.store.audit import audit
from gateway.store.journal import Journal, JournalBroken
if os.getuid() == 0:
    os.setuid(65534)
print(audit(Path(sys.argv[1])).verified_before)
try:
    Journal.open(Path(sys.argv[1]))
except JournalBroken as fault:
    print(fault)
"""


def _python(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, cwd=root, timeout=60
    )


def test_no_room_for_the_file_to_grow(tmp_path: Path) -> None:
    run = _python(FULL_AND_FREE_AGAIN, tmp_path)
    assert run.returncode == 0, run.stderr
    full, end = run.stdout.splitlines()
    assert FILE_NAME in full
    report = audit(tmp_path)
    assert report.ok
    assert report.last == int(end) == int(full.split()[0]) + 50


def test_a_journal_killed_on_a_full_disk_opens_with_all_that_was_committed(tmp_path: Path) -> None:
    script = FULL_AND_FREE_AGAIN.partition("for act in")[0] + "import os, signal\nsys.stdout.flush()\n"
    script += "os.kill(os.getpid(), signal.SIGKILL)\n"
    run = _python(script, tmp_path)
    committed = int(run.stdout.split()[0])
    journal = Journal.open(tmp_path)
    assert journal.last_id == committed
    assert audit(tmp_path).ok
    journal.close()


def test_a_database_at_its_page_limit(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 10)
    big = Group(rows=[Row(11, journal.last_at_ms, "report", 1, bytes(10**6))], marks={"mqtt": 11})
    limit = journal._db.execute("PRAGMA page_count").fetchone()[0] + 20
    journal._db.execute(f"PRAGMA max_page_count = {limit}")
    with pytest.raises(JournalFull, match=r"journal\.sqlite3: database or disk is full"):
        journal.commit(big)
    assert journal.last_id == 10
    assert journal.marks() == {"mqtt": 10}
    journal.commit(next_group(journal, 2))
    with pytest.raises(JournalFull):
        journal.save_snapshot(5, "1", bytes(10**6))
    assert journal.newest_snapshot("1") is None
    journal._db.execute("PRAGMA max_page_count = 1000000")
    journal.save_snapshot(5, "1", bytes(10**6))
    assert audit(tmp_path).ok
    journal.close()


def test_a_journal_that_somebody_else_has_locked(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    group = next_group(journal, 5)
    journal._db.execute("PRAGMA busy_timeout = 10")
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalFull, match="locked"):
            journal.commit(group)
    journal.commit(group)
    assert audit(tmp_path).verified_before == 5
    journal.close()


def test_pruning_makes_room(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, *[200] * 10)
    journal._db.execute("PRAGMA max_page_count = 1")  # SQLite takes the present size instead: not one page more
    with pytest.raises(JournalFull):
        for _ in range(50):
            journal.commit(next_group(journal, 200))
    last = journal.last_id
    assert prune(journal, never_past=last, disk_bytes=journal.sizes().on_disk // 2) > 0
    journal.commit(next_group(journal, 200))
    assert journal.last_id == last + 200
    assert audit(tmp_path).ok
    journal.close()


def test_a_folder_without_write_permission_can_be_audited_and_not_opened() -> None:
    with tempfile.TemporaryDirectory() as scratch:  # not tmp_path: root's child gives root up and must still get there
        folder = Path(scratch) / "journal"
        journal = Journal.open(folder)
        fill(journal, 10)
        journal.close()
        Path(scratch).chmod(0o755)
        folder.chmod(0o555)
        run = _python(READ_ONLY, folder)
        folder.chmod(0o755)
    assert run.returncode == 0, run.stderr
    verified, refused = run.stdout.splitlines()
    assert verified == "10"
    assert "Permission denied" in refused
