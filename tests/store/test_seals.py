"""Events that outlive their entries: chained, sealed, and verified; those of an old journal gain all of it."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import cbor2
import pytest

from gateway.store import schema, seals
from gateway.store.audit import Report, audit
from gateway.store.journal import Journal
from gateway.store.schema import FILE_NAME
from tests.store.groups import START_MS, fill, next_group, prune

FAR_MS = START_MS * 2


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten events, 1 to 6 of entries that are gone, of which 1 and 2 were given up; seals at 2, 4, 6, 8, 10."""
    folder = tmp_path_factory.mktemp("intact")
    journal = Journal.open(folder)
    fill(journal, *[12] * 5)
    prune(journal, never_past=36, age_ms=0, now_ms=FAR_MS, events=8)
    journal.close()
    assert audit(folder).ok
    return folder


@pytest.fixture
def folder(intact: Path, tmp_path: Path) -> Path:
    shutil.copytree(intact, tmp_path, dirs_exist_ok=True)
    return tmp_path


def after(folder: Path, *statements: str) -> Report:
    """The audit after somebody has changed the file."""
    db = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    for statement in statements:
        db.execute(statement)
    db.close()
    return audit(folder)


@pytest.mark.parametrize("number", [3, 4, 5, 6, 7, 10])
@pytest.mark.parametrize("change", ["body = x'00'", "hash = zeroblob(32)"])
def test_a_changed_event_is_named_and_only_it(folder: Path, number: int, change: str) -> None:
    report = after(folder, f"UPDATE events SET {change} WHERE number = {number}")
    assert [fault.what for fault in report.faults] == [f"event {number} of entry {6 * number} is not as it was written"]


@pytest.mark.parametrize("column", ["entry", "position"])
def test_an_event_of_an_entry_that_is_gone_cannot_be_given_to_another(folder: Path, column: str) -> None:
    assert not after(folder, f"UPDATE events SET {column} = {column} + 1 WHERE number = 4").ok


def test_events_rewritten_with_hashes_that_fit_miss_the_seal(folder: Path) -> None:
    db = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    (reached,) = db.execute("SELECT hash FROM seals WHERE number = 2").fetchone()
    db.execute("UPDATE events SET body = x'00' WHERE number = 3")
    for number, entry, position, body in db.execute("SELECT number, entry, position, body FROM events").fetchall():
        reached = seals.link(reached, (number, entry, position, body))
        db.execute("UPDATE events SET hash = ? WHERE number = ?", (reached, number))
    db.close()
    report = audit(folder)
    assert "events up to 4: one or more were rewritten" in report.faults[0].what


def test_missing_events_and_seals_are_named(folder: Path) -> None:
    assert (
        "event 5 of entry 30 where event 4 was due"
        in after(folder, "DELETE FROM events WHERE number = 4").faults[0].what
    )


def test_the_newest_events_cannot_be_cut_off(folder: Path) -> None:
    report = after(folder, "DELETE FROM events WHERE number > 8", "DELETE FROM seals WHERE number > 8")
    assert any("the seal of the newest signed events" in fault.what for fault in report.faults)


@pytest.mark.parametrize("column", ["hash", "signature"])
def test_a_changed_seal_is_named(folder: Path, column: str) -> None:
    report = after(folder, f"UPDATE seals SET {column} = zeroblob(length({column})) WHERE number = 6")
    assert [fault.what for fault in report.faults] == ["the seal at event 6 is not signed by this gateway"]


def test_without_seals_nothing_is_believed(folder: Path) -> None:
    assert any("no seal" in fault.what for fault in after(folder, "DELETE FROM seals").faults)


def test_a_journal_goes_on_behind_its_last_event(folder: Path) -> None:
    for _ in range(2):
        journal = Journal.open(folder)
        journal.commit(next_group(journal, 12))
        journal.close()
    assert audit(folder).ok


def as_of_schema_1(folder: Path) -> None:
    """A journal of the first release, pruned as that release did: events go with their entries."""
    journal = Journal.open(folder)
    fill(journal, 12, 12, 12)
    prune(journal, never_past=12, age_ms=0, now_ms=FAR_MS)
    for entry, _ in journal.decisions(0, 100):
        updates = [[2, "update", entry, index] for index in range(3)]
        journal._db.execute("UPDATE decisions SET updates = ? WHERE entry = ?", (cbor2.dumps([updates, []]), entry))
    journal.close()
    db = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    for statement in (
        "CREATE TABLE events_1 (number INTEGER PRIMARY KEY, entry INTEGER NOT NULL, position INTEGER NOT NULL) STRICT",
        "INSERT INTO events_1 SELECT number, entry, position FROM events WHERE entry > 12",
        "DROP TABLE events", "DROP TABLE seals", "DROP TABLE places", "DROP TABLE images",
        "ALTER TABLE events_1 RENAME TO events",
        "PRAGMA user_version = 1",
    ):  # fmt: skip
        db.execute(statement)
    db.close()


def test_the_events_of_an_old_journal_gain_their_updates_and_seals(tmp_path: Path) -> None:
    as_of_schema_1(tmp_path)
    journal = Journal.open(tmp_path)
    assert [(n, entry, cbor2.loads(body)) for n, entry, body in journal.events(0, 99)] == [
        (n, 6 * n, [[2, "update", 6 * n, (n - 1) % 2]]) for n in range(3, 7)
    ]
    fill(journal, 12)
    journal.close()
    faults = [fault.what for fault in audit(tmp_path).faults]
    assert not any("event" in what or "seal" in what for what in faults), faults


def test_a_damaged_decision_does_not_keep_an_old_journal_from_opening(tmp_path: Path) -> None:
    as_of_schema_1(tmp_path)
    db = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    db.execute("UPDATE decisions SET updates = x'ff' WHERE entry = 18")
    db.execute("DELETE FROM decisions WHERE entry = 24")
    db.close()
    journal = Journal.open(tmp_path)
    bodies = {n: cbor2.loads(body) for n, _, body in journal.events(0, 99)}
    journal.close()
    assert (bodies[3], bodies[4]) == ([], [])
    assert bodies[5] and bodies[6]


def test_how_hard_a_commit_is_synced_is_one_constant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "SYNCHRONOUS", "OFF")
    db = schema.open_writer(tmp_path / FILE_NAME)
    assert db.execute("PRAGMA synchronous").fetchone()[0] == 0
    db.close()
