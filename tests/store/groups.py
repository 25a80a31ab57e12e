"""Groups for the tests of the store: valid continuations of a journal with something in every column."""

from __future__ import annotations

from gateway.store.journal import Group, Journal, Row
from gateway.store.retention import Limits

START_MS = 1_700_000_000_000


def next_group(journal: Journal, count: int, *, step_ms: int = 10, config: bool = False) -> Group:
    """`count` entries after the newest: every third decides, every sixth raises an event, config comes first."""
    first = journal.last_id + 1
    ids = range(first, first + count)
    now = max(journal.last_at_ms, START_MS)
    rows = [
        Row(
            i,
            now + step_ms * (i - first + 1),
            "config" if config and i == first else "report",
            1 + i % 2,
            b"body %d" % i,
        )
        for i in ids
    ]
    decided = [i for i in ids if i % 3 == 0]
    raised = [i for i in ids if i % 6 == 0]
    return Group(
        rows=rows,
        decisions=[(i, b"updates %d" % i) for i in decided],
        events=[(journal.last_event + 1 + n, i, n % 3, b"event %d" % i) for n, i in enumerate(raised)],
        windows={f"node-{first % 5}/0": b"window %d" % ids[-1]},
        marks={"mqtt": ids[-1]},
    )


def fill(journal: Journal, *counts: int, **how: object) -> None:
    """Commit one group per count, and a checkpoint after each."""
    for count in counts:
        journal.commit(next_group(journal, count, **how))  # type: ignore[arg-type]
        journal.checkpoint()


def prune(
    journal: Journal, *, never_past: int, now_ms: int = START_MS, age_ms: int | None = None,
    disk_bytes: int | None = None, events: int | None = None,
) -> int:  # fmt: skip
    """Prune step by step until nothing more goes, and return how many entries went."""
    limits, deleted = Limits(age_ms, disk_bytes, events), 0
    journal.checkpoint()
    while step := journal.prune(limits, never_past=never_past, now_ms=now_ms):
        deleted += step.entries
    return deleted
