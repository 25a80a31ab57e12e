"""The journal: what is committed is there, in order, whole or not at all."""

from __future__ import annotations

import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.store import schema
from gateway.store.journal import Group, Journal, JournalBroken, Reader, Row
from tests.store.groups import START_MS, fill, next_group


def test_everything_of_a_group_comes_back_after_reopening(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    group = next_group(journal, 20)
    journal.commit(group)
    journal.close()
    again = Journal.open(tmp_path, create=False)
    assert again.read(0, 100) == list(group.rows)
    assert again.decisions(0, 100) == list(group.decisions)
    assert again.events(0, 100) == [(number, entry, body) for number, entry, _, body in group.events]
    assert again.windows() == dict(group.windows)
    assert again.marks() == dict(group.marks)
    assert (again.last_id, again.last_event) == (20, 3)
    assert again.last_at_ms == group.rows[-1].at_ms
    again.close()


def test_reading_goes_on_after_a_cursor_and_stops_at_the_limit(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 30)
    assert [r.id for r in journal.read(7, 4)] == [8, 9, 10, 11]
    assert [e for e, _ in journal.decisions(9, 2)] == [12, 15]
    assert [(n, e) for n, e, _ in journal.events(2, 2)] == [(3, 18), (4, 24)]
    journal.close()


def test_a_gateway_keeps_its_id_and_its_key_is_private(tmp_path: Path) -> None:
    first = Journal.open(tmp_path)
    first.close()
    second = Journal.open(tmp_path)
    second.close()
    assert first.gateway_id == second.gateway_id
    assert len(first.gateway_id) == 8
    assert stat.S_IMODE((tmp_path / "gateway.key").stat().st_mode) == 0o600


def test_two_gateways_differ(tmp_path: Path) -> None:
    a, b = Journal.open(tmp_path / "a"), Journal.open(tmp_path / "b")
    assert a.gateway_id != b.gateway_id
    a.close()
    b.close()


def test_commit_is_synced_and_logged_ahead(tmp_path: Path) -> None:
    db = schema.open_writer(tmp_path / schema.FILE_NAME)
    assert db.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    db.close()


@pytest.mark.parametrize(
    "group",
    [
        Group(rows=[Row(12, START_MS * 2, "report", 1, b"")]),
        Group(rows=[Row(10, START_MS * 2, "report", 1, b"")]),
        Group(rows=[Row(11, START_MS, "report", 1, b"")]),
        Group(decisions=[(10, b"late")]),
        Group(rows=[Row(11, START_MS * 2, "report", 1, b"")], decisions=[(11, b"a"), (11, b"b")]),
        Group(rows=[Row(11, START_MS * 2, "report", 1, b"")], events=[(2, 11, 0, b"")]),
        Group(rows=[Row(11, START_MS * 2, "report", 1, b"")], decisions=[(11, b"a")], events=[(3, 11, 0, b"")]),
    ],
    ids=["gap", "again", "time falls", "decision of before", "two decisions", "event without decision", "event gap"],
)
def test_a_group_that_does_not_continue_the_journal_is_refused_whole(tmp_path: Path, group: Group) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 10)
    with pytest.raises(ValueError, match=r"entr|event"):
        journal.commit(group)
    assert journal.last_id == 10
    journal.commit(next_group(journal, 3))
    journal.close()


