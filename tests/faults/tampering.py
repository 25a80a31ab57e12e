"""A bit of the journal flips on the disk."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.store.schema import FILE_NAME


def flip(state_dir: Path, entry: int, place: int) -> None:
    """Flip one bit of an entry's body, in the file itself; `place` is the byte's index. Nobody may have it open."""
    path = state_dir / FILE_NAME
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [(body,)] = db.execute("SELECT body FROM entries WHERE id = ?", (entry,))
    data = bytearray(path.read_bytes())
    at = data.find(body)
    assert at >= 0
    assert data.find(body, at + 1) < 0
    data[at + place % len(body)] ^= 1
    path.write_bytes(data)
