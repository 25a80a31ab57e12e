"""The events' own chain: events outlive the entries they belong to, and stay as verifiable as those.

The hash of event n is SHA-256(hash of event n-1 ‖ head ‖ body), the head being number, entry, position and length of
the body as big-endian integers. It begins with SHA-256(gateway id). A seal is the signed hash after one event; there
is one for every checkpoint that found new events, and retention cuts the oldest events off at seals only.
"""

from __future__ import annotations

import sqlite3
import struct
from hashlib import sha256

from gateway.store import chain
from gateway.store.identity import Identity

_EVENT = struct.Struct(">qqqQ")  # number, entry, position, length of the body
_SEAL = struct.Struct(">qQ")  # number, length of the hash

Event = tuple[int, int, int, bytes]
"""Number, entry, index in that entry's Updates, the Update encoded."""


def link(previous: bytes, event: Event) -> bytes:
    """Hash of one event (32 bytes)."""
    number, entry, position, body = event
    return sha256(previous + _EVENT.pack(number, entry, position, len(body)) + body).digest()


def message(gateway: bytes, number: int, reached: bytes) -> bytes:
    """The bytes that are signed (Ed25519, RFC 8032) for the chain after event `number`."""
    return b"stethos events\0" + gateway + _SEAL.pack(number, len(reached)) + reached


def head(db: sqlite3.Connection) -> bytes:
    """Hash of the newest event, or what the next one follows."""
    sql = "SELECT number, hash FROM events UNION ALL SELECT number, hash FROM seals ORDER BY number DESC LIMIT 1"
    reached: bytes = db.execute(sql).fetchone()[1]
    return reached


def begin(db: sqlite3.Connection, who: Identity) -> None:
    """Make the chain of events that have none, those of a journal of schema 1; within the caller's transaction."""
    if db.execute("SELECT EXISTS (SELECT 1 FROM seals)").fetchone()[0]:
        return
    oldest, known = db.execute("SELECT (SELECT min(number) FROM events), max(last_event) FROM checkpoints").fetchone()
    number, reached = oldest - 1 if oldest else known, chain.genesis(who.gateway_id)
    _keep(db, number, reached, who)
    page = "SELECT number, entry, position, body FROM events WHERE number > ? ORDER BY number LIMIT 1000"
    while events := db.execute(page, (number,)).fetchall():
        for event in events:
            number, reached = event[0], link(reached, event)
            db.execute("UPDATE events SET hash = ? WHERE number = ?", (reached, number))
    seal(db, who)


def seal(db: sqlite3.Connection, who: Identity) -> None:
    """Sign the newest event, unless it is; within the caller's transaction."""
    newest = db.execute("SELECT number, hash FROM events ORDER BY number DESC LIMIT 1").fetchone()
    if newest and newest[0] > db.execute("SELECT max(number) FROM seals").fetchone()[0]:
        _keep(db, newest[0], newest[1], who)


def give_up(db: sqlite3.Connection, number: int) -> int:
    """Delete the events up to the newest seal that is not above `number`, and return how many; within the caller's
    transaction.
    """
    found = db.execute("SELECT max(number) FROM seals WHERE number <= ?", (number,)).fetchone()[0]
    if found is None:
        return 0
    deleted = db.execute("DELETE FROM events WHERE number <= ?", (found,)).rowcount
    db.execute("DELETE FROM seals WHERE number < ?", (found,))
    return deleted


def _keep(db: sqlite3.Connection, number: int, reached: bytes, who: Identity) -> None:
    signature = who.key.sign(message(who.gateway_id, number, reached))
    db.execute("INSERT INTO seals VALUES (?, ?, ?)", (number, reached, signature))
