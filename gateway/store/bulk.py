"""Many rows with few statements.

Each step of a statement lets go of the interpreter's lock and asks for it again. While the event loop is busy, that
takes up to a switch interval, so a row per step makes a commit wait thousands of times.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

CHUNKS = (256, 128, 64, 32, 16, 8, 4, 2, 1)
"""Rows in a statement: few sizes, so that all statements stay prepared, and few statements for any number of rows."""


def insert(db: sqlite3.Connection, table: str, rows: Sequence[Sequence[object]]) -> None:
    """Insert new rows of one length, in order."""
    _write(db, f"INSERT INTO {table}", rows, "")


def put(db: sqlite3.Connection, table: str, key: str, value: str, rows: Sequence[tuple[str | bytes, object]]) -> None:
    """Give each key its value: pairs for a table of two columns. A row that is there is changed in place; to replace
    it would write its index and another end of the table as well.
    """
    _write(db, f"INSERT INTO {table}", rows, f" ON CONFLICT ({key}) DO UPDATE SET {value} = excluded.{value}")


def _write(db: sqlite3.Connection, into: str, rows: Sequence[Sequence[object]], conflict: str) -> None:
    at = 0
    for size in CHUNKS:
        while len(rows) - at >= size:
            statement = _statement(into, len(rows[at]), size, conflict)
            db.execute(statement, [*chain.from_iterable(rows[at : at + size])])
            at += size


@lru_cache
def _statement(into: str, columns: int, rows: int, conflict: str) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"{into} VALUES {', '.join([row] * rows)}{conflict}"
