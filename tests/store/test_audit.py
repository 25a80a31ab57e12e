"""The audit: whatever is changed in the file is named with the entry it belongs to, and the rest still verifies."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.store import chain
from gateway.store.audit import Report, audit
from gateway.store.journal import Journal, JournalBroken
from gateway.store.schema import FILE_NAME
from tests.store.groups import START_MS, fill, next_group, prune

SPANS = (12, 12, 12, 12, 12)  # entries 1..60, then 4 that are not signed
LAST = 64


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of 64 entries, the last 4 unsigned, as a gateway leaves it that was killed."""
    folder = tmp_path_factory.mktemp("running")
    journal = Journal.open(folder)
    fill(journal, *SPANS, config=True)
    journal.save_snapshot(30, "1", b"state")
    journal.commit(next_group(journal, 4))
    copy = tmp_path_factory.mktemp("intact")
    for name in (FILE_NAME, f"{FILE_NAME}-wal"):
        shutil.copy(folder / name, copy / name)
    journal.close()
    _change(copy, lambda db: db.execute("PRAGMA journal_mode = DELETE"))
    return copy


@pytest.fixture
def folder(intact: Path, tmp_path: Path) -> Path:
    shutil.copy(intact / FILE_NAME, tmp_path)
    return tmp_path


def _change(folder: Path, what: Callable[[sqlite3.Connection], object]) -> None:
    db = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    what(db)
    db.close()


def _sql(folder: Path, *statements: str) -> Report:
    for statement in statements:
        _change(folder, lambda db, statement=statement: db.execute(statement))  # type: ignore[misc]
    return audit(folder)


def _flip(folder: Path, table: str, column: str, key: str, row: int, bit: int) -> object:
    """Flip one bit of one value, and return the row's key afterwards."""
    db = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    db.text_factory = bytes
    value = db.execute(f"SELECT {column} FROM {table} WHERE {key} = ?", (row,)).fetchone()[0]
    if isinstance(value, int):
        flipped: object = (value ^ 1 << bit % 64) if bit % 64 < 63 else value - 2**63
        sql = f"UPDATE {table} SET {column} = ? WHERE {key} = ?"
    else:
        data = bytearray(value)
        data[bit // 8 % len(data)] ^= 1 << bit % 8
        flipped = bytes(data)
        text = column in ("kind", "engine_version")
        sql = f"UPDATE {table} SET {column} = {'CAST(? AS TEXT)' if text else '?'} WHERE {key} = ?"
    try:
        db.execute(sql, (flipped, row))
    except sqlite3.IntegrityError:  # the key is another row's: this bit cannot be flipped through SQL
        return None
    finally:
        db.close()
    return flipped if column == key else row


def test_what_was_written_verifies(folder: Path) -> None:
    report = audit(folder)
    assert report.ok
    assert report.first_broken is None
    assert (report.first, report.last, report.verified_before, report.verified_after) == (1, LAST, LAST, 0)
    assert (report.checkpoints, report.unsigned) == (6, 4)


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from(["id", "at_ms", "kind", "version", "body", "hash"]),
    st.integers(1, LAST),
    st.integers(0, 400),
)
def test_a_flipped_bit_of_an_entry_is_named_and_the_rest_verifies(
    intact: Path, tmp_path_factory: pytest.TempPathFactory, column: str, row: int, bit: int
) -> None:
    folder = tmp_path_factory.mktemp("flip")
    shutil.copy(intact / FILE_NAME, folder)
    if (key := _flip(folder, "entries", column, "id", row, bit)) is None:
        return
    report = audit(folder)
    shutil.rmtree(folder)
    if column == "id":
        assert report.first_broken == min(row, int(str(key)))
        return
    assert report.first_broken == row
    assert report.verified_before == row - 1
    assert report.verified_after == LAST - row


@pytest.mark.parametrize("column", ["body", "hash"])
def test_a_run_of_flipped_entries_costs_only_itself(folder: Path, column: str) -> None:
    for row in range(26, 34):
        _flip(folder, "entries", column, "id", row, row)
    report = audit(folder)
    assert [fault.entry for fault in report.faults] == list(range(26, 34))
    assert (report.verified_before, report.verified_after) == (25, LAST - 33)