def test_a_group_that_cannot_be_stored_leaves_nothing_of_it(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    good = next_group(journal, 5)
    with pytest.raises(OverflowError):
        journal.commit(Group(good.rows, good.decisions, marks={"mqtt": 2**63}))
    assert (journal.last_id, journal.read(0, 9), journal.marks()) == (0, [], {})
    journal.commit(good)
    assert journal.read(0, 9) == list(good.rows)
    journal.close()


def test_marks_are_kept_and_replaced(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.set_marks({"a": 1, "b": -(2**63)})
    journal.set_marks({"a": 2**63 - 1})
    assert journal.marks() == {"a": 2**63 - 1, "b": -(2**63)}
    journal.close()


def test_windows_of_removed_nodes_are_forgotten(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.commit(Group(windows={"a/0": b"1", "a/1": b"2", "b/0": b"3"}))
    journal.forget_windows(["a/0", "nobody/0"])
    assert journal.windows() == {"a/1": b"2", "b/0": b"3"}
    journal.close()


def test_the_newest_three_snapshots_are_kept_by_engine_version(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 10)
    for entry, version in ((2, "1"), (4, "1"), (6, "2"), (8, "1")):
        journal.save_snapshot(entry, version, b"state %d" % entry)
    assert journal.newest_snapshot("1") == (8, b"state 8")
    assert journal.newest_snapshot("2") == (6, b"state 6")
    assert journal.newest_snapshot("1", at_or_before=7) == (4, b"state 4")
    assert journal.newest_snapshot("1", at_or_before=3) is None
    assert journal.newest_snapshot("3") is None
    with pytest.raises(ValueError, match="snapshot at entry 11"):
        journal.save_snapshot(11, "1", b"")
    journal.close()


def test_a_damaged_snapshot_gives_way_to_the_one_before(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 10)
    journal.save_snapshot(5, "1", b"five")
    journal.save_snapshot(9, "1", b"nine")
    with sqlite3.connect(tmp_path / schema.FILE_NAME) as db:
        db.execute("UPDATE snapshots SET state = x'00' WHERE entry = 9")
    db.close()
    assert journal.newest_snapshot("1") == (5, b"five")
    journal.close()


def test_a_checkpoint_comes_by_itself_after_many_entries(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    for _ in range(21):
        journal.commit(next_group(journal, 500))
    assert journal.newest_checkpoint().entry == 10_000
    journal.close()


def test_only_one_process_writes(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    with pytest.raises(JournalBroken, match="in use"):
        Journal.open(tmp_path)
    journal.close()
    Journal.open(tmp_path).close()


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalBroken, match="no journal here"):
        Journal.open(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()
    with pytest.raises(JournalBroken, match="no journal here"):
        Reader.open(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(JournalBroken, match="file"):
        Journal.open(tmp_path / "file" / "folder")
    (tmp_path / "odd #?%" / schema.FILE_NAME).mkdir(parents=True)
    with pytest.raises(JournalBroken, match="unable to open"):
        Journal.open(tmp_path / "odd #?%")


def test_any_folder_name_will_do(tmp_path: Path) -> None:
    folder = tmp_path / "odd #?%20 ä"
    journal = Journal.open(folder)
    fill(journal, 3)
    assert {path.name for path in tmp_path.iterdir()} == {folder.name}
    reader = Reader.open(folder)
    assert len(reader.read(0, 10)) == 3
    reader.close()
    journal.close()


def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / schema.FILE_NAME
    Journal.open(tmp_path).close()
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(JournalBroken, match="not a database"):
        Journal.open(tmp_path)
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(JournalBroken, match="not a journal"):
        Journal.open(tmp_path)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    Journal.open(tmp_path).close()
    with sqlite3.connect(tmp_path / schema.FILE_NAME) as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    for open_it in (Journal.open, Reader.open):
        with pytest.raises(JournalBroken, match="schema 999 is newer"):
            open_it(tmp_path)


def test_an_older_schema_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 5)
    journal.close()

    def add_table(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE later (x INTEGER) STRICT")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, add_table))
    with pytest.raises(JournalBroken, match="older"):
        Reader.open(tmp_path)
    again = Journal.open(tmp_path)
    assert again.last_id == 5
    again.close()
    with sqlite3.connect(tmp_path / schema.FILE_NAME) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == len(schema.MIGRATIONS)
        assert db.execute("SELECT count(*) FROM later").fetchone()[0] == 0
    db.close()


def test_a_missing_open_or_foreign_key_is_named(tmp_path: Path) -> None:
    for name in ("one", "two"):
        Journal.open(tmp_path / name).close()
    key = tmp_path / "one" / "gateway.key"
    key.chmod(0o640)
    with pytest.raises(JournalBroken, match=r"gateway\.key.*0640"):
        Journal.open(tmp_path / "one")
    key.unlink()
    with pytest.raises(JournalBroken, match=r"gateway\.key.*No such file"):
        Journal.open(tmp_path / "one")
    key.touch(mode=0o600)
    with pytest.raises(JournalBroken, match=r"gateway\.key.*not a private key"):
        Journal.open(tmp_path / "one")
    key.write_bytes((tmp_path / "two" / "gateway.key").read_bytes())
    with pytest.raises(JournalBroken, match="not the key"):
        Journal.open(tmp_path / "one")


def test_a_key_without_its_journal_begins_no_second_one(tmp_path: Path) -> None:
    Journal.open(tmp_path).close()
    (tmp_path / schema.FILE_NAME).unlink()
    for _ in range(2):
        with pytest.raises(JournalBroken, match=r"gateway\.key: its journal is gone"):
            Journal.open(tmp_path)
    assert not (tmp_path / f"{schema.FILE_NAME}-wal").exists()  # it would spoil a backup put in its place
    (tmp_path / "gateway.key").unlink()
    Journal.open(tmp_path).close()


def test_a_first_start_that_crashed_is_finished_by_the_next(tmp_path: Path) -> None:
    schema.open_writer(tmp_path / schema.FILE_NAME).close()  # before the journal had its id
    first = Journal.open(tmp_path)
    first.close()
    (tmp_path / "gateway.key").rename(tmp_path / "gateway.key.new")  # after, and before the key had its name
    second = Journal.open(tmp_path)
    assert second.gateway_id == first.gateway_id
    second.close()


def test_a_journal_that_was_cut_off_does_not_open(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 9)
    journal.close()
    with sqlite3.connect(tmp_path / schema.FILE_NAME) as db:
        db.execute("DELETE FROM entries WHERE id > 6")
    db.close()
    with pytest.raises(JournalBroken, match="entries 7 to 9 are missing"):
        Journal.open(tmp_path)


def test_readers_see_only_whole_groups_while_the_journal_is_written(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    done = threading.Event()
    seen: list[int] = []

    def read_on() -> None:
        reader = Reader.open(tmp_path)
        while not done.is_set() or reader.head_id() > sum(seen):
            rows = reader.read(sum(seen), 10_000)
            assert [r.id for r in rows] == list(range(sum(seen) + 1, sum(seen) + 1 + len(rows)))
            assert len(rows) % 7 == 0
            seen.append(len(rows))
        reader.close()

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_on)
        try:
            for _ in range(150):
                journal.commit(next_group(journal, 7))
        finally:
            done.set()
        reading.result(30)
    assert sum(seen) == journal.last_id == 1050
    journal.close()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    Journal.open(tmp_path).close()
    db = schema.open_reader(tmp_path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("DELETE FROM entries")
    db.close()


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.close()
    journal.close()
