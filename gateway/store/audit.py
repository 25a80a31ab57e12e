"""Is the journal what this gateway wrote? Verifies hashes, signatures, numbering and what belongs to what.

What it can show, and what not: a changed, added or missing entry up to the newest checkpoint is found, because the
checkpoints are signed. Entries after the newest checkpoint (`Report.unsigned`) are only chained: whoever can write the
file can cut them off or rewrite them unseen, and whoever deletes checkpoints too can cut further back. Only a hash
noted elsewhere (`Report.head_hash`) shows that. Alarm and incident events have a chain of their own, sealed with each
checkpoint, so that those whose entries are gone are verified, too. Who has `gateway.key` can forge everything; pass
the public key you know to exclude another key. Removing the oldest entries up to a checkpoint, and the oldest events
up to a seal, is what retention does and no fault. Windows and marks change in place and are not covered.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from gateway.store import chain, seals
from gateway.store.identity import verifies
from gateway.store.reader import CHECKPOINT_COLUMNS
from gateway.store.schema import FILE_NAME, JournalBroken, named_faults, open_reader
from gateway.store.walk import Walk

FAULTS_REPORTED = 1000


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is not as it was written, and the entry it belongs to (0: none)."""

    entry: int
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit found. Entries verify when their hash follows from the chain, and the chain from a signature."""

    gateway_id: bytes
    first: int  # oldest entry kept, by the oldest checkpoint
    last: int  # newest entry
    head_hash: bytes  # of the newest entry: worth noting elsewhere
    checkpoints: int  # whose signature holds
    unsigned: int  # entries after the newest of them
    verified_before: int  # entries before the first broken one that verify; all of them if nothing is broken
    verified_after: int
    faults: tuple[Fault, ...]  # by entry, at most 1000
    fault_count: int

    @property
    def ok(self) -> bool:
        """Nothing is broken."""
        return self.fault_count == 0

    @property
    def first_broken(self) -> int | None:
        """The first entry that is not as it was written."""
        return self.faults[0].entry if self.faults else None


def audit(folder: Path, public_key: bytes | None = None) -> Report:
    """Verify the journal in `folder`, read-only, as it is at this moment; a gateway may be writing.

    `public_key` (32 bytes) is the one the auditor knows the gateway by; without it the journal's own is believed.
    While it runs the write-ahead log cannot be reset. Raises JournalBroken if there is no journal to be read, and
    JournalFull if the disk fails.
    """
    path = folder / FILE_NAME
    with closing(open_reader(folder)) as db, named_faults(path):
        db.text_factory = bytes  # a flipped bit need not leave valid UTF-8
        db.execute("BEGIN")
        return _Audit(db, path, public_key).run()


class _Audit:
    def __init__(self, db: sqlite3.Connection, path: Path, public_key: bytes | None) -> None:
        self._db = db
        self._path = path
        self._faults: list[Fault] = []
        self._fault_count = 0
        meta = dict(db.execute("SELECT name, value FROM meta"))
        self._key: bytes = public_key or meta.get(b"public_key", b"")
        self._gateway = chain.gateway_id(self._key)
        if meta != {b"gateway_id": self._gateway, b"public_key": self._key}:
            self._fault(0, "the journal's gateway id and public key are not those expected")
        self._checkpoints: dict[int, chain.Head] = {}
        self._verified: list[tuple[int, int]] = []  # runs of entries, first and last
        self._last = 0
        self._head_hash = b""

    def run(self) -> Report:
        try:
            self._check_file()
            self._read_checkpoints()
            self._walk()
            self._check_orphans()
            self._check_events()
            self._check_anchor()
            self._check_snapshots()
        except sqlite3.DatabaseError as fault:
            if getattr(fault, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CORRUPT:
                raise
            self._fault(self._last + 1, f"the file is damaged: {fault}")
        return self._report()

    def _fault(self, entry: int, what: str) -> None:
        self._fault_count += 1
        if len(self._faults) < FAULTS_REPORTED:
            self._faults.append(Fault(entry, what))

    def _report(self) -> Report:
        faults = tuple(sorted(self._faults))
        broken = faults[0].entry if faults else 2**63
        oldest, newest = min(self._checkpoints, default=0), max(self._checkpoints, default=0)
        return Report(
            gateway_id=self._gateway,
            first=oldest + 1,
            last=self._last,
            head_hash=self._head_hash,
            checkpoints=len(self._checkpoints),
            unsigned=max(0, self._last - newest),
            verified_before=sum(max(0, min(last, broken - 1) - first + 1) for first, last in self._verified),
            verified_after=sum(max(0, last - max(first, broken + 1) + 1) for first, last in self._verified),
            faults=faults,
            fault_count=self._fault_count,
        )

    def _check_file(self) -> None:
        verdict = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != b"ok":
            self._fault(0, f"the file is damaged: {verdict.decode(errors='replace')}")

    def _read_checkpoints(self) -> None:
        sql = f"SELECT {CHECKPOINT_COLUMNS}, key_id, signature FROM checkpoints ORDER BY entry"
        for *columns, key_id, signature in self._db.execute(sql):
            head = chain.Head(*columns)
            if key_id == self._gateway and verifies(self._key, signature, head.message(self._gateway)):
                self._checkpoints[head.entry] = head
            else:
                self._fault(head.entry, f"the checkpoint at entry {head.entry} is not signed by this gateway")
        if not self._checkpoints:
            raise JournalBroken(f"{self._path}: no checkpoint of this gateway; nothing in it can be verified")

    def _events(self) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """Events of entries that are kept."""
        base = min(self._checkpoints)
        sql = "SELECT entry, number, position FROM events WHERE entry > ? ORDER BY entry, number"
        cursor = self._db.execute(sql, (base,))
        for entry, rows in groupby(cursor, key=lambda row: row[0]):
            yield entry, [(number, index) for _, number, index in rows]

    def _walk(self) -> None:
        base = self._checkpoints[min(self._checkpoints)]
        walk = Walk(base, self._fault)
        events = self._events()
        pending = next(events, None)
        sql = (
            "SELECT id, at_ms, kind, version, body, hash, updates FROM entries LEFT JOIN decisions ON entry = id"
            " ORDER BY id"
        )
        for row in self._db.execute(sql):
            entry = row[0]
            while pending and pending[0] < entry:
                self._fault(pending[0], f"events of entry {pending[0]}, which is not there")
                pending = next(events, None)
            of_entry: list[tuple[int, int]] = []
            if pending and pending[0] == entry:
                of_entry, pending = pending[1], next(events, None)
            if entry <= base.entry:
                self._fault(entry, f"entry {entry} is before the oldest checkpoint, at {base.entry}")
                continue
            walk.step(row, of_entry, self._checkpoints)
        while pending:
            self._fault(pending[0], f"events of entry {pending[0]}, which is not there")
            pending = next(events, None)
        walk.finish()
        self._last, self._head_hash, self._verified = walk.entry, walk.hash, walk.verified
        newest = max(self._checkpoints)
        if newest > walk.entry:
            self._fault(walk.entry + 1, f"entries {walk.entry + 1} to {newest} are missing: the journal was cut off")

    def _check_orphans(self) -> None:
        for (entry,) in self._db.execute("SELECT entry FROM decisions WHERE entry NOT IN (SELECT id FROM entries)"):
            self._fault(entry, f"a decision of entry {entry}, which is not there")

    def _check_events(self) -> None:
        signed = self._seals()
        if not signed:
            self._fault(0, "no seal of this gateway: the events whose entries are gone cannot be verified")
            return
        base = min(signed)
        number, follows_from = base, {signed[base]}
        doubted: int | None = None  # the first entry of this sealed stretch, while no fault was found in it
        for *event, stored in self._db.execute(
            "SELECT number, entry, position, body, hash FROM events ORDER BY number"
        ):
            found = {seals.link(previous, tuple(event)) for previous in follows_from}
            doubted = event[1] if number in signed else doubted
            if event[0] != number + 1:
                self._fault(event[1], f"event {event[0]} of entry {event[1]} where event {number + 1} was due")
                doubted = None
            elif stored not in found:
                self._fault(event[1], f"event {event[0]} of entry {event[1]} is not as it was written")
                doubted = None
            number, follows_from = event[0], {stored, *found}
            if number in signed:
                if signed[number] not in follows_from and doubted is not None:
                    self._fault(doubted, f"events up to {number}: one or more were rewritten, they miss the seal")
                follows_from = {signed[number]}
        if number < max(signed):
            self._fault(self._last + 1, f"events {number + 1} to {max(signed)} are missing")
        if max(signed) < self._checkpoints[max(self._checkpoints)].last_event:
            self._fault(
                max(self._checkpoints), f"the seal of the newest signed events, after event {max(signed)}, is missing"
            )

    def _seals(self) -> dict[int, bytes]:
        signed = {}
        for number, reached, signature in self._db.execute("SELECT number, hash, signature FROM seals"):
            if verifies(self._key, signature, seals.message(self._gateway, number, reached)):
                signed[number] = reached
            else:
                self._fault(0, f"the seal at event {number} is not signed by this gateway")
        return signed

    def _check_anchor(self) -> None:
        base = self._checkpoints[min(self._checkpoints)]
        rows = self._db.execute("SELECT id, at_ms, kind, version, body, outcome, previous FROM anchors").fetchall()
        hashes = {entry: chain.link(previous, entry, *rest) for entry, *rest, previous in rows}
        for entry, found in hashes.items():
            if (entry, found) != (base.anchor, base.anchor_hash):
                self._fault(entry, f"the anchored entry {entry} does not match the oldest checkpoint")
        if base.anchor and base.anchor not in hashes:
            self._fault(base.anchor, f"the anchored entry {base.anchor} is missing")

    def _check_snapshots(self) -> None:
        for entry, engine, state, signature in self._db.execute(
            "SELECT entry, engine_version, state, signature FROM snapshots"
        ):
            if not verifies(self._key, signature, chain.snapshot_message(self._gateway, entry, engine, state)):
                self._fault(entry, f"the snapshot at entry {entry} is not signed by this gateway")