@pytest.mark.parametrize("column", ["entry", "updates"])
@pytest.mark.parametrize("row", [3, 36, 63])
@pytest.mark.parametrize("bit", [0, 4, 40])
def test_a_flipped_bit_of_a_decision_is_named(folder: Path, column: str, row: int, bit: int) -> None:
    key = _flip(folder, "decisions", column, "entry", row, bit)
    if key is not None:
        assert audit(folder).first_broken == min(row, int(str(key)))


@pytest.mark.parametrize("column", ["number", "entry", "position"])
@pytest.mark.parametrize("number", [1, 5, 10])
@pytest.mark.parametrize("bit", [0, 3, 41])
def test_a_flipped_bit_of_an_event_is_named(folder: Path, column: str, number: int, bit: int) -> None:
    entry = number * 6
    if _flip(folder, "events", column, "number", number, bit) is not None:
        other = entry ^ (1 << bit) if column == "entry" else entry
        assert audit(folder).first_broken == min(entry, other)


@pytest.mark.parametrize(
    "column", ["entry", "hash", "at_ms", "last_event", "anchor", "anchor_hash", "key_id", "signature"]
)
@pytest.mark.parametrize("row", [12, 36, 60])
def test_a_flipped_bit_of_a_checkpoint_is_named_and_costs_no_entry(folder: Path, column: str, row: int) -> None:
    key = _flip(folder, "checkpoints", column, "entry", row, random.Random(row).randrange(40))
    assert key is not None
    report = audit(folder)
    assert report.first_broken == key
    assert report.fault_count == 1
    assert report.checkpoints == 5


@pytest.mark.parametrize("column", ["engine_version", "state", "signature"])
def test_a_flipped_bit_of_a_snapshot_is_named(folder: Path, column: str) -> None:
    _flip(folder, "snapshots", column, "entry", 30, 3)
    report = audit(folder)
    assert (report.first_broken, report.fault_count) == (30, 1)


@pytest.mark.parametrize("column", ["id", "at_ms", "kind", "version", "body", "outcome", "previous"])
def test_a_flipped_bit_of_the_anchor_is_named(tmp_path: Path, column: str) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, *SPANS, config=True)
    prune(journal, never_past=36, disk_bytes=0, now_ms=START_MS)
    journal.close()
    assert audit(tmp_path).ok
    key = _flip(tmp_path, "anchors", column, "id", 25, 1)
    assert audit(tmp_path).first_broken == min(25, int(str(key)))


@pytest.mark.parametrize("name", ["gateway_id", "public_key"])
def test_another_gateways_name_on_it_is_a_fault(folder: Path, name: str) -> None:
    sql = f"UPDATE meta SET value = zeroblob(length(value)) WHERE name = '{name}'"
    if name == "gateway_id":
        assert _sql(folder, sql).first_broken == 0
        return
    with pytest.raises(JournalBroken, match="nothing in it can be verified"):
        _sql(folder, sql)


def test_the_auditor_can_bring_the_public_key(folder: Path, tmp_path: Path) -> None:
    known = (
        sqlite3.connect(folder / FILE_NAME).execute("SELECT value FROM meta WHERE name = 'public_key'").fetchone()[0]
    )
    assert audit(folder, known).ok
    with pytest.raises(JournalBroken, match="nothing in it can be verified"):
        audit(folder, bytes(32))


def test_a_missing_entry_is_named_and_the_next_segment_verifies(folder: Path) -> None:
    report = _sql(folder, "DELETE FROM entries WHERE id IN (20, 21)")
    assert report.first_broken == 20
    assert "entries 20 to 21 are missing" in report.faults[0].what
    assert report.verified_before == 19
    assert report.verified_after == LAST - 22  # 22 itself follows from what is missing


def test_a_missing_run_over_checkpoints_costs_only_itself(folder: Path) -> None:
    report = _sql(folder, "DELETE FROM entries WHERE id BETWEEN 20 AND 36")
    assert (report.first_broken, report.verified_before, report.verified_after) == (20, 19, LAST - 36)


