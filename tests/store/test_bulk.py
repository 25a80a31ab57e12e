"""Any number of rows with few statements."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.store.bulk import insert, put


@given(st.integers(0, 700))
@settings(deadline=None)
def test_all_rows_are_there_after_few_statements(count: int) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY, square INTEGER)")
        said: list[str] = []
        db.set_trace_callback(said.append)
        rows = [(number, number * number) for number in range(count)]
        insert(db, "numbers", rows)
        assert len(said) <= 10
        assert db.execute("SELECT * FROM numbers ORDER BY rowid").fetchall() == rows


@given(st.lists(st.dictionaries(st.text("abc", max_size=2), st.binary(max_size=3), max_size=9), max_size=5))
@settings(deadline=None)
def test_the_newest_value_of_a_key_stands_in_its_old_place(groups: list[dict[str, bytes]]) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.execute("CREATE TABLE windows (node TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT")
        known: dict[str, bytes] = {}
        for group in groups:
            put(db, "windows", "node", "state", [*group.items()])
            known.update(group)
        assert db.execute("SELECT * FROM windows ORDER BY rowid").fetchall() == [*known.items()]
