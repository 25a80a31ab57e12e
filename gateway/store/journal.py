"""The journal: one append-only log in SQLite, hash-chained and signed.

A plain blocking class for one worker thread; other threads and processes read through `Reader`. Bodies, decisions and
window states are opaque bytes here. Durability is SQLite's WAL with synchronous=FULL: `commit` returns after fsync.
Windows and marks change in place and are therefore not in the chain.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Self

from gateway.store import chain, identity, retention
from gateway.store.group import Group, Row, extend
from gateway.store.reader import CHECKPOINT_COLUMNS, Reader
from gateway.store.schema import (
    ANCHORED_KIND,
    FILE_NAME,
    JournalBroken,
    JournalFull,
    named_faults,
    open_writer,
    transaction,
)

__all__ = ["Group", "Journal", "JournalBroken", "JournalFull", "Reader", "Row"]

LOCK_FILE_NAME = "journal.lock"
CHECKPOINT_EVERY = 10_000  # entries
SNAPSHOTS_KEPT = 3


class Journal(Reader):
    """The one writer. All methods raise JournalFull (nothing was written, may be tried again) and JournalBroken."""

    def __init__(self, folder: Path, db: sqlite3.Connection, who: identity.Identity) -> None:
        super().__init__(folder, db)
        if self.public_key != who.public_key or self.gateway_id != who.gateway_id:
            raise JournalBroken(f"{folder / identity.KEY_FILE_NAME}: not the key that {self._path} was begun with")
        self._who = who
        signed = self.newest_checkpoint()
        self._checkpoint_id = signed.entry
        self._head = self._find_head(signed)
        self._lock = -1

    @classmethod
    def open(cls, folder: Path, *, create: bool = True) -> Self:
        """Open the journal in `folder` for writing, and make it, with the gateway's key, if there is none.

        Raises JournalBroken: missing (unless `create`), damaged or cut off, of a newer gateway, in use by another
        process, without its key. What the entries contain is not verified here: that is `audit`.
        """
        path = folder / FILE_NAME
        if not create and not path.is_file():
            raise JournalBroken(f"{path}: no journal here")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with contextlib.ExitStack() as undo:
                lock = _lock(folder / LOCK_FILE_NAME)
                undo.callback(os.close, lock)
                journal = cls._open_locked(folder)
                undo.pop_all()
        except OSError as fault:
            raise JournalBroken(f"{folder}: {fault.strerror}") from fault
        except JournalFull as fault:
            raise JournalBroken(str(fault)) from fault
        journal._lock = lock
        with contextlib.suppress(JournalFull):  # on a full disk the older checkpoint does
            journal.checkpoint()
        return journal

    @classmethod
    def _open_locked(cls, folder: Path) -> Self:
        path, key = folder / FILE_NAME, folder / identity.KEY_FILE_NAME
        with contextlib.ExitStack() as undo:
            db = open_writer(path)
            undo.callback(db.close)
            # The key gets its name after the journal has begun, so that a crash in between leaves no key without one.
            with named_faults(path):
                begun = db.execute("SELECT EXISTS (SELECT 1 FROM meta)").fetchone()[0]
            if not begun:
                if key.exists():
                    raise JournalBroken(
                        f"{key}: its journal is gone; a new one, with a new id, begins without this key"
                    )
                _begin(db, path, identity.make(folder))
            if not key.exists():
                identity.keep(folder)
            journal = cls(folder, db, identity.load(folder))
            undo.pop_all()
        return journal

    def _find_head(self, signed: chain.Head) -> chain.Head:
        with named_faults(self._path):
            newest = self._db.execute("SELECT id, hash, at_ms FROM entries ORDER BY id DESC LIMIT 1").fetchone()
            event = self._db.execute("SELECT max(number) FROM events").fetchone()[0] or 0
            anchor = self._db.execute(
                "SELECT id, hash FROM entries WHERE kind = ? ORDER BY id DESC LIMIT 1", (ANCHORED_KIND,)
            ).fetchone()
        if newest is None and self.first_id > signed.entry:  # pruned up to the head
            return signed
        if newest is None or newest[0] < signed.entry:
            last = newest[0] if newest else 0
            raise JournalBroken(f"{self._path}: cut off: entries {last + 1} to {signed.entry} are missing")
        entry, stored, at_ms = newest
        anchor_id, anchor_hash = anchor or (signed.anchor, signed.anchor_hash)
        return chain.Head(entry, stored, at_ms, max(event, signed.last_event), anchor_id, anchor_hash)

    @property
    def last_id(self) -> int:
        """Id of the newest entry; 0: there never was one."""
        return self._head.entry

    @property
    def last_at_ms(self) -> int:
        """Time of the newest entry; the next one may not be earlier."""
        return self._head.at_ms

    @property
    def last_event(self) -> int:
        """Number of the newest event; 0: there never was one."""
        return self._head.last_event

    def commit(self, group: Group) -> None:
        """Make a group durable in one transaction, fsynced. ValueError if ids or event numbers have a gap, time falls,
        or a decision or event is not of an entry of this group.
        """
        hashes, head = extend(self._head, group)
        entries = ((r.id, r.at_ms, r.kind, r.version, r.body, h) for r, h in zip(group.rows, hashes, strict=True))
        due = head.entry - self._checkpoint_id >= CHECKPOINT_EVERY
        with transaction(self._db, self._path):
            many = self._db.executemany
            many("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", entries)
            many("INSERT INTO decisions VALUES (?, ?)", group.decisions)
            many("INSERT INTO events VALUES (?, ?, ?)", group.events)
            many("INSERT OR REPLACE INTO windows VALUES (?, ?)", group.windows.items())
            many("INSERT OR REPLACE INTO marks VALUES (?, ?)", group.marks.items())
            if due:
                self._sign(head)
        self._head = head
        if due:
            self._checkpoint_id = head.entry

    def set_marks(self, marks: Mapping[str, int]) -> None:
        """Keep numbers durably, each under its name."""
        self.commit(Group(marks=marks))

    def forget_windows(self, nodes: Iterable[str]) -> None:
        """Drop the windows of nodes (with their key generation) that will not be heard again."""
        with transaction(self._db, self._path):
            self._db.executemany("DELETE FROM windows WHERE node = ?", ((node,) for node in nodes))

    def save_snapshot(self, entry: int, engine_version: str, state: bytes) -> None:
        """Keep the engine's state after `entry`, signed; the newest 3 are kept. ValueError for an entry not there."""
        if not self.first_id - 1 <= entry <= self.last_id:
            raise ValueError(f"snapshot at entry {entry}: the journal has {self.first_id} to {self.last_id}")
        signature = self._who.key.sign(chain.snapshot_message(self.gateway_id, entry, engine_version.encode(), state))
        with transaction(self._db, self._path):
            row = (entry, engine_version, state, signature)
            self._db.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?)", row)
            self._db.execute(
                "DELETE FROM snapshots WHERE rowid NOT IN"
                " (SELECT rowid FROM snapshots ORDER BY entry DESC, rowid DESC LIMIT ?)",
                (SNAPSHOTS_KEPT,),
            )

    def checkpoint(self) -> None:
        """Sign the head of the chain, unless it is signed already."""
        if self._head.entry == self._checkpoint_id:
            return
        with transaction(self._db, self._path):
            self._sign(self._head)
        self._checkpoint_id = self._head.entry

    def _sign(self, head: chain.Head) -> None:
        _insert_checkpoint(self._db, head, self._who)

    def prune(self, *, never_past: int, now_ms: int, keep_ms: int | None = None, keep_bytes: int | None = None) -> int:
        """Delete the oldest entries and return how many: those older than `keep_ms`, and more until the journal's data
        takes at most `keep_bytes` (its file keeps its size; the room is used again).

        Cuts only at checkpoints, and never deletes an entry above `never_past`: the slowest cursor or the newest
        usable snapshot. The configuration entry in force at the cut stays as `anchor`. Each step from one checkpoint
        to the next is a transaction of its own.
        """
        self.checkpoint()
        base = self.first_id - 1
        cuts = self._all(
            f"SELECT {CHECKPOINT_COLUMNS} FROM checkpoints WHERE entry > ? AND entry <= ? ORDER BY entry",
            base,
            never_past,
        )
        deleted = 0
        for columns in cuts:
            cut = chain.Head(*columns)
            too_old = keep_ms is not None and cut.at_ms < now_ms - keep_ms
            if not too_old and (keep_bytes is None or self.used_bytes() <= keep_bytes):
                break
            with transaction(self._db, self._path):
                retention.cut(self._db, cut)
            deleted, base = deleted + cut.entry - base, cut.entry
        return deleted

    def used_bytes(self) -> int:
        """Bytes of the file that hold data; without the write-ahead log, which is bounded."""
        size, pages, free = (self._all(f"PRAGMA {p}")[0][0] for p in ("page_size", "page_count", "freelist_count"))
        return int(size) * (int(pages) - int(free))

    def close(self) -> None:
        """Sign the head, if the disk lets us, and release the journal. May be called again."""
        if self._lock < 0:
            return
        try:
            with contextlib.suppress(JournalFull):
                self.checkpoint()
        finally:
            super().close()
            os.close(self._lock)
            self._lock = -1


def _lock(path: Path) -> int:
    """Take the folder for this process, until the descriptor is closed. OSError, JournalBroken if it is taken."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as fault:
        os.close(lock)
        raise JournalBroken(f"{path.with_name(FILE_NAME)}: in use by another gateway process") from fault
    return lock


def _begin(db: sqlite3.Connection, path: Path, who: identity.Identity) -> None:
    with transaction(db, path):
        meta = (("gateway_id", who.gateway_id), ("public_key", who.public_key))
        db.executemany("INSERT INTO meta VALUES (?, ?)", meta)
        _insert_checkpoint(db, chain.Head(0, chain.genesis(who.gateway_id), 0, 0, 0, b""), who)


def _insert_checkpoint(db: sqlite3.Connection, head: chain.Head, who: identity.Identity) -> None:
    signature = who.key.sign(head.message(who.gateway_id))
    db.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*astuple(head), who.gateway_id, signature))
