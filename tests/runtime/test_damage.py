import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.core.engine import ENGINE_VERSION
from gateway.core.entry import EntryBroken
from gateway.runtime.history import replay, resume
from gateway.store.reader import Reader
from gateway.store.schema import FILE_NAME
from tests.runtime.house import KEYS, WireNode, running
from tests.runtime.test_pump import storm


def spoil(folder: Path, entry: int, column: str, value: object) -> None:
    with closing(sqlite3.connect(folder / FILE_NAME)) as db, db:
        db.execute(f"UPDATE entries SET {column} = ? WHERE id = ?", (value, entry))


async def crashed(folder: Path) -> int:
    """A journal without a snapshot; returns the number of the last entry."""
    async with running(folder, graceful=False) as house:
        await storm(house, 4)
        return house.decider.committed_id


async def test_a_damaged_entry_is_passed_over_and_what_follows_is_not_lost(tmp_path: Path) -> None:
    last = await crashed(tmp_path)
    spoil(tmp_path, last - 2, "body", b"\x9f")
    with closing(Reader.open(tmp_path)) as reader:
        began = resume(reader)
        assert began.damaged == (last - 2,) and began.engine.last_id == last
        assert began.engine.ledger.event == reader.head_event()
        assert replay(reader).last == last
    async with running(tmp_path) as house:  # numbers go on behind those that were given
        assert house.counted("entry_damaged") == 1
        before = house.journal.last_event
        await storm(house, 2, WireNode(KEYS[0], 100, 100))
        assert house.journal.last_event > before


async def test_the_last_entry_of_all_may_be_the_damaged_one(tmp_path: Path) -> None:
    last = await crashed(tmp_path)
    spoil(tmp_path, last, "kind", "c\x00mmand")
    with closing(Reader.open(tmp_path)) as reader:
        assert resume(reader).damaged == (last,)


async def test_an_entry_of_a_newer_release_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    last = await crashed(tmp_path)
    spoil(tmp_path, last, "version", 9)
    monkeypatch.setattr(Reader, "is_intact", lambda self, entry: True)  # as it was written
    with closing(Reader.open(tmp_path)) as reader, pytest.raises(EntryBroken, match=f"entry {last}: .* newer"):
        resume(reader)


async def test_what_was_written_is_intact(tmp_path: Path) -> None:
    last = await crashed(tmp_path)
    with closing(Reader.open(tmp_path)) as reader:
        assert all(reader.is_intact(entry) for entry in range(1, last + 1))
        assert not reader.is_intact(last + 1)


async def test_a_tag_that_is_decided_otherwise_shows_at_the_next_snapshot(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        node = WireNode(KEYS[0])
        await house.hand_in(node.say_health(0))
        await house.answered(1)
        entry = house.decider.committed_id
    with closing(Reader.open(tmp_path)) as reader:
        assert replay(reader).different == []
        kept = reader.newest_snapshot(ENGINE_VERSION)
        assert kept
        (body,) = (row.body for row in reader.read(entry - 1, 1))
    battery = b"\x19" + (3000).to_bytes(2, "big")
    assert body.count(battery) == 1
    spoil(tmp_path, entry, "body", body.replace(battery, b"\x19" + (3001).to_bytes(2, "big")))
    with closing(Reader.open(tmp_path)) as reader:
        assert replay(reader).different == [kept[0]]
