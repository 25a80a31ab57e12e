"""Reading the journal: what its own writer offers too, here over a connection that cannot write."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Self

from gateway.store import chain
from gateway.store.group import Row
from gateway.store.identity import verifies
from gateway.store.schema import FILE_NAME, JournalBroken, named_faults, open_reader

CHECKPOINT_COLUMNS = "entry, hash, at_ms, last_event, anchor, anchor_hash"


class Reader:
    """A blocking reader; one per thread. Every method sees all that was committed before its call.

    All methods raise JournalBroken (damage) and JournalFull (the disk fails).
    """

    def __init__(self, folder: Path, db: sqlite3.Connection) -> None:
        self._path = folder / FILE_NAME
        self._db = db
        with named_faults(self._path):
            meta = dict(db.execute("SELECT name, value FROM meta"))
        if not meta.keys() >= {"gateway_id", "public_key"}:
            raise JournalBroken(f"{self._path}: the gateway's id is missing")
        self.gateway_id: bytes = meta["gateway_id"]
        self.public_key: bytes = meta["public_key"]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the journal in `folder` read-only, in any process. Raises JournalBroken."""
        db = open_reader(folder)
        try:
            return cls(folder, db)
        except BaseException:
            db.close()
            raise

    def close(self) -> None:
        """Give the connection back."""
        self._db.close()

    def _all(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with named_faults(self._path):
            return self._db.execute(sql, values).fetchall()

    @property
    def first_id(self) -> int:
        """Id of the oldest entry that is kept, or that the next one will have if none is."""
        return int(self._all("SELECT min(entry) + 1 FROM checkpoints")[0][0])

    def head_id(self) -> int:
        """Id of the newest committed entry; 0: there never was one."""
        sql = "SELECT max(ifnull((SELECT max(id) FROM entries), 0), (SELECT max(entry) FROM checkpoints))"
        return int(self._all(sql)[0][0])

    def head(self) -> tuple[int, bytes]:
        """Id and hash of the newest committed entry, or of the newest checkpoint if there is none after it."""
        newest = self._all("SELECT id, hash FROM entries ORDER BY id DESC LIMIT 1")
        entry, stored = (newest or self._all("SELECT entry, hash FROM checkpoints ORDER BY entry DESC LIMIT 1"))[0]
        return entry, stored

    def head_event(self) -> int:
        """Number of the newest event; 0: there never was one."""
        sql = "SELECT max(ifnull((SELECT max(number) FROM events), 0), (SELECT max(last_event) FROM checkpoints))"
        return int(self._all(sql)[0][0])

    def is_intact(self, entry: int) -> bool:
        """Whether an entry is what was written: its hash follows from the one stored before it."""
        before = "SELECT hash FROM entries WHERE id = ? UNION ALL SELECT hash FROM checkpoints WHERE entry = ?"
        columns = "at_ms, CAST(kind AS BLOB), version, body, updates, hash"
        written = self._all(f"SELECT {columns} FROM entries LEFT JOIN decisions ON entry = id WHERE id = ?", entry)
        previous = self._all(before, entry - 1, entry - 1)
        if not (written and previous):
            return False
        at_ms, kind, version, body, decision, stored = written[0]
        events = self._all("SELECT number, position FROM events WHERE entry = ? ORDER BY number", entry)
        led_to = chain.outcome(decision, events) if decision is not None or events else chain.NO_OUTCOME
        return bool(chain.link(previous[0][0], entry, at_ms, kind, version, body, led_to) == stored)

    def event_at(self, entry: int) -> int:
        """Number of the newest event up to an entry; 0: there is none."""
        return int(self._all("SELECT ifnull(max(number), 0) FROM events WHERE entry <= ?", entry)[0][0])

    def read(self, after: int, limit: int) -> list[Row]:
        """At most `limit` entries with an id above `after`, oldest first."""
        sql = "SELECT id, at_ms, kind, version, body FROM entries WHERE id > ? ORDER BY id LIMIT ?"
        return [Row(*row) for row in self._all(sql, after, limit)]

    def anchor(self) -> Row | None:
        """The configuration entry in force at `first_id`, if it has been pruned."""
        rows = self._all("SELECT id, at_ms, kind, version, body FROM anchors ORDER BY id DESC LIMIT 1")
        return Row(*rows[0]) if rows else None

    def decisions(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """(entry id, encoded Updates) of at most `limit` entries above `after` that led to any, oldest first."""
        sql = "SELECT entry, updates FROM decisions WHERE entry > ? ORDER BY entry LIMIT ?"
        return self._all(sql, after, limit)

    def events(self, after: int, limit: int) -> list[tuple[int, int, bytes]]:
        """(event number, entry id, the Update encoded) of at most `limit` events with a number above `after`, in
        order. Events outlive their entries: those of the oldest are given up only when there are too many.
        """
        return self._all(
            "SELECT number, entry, body FROM events WHERE number > ? ORDER BY number LIMIT ?", after, limit
        )

    def windows(self) -> dict[str, bytes]:
        """Node -> its window state."""
        return dict(self._all("SELECT node, state FROM windows"))

    def places(self) -> dict[str, bytes]:
        """Node -> what the gateway has learned at its place."""
        return dict(self._all("SELECT node, state FROM places"))

    def images(self) -> dict[bytes, bytes]:
        """SHA-256 -> the payload of an image that waits for a node."""
        return dict(self._all("SELECT sha256, data FROM images"))

    def marks(self) -> dict[str, int]:
        """Name -> number."""
        return dict(self._all("SELECT name, value FROM marks"))

    def newest_snapshot(self, engine_version: str | None, at_or_before: int | None = None) -> tuple[int, bytes] | None:
        """(entry id, state) of the newest snapshot of that engine, or of any, whose signature holds, or None."""
        sql = (
            "SELECT entry, state, signature, engine_version FROM snapshots"
            " WHERE engine_version = ifnull(?, engine_version) AND entry <= ? ORDER BY entry DESC"
        )
        last = 2**63 - 1 if at_or_before is None else at_or_before
        with named_faults(self._path):
            for entry, state, signature, version in self._db.execute(sql, (engine_version, last)):
                message = chain.snapshot_message(self.gateway_id, entry, version.encode(), state)
                if verifies(self.public_key, signature, message):
                    return entry, state
        return None

    def newest_checkpoint(self) -> chain.Head:
        """The newest state of the chain that was signed. Raises JournalBroken if its signature does not hold."""
        sql = f"SELECT {CHECKPOINT_COLUMNS}, signature FROM checkpoints ORDER BY entry DESC LIMIT 1"
        rows = self._all(sql)
        if not rows:
            raise JournalBroken(f"{self._path}: no checkpoint")
        *columns, signature = rows[0]
        checkpoint = chain.Head(*columns)
        if not verifies(self.public_key, signature, checkpoint.message(self.gateway_id)):
            raise JournalBroken(
                f"{self._path}: the checkpoint at entry {checkpoint.entry} is not signed by this gateway"
            )
        return checkpoint
