"""Many rows with few statements.

Each step of a statement lets go of the interpreter's lock and asks for it again. While the event loop is busy, that
takes up to a switch interval, so a row per step makes a commit wait thousands of times.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

CHUNKS = (256, 32, 4, 1)
"""Rows in a statement: few sizes, so that all statements stay prepared."""


def insert(db: sqlite3.Connection, into: str, rows: Sequence[Sequence[object]]) -> None:
    """Insert rows of one length, in order. `into`: "INSERT INTO table" or "INSERT OR REPLACE INTO table"."""
    at = 0
    for size in CHUNKS:
        while len(rows) - at >= size:
            db.execute(_statement(into, len(rows[at]), size), [*chain.from_iterable(rows[at : at + size])])
            at += size


@lru_cache
def _statement(into: str, columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"{into} VALUES {', '.join([row] * rows)}"
