"""The journal's SQLite file: where it lies, its tables, how it is opened, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import cbor2

FILE_NAME = "journal.sqlite3"
APPLICATION_ID = 0x53746574  # "Stet", in the file's header (SQLite's application_id)
ANCHORED_KIND = "config"  # the kind of entry without which those after it cannot be explained
BUSY_TIMEOUT_S = 5.0
WAL_LIMIT_BYTES = 8 * 2**20  # a WAL that a long reader has made grow is cut back to this
SYNCHRONOUS = "FULL"  # a commit returns after fsync; the fault bench turns it off to show that it would notice


class JournalBroken(Exception):  # noqa: N818 - named for what the operator sees
    """The journal cannot be used: missing, damaged, of a newer gateway, or in use. The message names the file."""


class JournalRefused(JournalBroken):
    """The journal is well as far as is known, and the world does not let it be opened: the disk is full, read-only or
    failing, or nobody gave the right. May be tried again.
    """

    def __init__(self, why: object, folder: Path) -> None:
        super().__init__(f"{why}{_room(folder)}")


def _room(folder: Path) -> str:
    """What SQLite does not say: on a full disk it may speak of an I/O error."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return ""
    return f" ({disk.f_bavail * disk.f_frsize // 1024} KiB are free on this disk)"


class JournalFull(Exception):  # noqa: N818 - it is the world's fault, not an error in the program
    """The disk is full, read-only, failing or blocked: nothing was written. May be tried again."""


