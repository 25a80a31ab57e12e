"""The journal: one append-only log in SQLite, hash-chained and signed.

A plain blocking class for one worker thread; other threads and processes read through `Reader`. Bodies, decisions and
window states are opaque bytes here. Durability is SQLite's WAL with synchronous=FULL: `commit` returns after fsync.
Windows and marks change in place and are therefore not in the chain. Events have a chain of their own (seals.py),
because they are kept longer than the entries that raised them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Self

from gateway.store import chain, identity, retention, seals
from gateway.store.bulk import insert, put
from gateway.store.group import Group, Row, extend
from gateway.store.reader import CHECKPOINT_COLUMNS, Reader
from gateway.store.retention import Limits, Pruned, Sizes
from gateway.store.schema import (
    ANCHORED_KIND,
    FILE_NAME,
    JournalBroken,
    JournalFull,
    JournalRefused,
    named_faults,
    open_writer,
    transaction,
)

__all__ = ["Group", "Journal", "JournalBroken", "JournalFull", "Reader", "Row"]

LOCK_FILE_NAME = "journal.lock"
CHECKPOINT_EVERY = 2_000  # entries; what is cut off in one step
SNAPSHOTS_KEPT = 3
EVENTS_MEASURED = 100  # the newest, for how many there is room for


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
        with transaction(db, self._path):
            seals.begin(db, who)
            self._event_hash = seals.head(db)
        self._due_event = 0  # up to this one events would be given up, if they need not be delivered
        self._lock = -1

    @classmethod
    def open(cls, folder: Path, *, create: bool = True) -> Self:
        """Open the journal in `folder` for writing, and make it, with the gateway's key, if there is none.

        Raises JournalBroken: missing (unless `create`), damaged or cut off, of a newer gateway, in use by another
        process, without its key; JournalRefused: the disk does not let it. What the entries contain is not verified
        here: that is `audit`.
        """
        path = folder / FILE_NAME
        if not create and not path.is_file():
            raise JournalBroken(f"{path}: no journal here")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.ExitStack() as undo:
                lock = _lock(folder / LOCK_FILE_NAME)
                undo.callback(os.close, lock)
                journal = cls._open_locked(folder)
                undo.pop_all()
        except OSError as fault:
            raise JournalRefused(f"{folder}: {fault.strerror}", folder) from fault
        except JournalFull as fault:
            raise JournalRefused(fault, folder) from fault
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
        events = [(*event, reached) for event, reached in zip(group.events, self._linked(group), strict=True)]
        entries = [(r.id, r.at_ms, r.kind, r.version, r.body, h) for r, h in zip(group.rows, hashes, strict=True)]
        due = head.entry - self._checkpoint_id >= CHECKPOINT_EVERY
        with transaction(self._db, self._path):
            insert(self._db, "entries", entries)
            insert(self._db, "decisions", group.decisions)
            insert(self._db, "events", events)
            put(self._db, "windows", "node", "state", [*group.windows.items()])
            put(self._db, "places", "node", "state", [*group.places.items()])
            put(self._db, "images", "sha256", "data", [*group.images.items()])
            self._db.executemany("DELETE FROM images WHERE sha256 = ?", ((name,) for name in group.dropped))
            put(self._db, "marks", "name", "value", [*group.marks.items()])
            if due:
                self._sign(head)
        self._head = head
        if events:
            self._event_hash = events[-1][-1]
        if due:
            self._checkpoint_id = head.entry

    def _linked(self, group: Group) -> Iterator[bytes]:
        reached = self._event_hash
        for event in group.events:
            reached = seals.link(reached, event)
            yield reached

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
            if signs := entry == self.last_id > self._checkpoint_id:  # so that everything up to here can be cut off
                self._sign(self._head)
            self._db.execute(
                "DELETE FROM snapshots WHERE rowid NOT IN"
                " (SELECT rowid FROM snapshots ORDER BY entry DESC, rowid DESC LIMIT ?)",
                (SNAPSHOTS_KEPT,),
            )
        if signs:
            self._checkpoint_id = entry

    def checkpoint(self) -> None:
        """Sign the head of the chain, unless it is signed already."""
        if self._head.entry == self._checkpoint_id:
            return
        with transaction(self._db, self._path):
            self._sign(self._head)
        self._checkpoint_id = self._head.entry

    def _sign(self, head: chain.Head) -> None:
        _insert_checkpoint(self._db, head, self._who)
        seals.seal(self._db, self._who)

    def prune(self, limits: Limits, *, never_past: int, now_ms: int) -> Pruned:
        """Let go of some of the oldest: one step, so that commits can come in between; nothing, when the limits are
        kept or cannot be.

        First entries, one checkpoint at a time and never one above `never_past` (the newest usable snapshot), which
        are too old or too many for the disk; then events beyond their limit, and more of them where the disk demands it
        although `never_past` is near the head; then room that the file no longer needs goes back to the disk. An event
        is never given up before its entry, nor above `limits.undelivered`. The configuration entry in force at the cut
        stays as `anchor`.
        """
        if entries := self._cut(limits, never_past, now_ms):
            return Pruned(entries=entries)
        if events := self._give_up_events(limits, never_past):
            return Pruned(events=events)
        return Pruned(pages=self._shrink(limits))

    def _cut(self, limits: Limits, never_past: int, now_ms: int) -> int:
        sql = (
            f"SELECT {CHECKPOINT_COLUMNS} FROM checkpoints WHERE entry <= ?"
            " AND entry > (SELECT min(entry) FROM checkpoints) ORDER BY entry LIMIT 1"
        )
        found = self._all(sql, never_past)
        if not found:
            return 0
        at = chain.Head(*found[0])
        too_old = limits.age_ms is not None and at.at_ms < now_ms - limits.age_ms
        if not too_old and not self._too_big(limits):
            return 0
        with transaction(self._db, self._path):
            return retention.cut(self._db, at)

    def _give_up_events(self, limits: Limits, never_past: int) -> int:
        due = self._events_due(limits, never_past)
        upto = due if limits.undelivered is None else min(due, limits.undelivered)
        self._due_event = due if upto < due else 0
        if not upto:
            return 0
        with transaction(self._db, self._path):
            return seals.give_up(self._db, upto)

    def _events_due(self, limits: Limits, never_past: int) -> int:
        """Number of the last event that there is no room for; 0: there is for all."""
        (of_cut,) = self._all("SELECT last_event FROM checkpoints ORDER BY entry LIMIT 1")[0]
        oldest = self._all("SELECT number FROM seals WHERE number > (SELECT min(number) FROM seals) LIMIT 1")
        if limits.events is not None and self.last_event - limits.events >= (oldest[0][0] if oldest else 2**63):
            return int(min(of_cut, self.last_event - limits.events))
        if oldest and self.last_id - never_past <= CHECKPOINT_EVERY and self._too_big(limits):
            return int(min(of_cut, oldest[0][0]))
        return 0

    def _shrink(self, limits: Limits) -> int:
        """Only while the file is beyond the bound itself: else its room is used again."""
        free = self._pragma("freelist_count")
        if limits.disk_bytes is None or not free:
            return 0
        if self._pragma("page_size") * self._pragma("page_count") + self._wal_bytes() <= limits.disk_bytes:
            return 0
        with named_faults(self._path):  # one step of that statement frees one page, and `execute` makes one step only
            self._db.executescript(f"PRAGMA incremental_vacuum({retention.VACUUM_PAGES})")
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()  # the file shrinks when the log is copied
        return free - self._pragma("freelist_count")

    def _too_big(self, limits: Limits) -> bool:
        return limits.presses(self.sizes().used)

    def sizes(self) -> Sizes:
        """What the journal takes at present."""
        data = self._pragma("page_size") * (self._pragma("page_count") - self._pragma("freelist_count"))
        newest = f"SELECT body FROM events ORDER BY number DESC LIMIT {EVENTS_MEASURED}"
        sql = f"SELECT (SELECT min(number) FROM seals), (SELECT avg(length(body)) FROM ({newest}))"
        gone, update = self._all(sql)[0]
        try:
            return Sizes(
                data, self._path.stat().st_size, self._wal_bytes(), max(gone, self._due_event), int(update or 0)
            )
        except OSError as fault:
            raise JournalFull(f"{self._path}: {fault.strerror}") from fault

    def _wal_bytes(self) -> int:
        try:
            return self._path.with_name(f"{FILE_NAME}-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def _pragma(self, name: str) -> int:
        return int(self._all(f"PRAGMA {name}")[0][0])

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
