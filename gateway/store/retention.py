"""Cutting the journal's oldest entries off, so that what stays can still be verified and explained."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass

from gateway.store import chain
from gateway.store.schema import WAL_LIMIT_BYTES

VACUUM_PAGES = 256  # of 4 KiB, given back to the disk in one step
EVENT_BYTES = 64  # of an event in the file, beside its Update: hash, numbers, SQLite's own


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept. None: no such limit."""

    age_ms: int | None = None  # of the entries
    disk_bytes: int | None = None  # of the journal's file with its write-ahead log
    events: int | None = None
    undelivered: int | None = None  # events above this number are kept all the same: somebody must be warned first

    @property
    def _room(self) -> int | None:
        """Bytes in use from which on something must go: an eighth stays free, for what comes between two looks."""
        return None if self.disk_bytes is None else self.disk_bytes * 7 // 8

    def presses(self, used: int) -> bool:
        """Whether so many bytes in use are too many."""
        return self._room is not None and used > self._room

    def events_kept(self, update_bytes: int) -> float:
        """How many events these limits leave room for, about, when one takes so many bytes beside its own."""
        most = math.inf if self.events is None else float(self.events)
        if self._room is None:
            return most
        return min(most, max(0, self._room - WAL_LIMIT_BYTES) / (update_bytes + EVENT_BYTES))


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of the journal: data in the file, the file with the free room in it, and the write-ahead log. And of its
    events: the last that is gone, or would be if `Limits.undelivered` did not keep it; bytes of an Update.
    """

    data: int
    file: int
    log: int
    gone_event: int = 0
    update: int = 0

    @property
    def used(self) -> int:
        """What there would be to cut off. A log beyond its bound is held open by a reader (an audit, a backup): letting
        go of entries would only make it longer.
        """
        return self.data + min(self.log, WAL_LIMIT_BYTES)

    @property
    def on_disk(self) -> int:
        """What `ls` shows."""
        return self.file + self.log


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one step of pruning has let go; false when there is nothing more to be done."""

    entries: int = 0
    events: int = 0
    pages: int = 0  # given back to the disk

    def __bool__(self) -> bool:
        return bool(self.entries or self.events or self.pages)


def cut(db: sqlite3.Connection, at: chain.Head) -> int:
    """Delete all entries up to a checkpoint with what belongs to them, but for the events, and return how many; within
    the caller's transaction.

    The checkpoint stays, and so does the newest configuration entry before it, as a row of `anchors`.
    """
    _keep_anchor(db, at.anchor)
    deleted = db.execute("DELETE FROM entries WHERE id <= ?", (at.entry,)).rowcount
    db.execute("DELETE FROM decisions WHERE entry <= ?", (at.entry,))
    db.execute("DELETE FROM snapshots WHERE entry < ?", (at.entry,))
    db.execute("DELETE FROM checkpoints WHERE entry < ?", (at.entry,))
    return deleted


def _keep_anchor(db: sqlite3.Connection, anchor: int) -> None:
    run = db.execute
    row = run("SELECT id, at_ms, kind, version, body FROM entries WHERE id = ?", (anchor,)).fetchone()
    if row is None:  # there is none yet, or it is kept since an earlier cut
        return
    before = run("SELECT hash FROM entries WHERE id = ?", (anchor - 1,)).fetchone()
    previous = before or run("SELECT hash FROM checkpoints WHERE entry = ?", (anchor - 1,)).fetchone()
    decision = run("SELECT updates FROM decisions WHERE entry = ?", (anchor,)).fetchone()
    events = run("SELECT number, position FROM events WHERE entry = ? ORDER BY number", (anchor,)).fetchall()
    led_to = chain.outcome(decision[0] if decision else None, events)
    run("DELETE FROM anchors")
    run("INSERT INTO anchors VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, led_to, previous[0]))
