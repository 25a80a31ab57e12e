"""Pruning: by age and size, at checkpoints only, never past a cursor, and the rest stays verifiable."""

from __future__ import annotations

from pathlib import Path

from gateway.store.audit import audit
from gateway.store.journal import Journal
from tests.store.groups import START_MS, fill

FAR_MS = START_MS * 2


def test_age_cuts_at_the_last_checkpoint_that_is_old_enough(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 10, 10, 10, 10, step_ms=1000)
    deleted = journal.prune(never_past=40, keep_ms=15_000, now_ms=START_MS + 40_000)
    assert deleted == 20  # the checkpoint at entry 20 is 20 s old, the one at 30 only 10 s
    assert [r.id for r in journal.read(0, 100)] == list(range(21, 41))
    assert journal.first_id == 21
    assert [e for e, _ in journal.decisions(0, 2)] == [21, 24]
    assert [n for n, *_ in journal.events(0, 9)] == [4, 5, 6]
    assert audit(tmp_path).ok
    journal.close()


def test_nothing_goes_past_the_entry_given(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 10, 10, 10)
    assert journal.prune(never_past=19, keep_ms=0, now_ms=FAR_MS) == 10
    assert journal.prune(never_past=19, keep_bytes=0, now_ms=FAR_MS) == 0
    assert journal.prune(never_past=30, now_ms=FAR_MS) == 0
    journal.close()


def test_size_cuts_no_more_than_it_must(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, *[500] * 12)
    full = journal.used_bytes()
    deleted = journal.prune(never_past=6000, keep_bytes=full * 2 // 3, now_ms=START_MS)
    assert journal.used_bytes() <= full * 2 // 3
    assert 1500 <= deleted <= 3000
    assert deleted % 500 == 0
    assert audit(tmp_path).ok
    size = journal.used_bytes()
    fill(journal, 500)
    journal.prune(never_past=6500, keep_bytes=size, now_ms=START_MS)
    assert journal.used_bytes() <= size
    journal.close()


def test_a_journal_pruned_to_its_head_goes_on(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 13)
    assert journal.prune(never_past=13, keep_bytes=0, now_ms=FAR_MS) == 13
    assert (journal.read(0, 10), journal.first_id, journal.head_id()) == ([], 14, 13)
    assert audit(tmp_path).ok
    journal.close()
    again = Journal.open(tmp_path)
    assert (again.last_id, again.last_event, again.first_id) == (13, 2, 14)
    fill(again, 2)
    again.close()
    again = Journal.open(tmp_path)  # with entries, but without the event that was the newest
    assert again.last_event == 2
    fill(again, 3)
    assert [n for n, *_ in again.events(0, 10)] == [3]
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
        journal.prune(never_past=never_past, keep_bytes=0, now_ms=FAR_MS)
        anchor = journal.anchor()
        assert anchor is not None
        assert (anchor.id, anchor.kind, anchor.body) == (anchored, "config", b"body %d" % anchored)
        assert audit(tmp_path).ok
    journal.close()


def test_the_anchor_is_kept_with_what_it_led_to(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    fill(journal, 5)
    fill(journal, 4, config=True)  # entry 6 is a configuration, decides and raises an event
    journal.prune(never_past=9, keep_bytes=0, now_ms=FAR_MS)
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
    journal.prune(never_past=10, keep_bytes=0, now_ms=FAR_MS)
    assert journal.newest_snapshot("1") == (10, b"ten")
    assert journal.newest_snapshot("1", at_or_before=9) is None
    journal.close()
