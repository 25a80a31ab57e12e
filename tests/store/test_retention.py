"""Pruning: by age and size, at checkpoints only, never past a cursor, and the rest stays verifiable."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from gateway.store.audit import audit
from gateway.store.journal import FILE_NAME, Group, Journal, Row
from gateway.store.retention import EVENT_BYTES, Limits, Pruned
from gateway.store.schema import WAL_LIMIT_BYTES
from tests.store.groups import START_MS, fill, prune

FAR_MS = START_MS * 2


def test_age_cuts_at_the_last_checkpoint_that_is_old_enough(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 10, 10, 10, 10, step_ms=1000)
    deleted = prune(journal, never_past=40, age_ms=15_000, now_ms=START_MS + 40_000)
    assert deleted == 20  # the checkpoint at entry 20 is 20 s old, the one at 30 only 10 s
    assert [r.id for r in journal.read(0, 100)] == list(range(21, 41))
    assert journal.first_id == 21
    assert [e for e, _ in journal.decisions(0, 2)] == [21, 24]
    assert [n for n, *_ in journal.events(0, 9)] == [1, 2, 3, 4, 5, 6]  # events stay
    assert audit(tmp_path).ok
    journal.close()


def test_nothing_goes_past_the_entry_given(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 10, 10, 10)
    assert prune(journal, never_past=19, age_ms=0, now_ms=FAR_MS) == 10
    assert prune(journal, never_past=19, disk_bytes=0, now_ms=FAR_MS) == 0
    assert prune(journal, never_past=30, now_ms=FAR_MS) == 0
    journal.close()


def on_disk(folder: Path) -> int:
    """What `ls` shows of the journal: its file and the write-ahead log."""
    return sum(file.stat().st_size for file in folder.glob(f"{FILE_NAME}*") if not file.name.endswith("-shm"))


def grow(journal: Journal, groups: int) -> None:
    """About 2 MB in 500 entries a group."""
    for _ in range(groups):
        first, at_ms = journal.last_id + 1, max(journal.last_at_ms, START_MS)
        rows = [Row(i, at_ms, "report", 1, bytes(2000)) for i in range(first, first + 500)]
        event = (journal.last_event + 1, first, 0, b"event")
        journal.commit(Group(rows, decisions=[(first, b"decided")], events=[event]))
        journal.checkpoint()


def test_size_cuts_no_more_than_it_must_and_the_file_shrinks(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    grow(journal, 24)
    assert on_disk(tmp_path) == journal.sizes().on_disk > 50_000_000
    deleted = prune(journal, never_past=12_000, disk_bytes=30_000_000)
    assert 4000 <= deleted <= 8000
    assert deleted % 500 == 0
    assert audit(tmp_path).ok
    assert on_disk(tmp_path) <= 30_000_000
    assert len(journal.events(0, 100)) == 24
    journal.close()


def test_a_journal_kept_within_its_size_never_takes_more(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    for _ in range(40):
        grow(journal, 1)
        prune(journal, never_past=journal.last_id, disk_bytes=14_000_000)
        assert on_disk(tmp_path) <= 18_000_000  # what is added between two looks comes on top
    assert audit(tmp_path).ok
    journal.close()


def test_one_step_is_one_checkpoint_so_that_commits_can_come_in_between(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 10, 20, 30)
    steps = [journal.prune(Limits(age_ms=0), never_past=60, now_ms=FAR_MS) for _ in range(4)]
    assert steps == [Pruned(10), Pruned(20), Pruned(30), Pruned()]
    journal.close()


def test_events_beyond_their_limit_are_given_up_at_a_seal_and_never_before_their_entries(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, *[12] * 5)  # two events each
    assert prune(journal, never_past=60, events=3) == 0
    assert len(journal.events(0, 99)) == 10  # their entries are there
    prune(journal, never_past=36, age_ms=0, now_ms=FAR_MS)
    assert [n for n, *_ in journal.events(0, 99)] == list(range(1, 11))
    prune(journal, never_past=36, events=7)
    assert [n for n, *_ in journal.events(0, 99)] == list(range(3, 11))
    assert audit(tmp_path).ok
    prune(journal, never_past=36, events=0)
    assert [n for n, *_ in journal.events(0, 99)] == list(range(7, 11))
    assert audit(tmp_path).ok
    journal.close()


def test_events_are_given_up_for_room_only_when_nothing_else_is_left(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, *[3000] * 7)
    prune(journal, never_past=9000, disk_bytes=0)
    assert len(journal.events(0, 10_000)) == 3500  # 12,000 entries wait for a snapshot, which makes more room
    prune(journal, never_past=21_000, disk_bytes=0)
    assert len(journal.events(0, 10_000)) == 0
    assert journal.last_event == 3500
    fill(journal, 6)
    assert [n for n, *_ in journal.events(0, 9)] == [3501]
    assert audit(tmp_path).ok
    journal.close()


@pytest.mark.parametrize("limit", [{"events": 0}, {"disk_bytes": 0}])
def test_events_that_are_not_delivered_are_kept_and_named_until_they_may_go(
    tmp_path: Path, limit: dict[str, int]
) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, *[12] * 5)  # two events each
    prune(journal, never_past=60, age_ms=0, now_ms=FAR_MS)

    def gone(undelivered: int | None) -> int:
        while journal.prune(Limits(**limit, undelivered=undelivered), never_past=60, now_ms=FAR_MS):
            pass
        return journal.sizes().gone_event

    assert gone(5) > 5  # one that is due to go, and is not yet
    assert next(n for n, *_ in journal.events(0, 99)) == 5  # those up to the seal after 4 may go
    assert gone(6) > 6
    assert [n for n, *_ in journal.events(0, 99)] == [7, 8, 9, 10]
    assert gone(None) == 10
    assert journal.events(0, 99) == []
    assert audit(tmp_path).ok
    journal.close()


def test_how_many_events_there_is_room_for() -> None:
    assert Limits().events_kept(100) == math.inf
    assert Limits(events=1000, disk_bytes=2**31).events_kept(200) == 1000
    small = Limits(events=200_000, disk_bytes=2**24).events_kept(200)
    assert small * (200 + EVENT_BYTES) + WAL_LIMIT_BYTES == pytest.approx(2**24 * 7 / 8)
    assert Limits(disk_bytes=2**20).events_kept(200) == 0


def test_a_journal_pruned_to_its_head_goes_on(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 13)
    assert prune(journal, never_past=13, disk_bytes=0, now_ms=FAR_MS) == 13
    assert (journal.read(0, 10), journal.first_id, journal.head_id()) == ([], 14, 13)
    assert audit(tmp_path).ok
    journal.close()
    again = Journal.open(tmp_path)
    assert (again.last_id, again.last_event, again.first_id) == (13, 2, 14)
    fill(again, 2)
    again.close()
    again = Journal.open(tmp_path)
    assert again.last_event == 2
    fill(again, 3)
    assert [n for n, *_ in again.events(0, 10)] == [3]  # room is made with events at last
    report = audit(tmp_path)
    assert (report.ok, report.first, report.last, report.verified_before) == (True, 14, 18, 5)
    again.close()


def test_the_configuration_in_force_at_the_cut_is_kept(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 6, config=True)  # 1
    fill(journal, 6, config=True)  # 7
    fill(journal, 6)
    assert journal.anchor() is None
    for never_past, anchored in ((6, 1), (12, 7), (18, 7)):
        prune(journal, never_past=never_past, disk_bytes=0, now_ms=FAR_MS)
        anchor = journal.anchor()
        assert anchor is not None
        assert (anchor.id, anchor.kind, anchor.body) == (anchored, "config", b"body %d" % anchored)
        assert audit(tmp_path).ok
    journal.close()


def test_the_anchor_is_kept_with_what_it_led_to(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 5)
    fill(journal, 4, config=True)  # entry 6 is a configuration, decides and raises an event
    prune(journal, never_past=9, disk_bytes=0, now_ms=FAR_MS)
    anchor = journal.anchor()
    assert anchor is not None
    assert anchor.id == 6
    assert audit(tmp_path).ok
    journal.close()


def test_snapshots_before_the_cut_go_and_the_one_at_the_cut_stays(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 10, 10)
    journal.save_snapshot(5, "1", b"five")
    journal.save_snapshot(10, "1", b"ten")
    prune(journal, never_past=10, disk_bytes=0, now_ms=FAR_MS)
    assert journal.newest_snapshot("1") == (10, b"ten")
    assert journal.newest_snapshot("1", at_or_before=9) is None
    journal.close()