_WORLD = {
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_NOLFS,
}  # fmt: skip
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@contextmanager
def named_faults(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into JournalFull or JournalBroken; those that are our own fault pass."""
    try:
        yield
    except sqlite3.DatabaseError as fault:
        code = getattr(fault, "sqlite_errorcode", 0) & 0xFF  # the primary code of an extended one
        if code in _WORLD:
            raise JournalFull(f"{path}: {fault}") from fault
        if code in _DAMAGED:
            raise JournalBroken(f"{path}: {fault}") from fault
        raise


def _tables(db: sqlite3.Connection) -> None:
    for table in (
        "meta (name TEXT PRIMARY KEY, value BLOB NOT NULL)",
        "entries (id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, version INTEGER NOT NULL,"
        " body BLOB NOT NULL, hash BLOB NOT NULL)",
        "decisions (entry INTEGER PRIMARY KEY, updates BLOB NOT NULL)",
        "events (number INTEGER PRIMARY KEY, entry INTEGER NOT NULL, position INTEGER NOT NULL)",
        "anchors (id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, version INTEGER NOT NULL,"
        " body BLOB NOT NULL, outcome BLOB NOT NULL, previous BLOB NOT NULL)",
        "checkpoints (entry INTEGER PRIMARY KEY, hash BLOB NOT NULL, at_ms INTEGER NOT NULL,"
        " last_event INTEGER NOT NULL, anchor INTEGER NOT NULL, anchor_hash BLOB NOT NULL, key_id BLOB NOT NULL,"
        " signature BLOB NOT NULL)",
        "snapshots (entry INTEGER NOT NULL, engine_version TEXT NOT NULL, state BLOB NOT NULL,"
        " signature BLOB NOT NULL, PRIMARY KEY (entry, engine_version))",
        "windows (node TEXT PRIMARY KEY, state BLOB NOT NULL)",
        "marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    ):
        db.execute(f"CREATE TABLE {table} STRICT")
    db.execute(f"CREATE INDEX anchored ON entries (id) WHERE kind = '{ANCHORED_KIND}'")


def _events_outlive_entries(db: sqlite3.Connection) -> None:
    """Every event carries its own Update, and is chained and sealed: by the writer, who has the key (seals.py)."""
    db.execute("ALTER TABLE events RENAME TO events_1")
    db.execute(
        "CREATE TABLE events (number INTEGER PRIMARY KEY, entry INTEGER NOT NULL, position INTEGER NOT NULL,"
        " body BLOB NOT NULL, hash BLOB NOT NULL) STRICT"
    )
    db.execute("CREATE TABLE seals (number INTEGER PRIMARY KEY, hash BLOB NOT NULL, signature BLOB NOT NULL) STRICT")
    rows = db.execute("SELECT number, entry, position, updates FROM events_1 LEFT JOIN decisions USING (entry)")
    filled = ((number, entry, position, _update_at(updates, position)) for number, entry, position, updates in rows)
    db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, zeroblob(32))", filled)
    db.execute("DROP TABLE events_1")


def _update_at(decision: bytes | None, position: int) -> bytes:
    """One Update of a decision as journals of schema 1 hold it: CBOR [[Update, ...], waiting]. Of a decision that is
    damaged (the audit names it) an empty list: the journal as a whole must still open.
    """
    try:
        return cbor2.dumps([cbor2.loads(decision or b"")[0][position]])
    except (ValueError, LookupError, TypeError, EOFError, cbor2.CBORError):
        return cbor2.dumps([])


def _places_and_images(db: sqlite3.Connection) -> None:
    """What the gateway has learned at the nodes' places: the newest state of each. And what waits to be sent to nodes,
    as long as a letter names it.
    """
    db.execute("CREATE TABLE places (node TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT")
    db.execute("CREATE TABLE images (sha256 BLOB PRIMARY KEY, data BLOB NOT NULL) STRICT")


MIGRATIONS: Sequence[Callable[[sqlite3.Connection], None]] = (_tables, _events_outlive_entries, _places_and_images)
"""Step i brings a file from schema version i to i + 1 (SQLite's user_version)."""


def _version(db: sqlite3.Connection, path: Path) -> int:
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    application = db.execute("PRAGMA application_id").fetchone()[0]
    empty = version == 0 and db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if application != APPLICATION_ID and not empty:
        raise JournalBroken(f"{path}: not a journal")
    if version > len(MIGRATIONS):
        raise JournalBroken(f"{path}: schema {version} is newer than this gateway's {len(MIGRATIONS)}")
    return version


def open_writer(path: Path) -> sqlite3.Connection:
    """Connect for reading and writing, and bring the schema up to date. Raises JournalBroken, JournalRefused."""
    with _opening(path, f"{path.absolute().as_uri()}?mode=rwc") as db:
        version = _version(db, path)
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file: one from before 0.2 reuses room, but keeps it
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
        db.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
        for step, migrate in enumerate(MIGRATIONS[version:], version + 1):
            with transaction(db, path):
                migrate(db)
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {step}")
    return db


def open_reader(folder: Path) -> sqlite3.Connection:
    """Connect read-only, beside a running gateway or to a copy on read-only media. Raises JournalBroken."""
    path = folder / FILE_NAME
    if not path.is_file():
        raise JournalBroken(f"{path}: no journal here")
    # A WAL database needs its -shm file even to be read; where none can be made, nobody can be writing either.
    still = not os.access(folder, os.W_OK) and not path.with_name(f"{FILE_NAME}-wal").exists()
    with _opening(path, f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if still else ''}") as db:
        version = _version(db, path)
        if version < len(MIGRATIONS):
            raise JournalBroken(f"{path}: schema {version} is older than {len(MIGRATIONS)}; start the gateway once")
    return db


@contextmanager
def _opening(path: Path, uri: str) -> Iterator[sqlite3.Connection]:
    """A connection, closed again if its preparation fails."""
    try:
        with named_faults(path), ExitStack() as undo:
            db = sqlite3.connect(uri, BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, uri=True)
            undo.callback(db.close)
            yield db
            undo.pop_all()
    except JournalFull as fault:
        raise JournalRefused(fault, path.parent) from fault


@contextmanager
def transaction(db: sqlite3.Connection, path: Path) -> Iterator[None]:
    """One write transaction, all or nothing. Raises JournalFull, JournalBroken."""
    with named_faults(path):
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # SQLite has rolled back by itself after some errors
                db.execute("ROLLBACK")
            raise
