"""The journal against a plain list, over random histories of commits, prunes, snapshots, reopening and audits."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.store.audit import audit
from gateway.store.journal import Group, Journal, Reader, Row
from gateway.store.seals import Event
from tests.store.groups import prune

ENTRY = st.tuples(
    st.integers(0, 1000),  # ms since the entry before
    st.sampled_from(["report", "tick", "config"]),
    st.binary(max_size=8),
    st.none() | st.binary(max_size=8),  # decision
    st.integers(0, 2),  # events, if it decides
)


class JournalModel(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = Path(self.scratch.name)
        self.journal = Journal.open(self.folder)
        self.reader = Reader.open(self.folder)
        self.rows: list[Row] = []  # all that ever were
        self.decided: dict[int, bytes] = {}
        self.raised: list[Event] = []
        self.windows: dict[str, bytes] = {}
        self.marks: dict[str, int] = {}
        self.snapshots: dict[tuple[int, str], bytes] = {}
        self.base = self.given_up = 0
        self.cuts, self.sealed = {0}, {0}

    @rule(
        entries=st.lists(ENTRY, max_size=8),
        windows=st.dictionaries(st.sampled_from(["a/0", "b/0"]), st.binary(max_size=4)),
        marks=st.dictionaries(st.sampled_from(["x", "y"]), st.integers(-(2**63), 2**63 - 1)),
    )
    def commit(self, entries: list[tuple[int, str, bytes, bytes | None, int]], windows: dict[str, bytes],
               marks: dict[str, int]) -> None:  # fmt: skip
        rows, decisions, events = [], [], []
        at_ms = self.rows[-1].at_ms if self.rows else 0
        for number, (later, kind, body, decision, raised) in enumerate(entries, len(self.rows) + 1):
            at_ms += later
            rows.append(Row(number, at_ms, kind, 1, body))
            if decision is not None:
                decisions.append((number, decision))
                for index in range(raised):
                    events.append((len(self.raised) + len(events) + 1, number, index, body + b"%d" % index))
        self.journal.commit(Group(rows, decisions, events, windows, marks))
        self.rows += rows
        self.decided.update(decisions)
        self.raised += events
        self.windows |= windows
        self.marks |= marks

    @rule()
    def checkpoint(self) -> None:
        self.journal.checkpoint()
        self.cuts.add(len(self.rows))

    @rule()
    def reopen(self) -> None:
        self.journal.close()
        self.cuts.add(len(self.rows))
        self.journal = Journal.open(self.folder, create=False)

    @rule(back=st.integers(0, 10), version=st.sampled_from(["1", "2"]), state=st.binary(max_size=8))
    def snapshot(self, back: int, version: str, state: bytes) -> None:
        entry = max(self.base, len(self.rows) - back)
        if len(self.snapshots) >= 3 and entry <= min(e for e, _ in self.snapshots):
            return  # an older one than those kept is not kept: nothing to compare
        self.journal.save_snapshot(entry, version, state)
        if entry == len(self.rows):  # the head is signed with it
            self.cuts.add(entry)
        self.snapshots.pop((entry, version), None)
        self.snapshots[entry, version] = state
        while len(self.snapshots) > 3:
            oldest = min(e for e, _ in self.snapshots)
            del self.snapshots[next(k for k in self.snapshots if k[0] == oldest)]

    @rule(back=st.integers(0, 20), keep_ms=st.integers(0, 3000), keep_events=st.none() | st.integers(0, 20))
    def prune(self, back: int, keep_ms: int, keep_events: int | None) -> None:
        now = self.rows[-1].at_ms if self.rows else 0
        limit = len(self.rows) - back
        deleted = prune(self.journal, never_past=limit, age_ms=keep_ms, now_ms=now, events=keep_events)
        self.cuts.add(len(self.rows))
        old = [c for c in self.cuts if self.base < c <= limit and self.rows[c - 1].at_ms < now - keep_ms]
        base = max(old, default=self.base)
        self.sealed |= {self._raised_by(c) for c in self.cuts}  # seals outlive their checkpoints
        assert deleted == base - self.base
        self.base = base
        self.cuts = {c for c in self.cuts if c >= base}
        self.snapshots = {k: v for k, v in self.snapshots.items() if k[0] >= base}
        if keep_events is not None:
            most = min(len(self.raised) - keep_events, self._raised_by(base))
            self.given_up = max([self.given_up, *(n for n in self.sealed if n <= most)])

    def _raised_by(self, entry: int) -> int:
        return sum(of <= entry for _, of, _, _ in self.raised)

    @rule()
    def audit(self) -> None:
        report = audit(self.folder)
        assert report.ok
        assert (report.first, report.last) == (self.base + 1, len(self.rows))
        assert report.verified_before == len(self.rows) - self.base
        assert report.unsigned == len(self.rows) - max(self.cuts)

    @invariant()
    def reads_as_the_model(self) -> None:
        configs = [r for r in self.rows[: self.base] if r.kind == "config"]
        for view in (self.journal, self.reader):
            assert view.read(0, 1000) == self.rows[self.base :]
            assert view.read(self.base + 2, 3) == self.rows[self.base + 2 : self.base + 5]
            assert view.decisions(0, 1000) == [d for d in self.decided.items() if d[0] > self.base]
            events = [(n, entry, body) for n, entry, _, body in self.raised if n > self.given_up]
            assert view.events(0, 1000) == events
            assert view.events(self.given_up + 1, 2) == events[1:3]
            assert view.windows() == self.windows
            assert view.marks() == self.marks
            assert view.first_id == self.base + 1
            assert view.head_id() == len(self.rows)
            assert view.anchor() == (configs[-1] if configs else None)
            for version in "12":
                mine = [(entry, state) for (entry, v), state in self.snapshots.items() if v == version]
                assert view.newest_snapshot(version) == max(mine, default=None, key=lambda s: s[0])
        assert (self.journal.last_id, self.journal.last_event) == (len(self.rows), len(self.raised))

    def teardown(self) -> None:
        if hasattr(self, "scratch"):
            self.reader.close()
            self.journal.close()
            self.scratch.cleanup()


TestJournalModel = JournalModel.TestCase
TestJournalModel.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