def test_a_missing_decision_is_named(folder: Path) -> None:
    assert _sql(folder, "DELETE FROM decisions WHERE entry = 9").first_broken == 9


def test_an_added_decision_is_named(folder: Path) -> None:
    assert _sql(folder, "INSERT INTO decisions VALUES (10, x'80')").first_broken == 10
    report = _sql(folder, "DELETE FROM decisions WHERE entry = 10", "INSERT INTO decisions VALUES (999, x'80')")
    assert report.first_broken == 999


def test_an_entry_added_at_the_end_of_the_chain_without_its_hash_is_named(folder: Path) -> None:
    report = _sql(folder, "INSERT INTO entries VALUES (65, 9999999999999, 'report', 1, x'', zeroblob(32))")
    assert (report.first_broken, report.verified_before) == (65, LAST)


def test_cutting_off_before_a_checkpoint_is_found_and_behind_the_last_is_not(folder: Path) -> None:
    cut = [
        f"DELETE FROM {t} WHERE {k} > 60" for t, k in (("entries", "id"), ("decisions", "entry"), ("events", "entry"))
    ]
    assert _sql(folder, *cut).ok  # as the module says
    report = _sql(folder, *(c.replace("60", "50") for c in cut))
    assert report.first_broken == 51
    assert "entries 51 to 60 are missing" in report.faults[0].what
    assert report.verified_before == 50


def _rewrite(folder: Path, first: int, assignment: str) -> Report:
    """Change entry `first` and make the hashes of all from there on fit, as a forger without the key would."""

    def rewrite(db: sqlite3.Connection) -> None:
        db.execute(f"UPDATE entries SET {assignment} WHERE id = {first}")
        (before,) = db.execute("SELECT hash FROM entries WHERE id = ?", (first - 1,)).fetchone()
        rows = db.execute(
            "SELECT id, at_ms, kind, version, body, updates FROM entries LEFT JOIN decisions ON entry = id"
            " WHERE id >= ? ORDER BY id",
            (first,),
        ).fetchall()
        for entry, at_ms, kind, version, body, updates in rows:
            events = db.execute("SELECT number, position FROM events WHERE entry = ?", (entry,)).fetchall()
            before = chain.link(before, entry, at_ms, kind.encode(), version, body, chain.outcome(updates, events))
            db.execute("UPDATE entries SET hash = ? WHERE id = ?", (before, entry))

    _change(folder, rewrite)
    return audit(folder)


def test_a_rewritten_stretch_with_hashes_made_to_fit_is_found_at_the_checkpoint(folder: Path) -> None:
    report = _rewrite(folder, 30, "body = x'00'")
    assert report.first_broken == 25
    assert "entries 25 to 36" in report.faults[0].what
    assert report.verified_before == 24


def test_behind_the_last_checkpoint_a_forger_is_found_only_by_what_cannot_be(folder: Path) -> None:
    assert _rewrite(folder, 62, "body = x'00'").ok  # as the module says
    report = _rewrite(folder, 62, "at_ms = 0")
    assert [fault.what for fault in report.faults] == ["entry 62 is earlier than the one before it"]


def test_many_faults_are_counted_and_not_all_kept(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 1500)
    journal.close()
    report = _sql(tmp_path, "UPDATE entries SET body = x'00'")
    assert report.fault_count == 1500
    assert len(report.faults) == 1000
    assert report.verified_before == report.verified_after == 0


def test_damaged_pages_are_reported_not_raised(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 3000)
    journal.close()
    path = tmp_path / FILE_NAME
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(data)
    report = audit(tmp_path)
    assert not report.ok
    assert any("damaged" in fault.what for fault in report.faults)


def test_a_running_gateway_can_be_audited(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    for _ in range(5):
        journal.commit(next_group(journal, 20))
        assert audit(tmp_path).ok
    assert audit(tmp_path).unsigned == 100
    journal.close()
    assert audit(tmp_path).unsigned == 0
    assert audit(tmp_path).last == 100


def test_no_journal_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalBroken, match="no journal here"):
        audit(tmp_path)
