"""Cutting the journal's oldest entries off, so that what stays can still be verified and explained."""

from __future__ import annotations

import sqlite3

from gateway.store import chain


def cut(db: sqlite3.Connection, at: chain.Head) -> None:
    """Delete all entries up to a checkpoint with what belongs to them, within the caller's transaction.

    The checkpoint stays, and so does the newest configuration entry before it, as a row of `anchors`.
    """
    _keep_anchor(db, at.anchor)
    db.execute("DELETE FROM entries WHERE id <= ?", (at.entry,))
    db.execute("DELETE FROM decisions WHERE entry <= ?", (at.entry,))
    db.execute("DELETE FROM events WHERE number <= ?", (at.last_event,))
    db.execute("DELETE FROM snapshots WHERE entry < ?", (at.entry,))
    db.execute("DELETE FROM checkpoints WHERE entry < ?", (at.entry,))


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
