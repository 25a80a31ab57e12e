"""Evidence: what stands against an Asset, and whether it is enough.

A Verdict is one anomalous Window: the node's claim, later confirmed by a Score or taken away by it. The judgement is
a pure function of the standing Verdicts, so that late data and revisions need no code of their own: the same function
is asked again, and what has changed is the revision.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from operator import attrgetter

from gateway.core.plant import Rule

_event_ms = attrgetter("event_ms")


class Basis(IntEnum):
    """On what a Verdict rests."""

    CLAIM = 0  # the node says so; a Score is awaited
    SCORE = 1  # the gateway's model says so, too
    UNSCORED = 2  # the node says so, and no Score will come
    LAST_WORD = 3  # said before, and nothing else since: silence takes nothing back


@dataclass(frozen=True, slots=True, order=True)
class Verdict:
    """One anomalous Window. `event_ms`: when it was sampled; `entry`: the journal entry that brought it."""

    event_ms: int
    entry: int
    node: str
    basis: Basis
    score_pct: int
    why: int


@dataclass(frozen=True, slots=True)
class Episode:
    """A run of Verdicts without a quiet gap in which the rule was met at least once.

    `onset_ms` is the first Verdict of the first window of time that met the rule, `decided_ms` the Verdict that
    completed it (the k-th node), `last_ms` the newest Verdict.
    """

    onset_ms: int
    decided_ms: int
    last_ms: int
    nodes: tuple[str, ...]
    score_pct: int


class Evidence:
    """Standing Verdicts of one Asset, ordered by time of the event."""

    def __init__(self, verdicts: Sequence[Verdict] = ()) -> None:
        self.verdicts: list[Verdict] = list(verdicts)

    def add(self, verdict: Verdict) -> None:
        """A node claims, or a Score finds, an anomalous Window."""
        insort(self.verdicts, verdict)

    def take(self, entry: int) -> Verdict | None:
        """Take away the Verdict that `entry` brought, and return it; None if it does not stand."""
        taken = None
        for index in range(len(self.verdicts) - 1, -1, -1):
            if self.verdicts[index].entry == entry:
                taken = self.verdicts.pop(index)
        return taken

    def newest_of(self, node: str) -> Verdict | None:
        """The newest Verdict of one node."""
        return next((v for v in reversed(self.verdicts) if v.node == node), None)

    def answered(self, node: str, event_ms: int, k: int) -> list[Verdict]:
        """A node has said "normal" at a moment: its last words from there on do not stand, nor those of others that
        stood only together with it. Takes them away and returns them, oldest first.
        """
        words = [v for v in self.verdicts if v.basis is Basis.LAST_WORD and v.event_ms >= event_ms]
        left = Counter(v.event_ms for v in words if v.node != node)
        gone = [v for v in words if v.node == node or left[v.event_ms] < k]
        if gone:
            self.verdicts = [v for v in self.verdicts if v not in gone]
        return gone

    def withdraw(self, node: str) -> list[Verdict]:
        """Take away all Verdicts of one node, and return them."""
        gone = [v for v in self.verdicts if v.node == node]
        self.verdicts = [v for v in self.verdicts if v.node != node]
        return gone

    def forget(self, before_ms: int) -> None:
        """Let go of what is older than any decision can reach."""
        del self.verdicts[: bisect_left(self.verdicts, before_ms, key=_event_ms)]

    def standing(self, rule: Rule, now_ms: int) -> list[Verdict]:
        """Verdicts inside the rule's window as of now."""
        return self.verdicts[bisect_right(self.verdicts, now_ms - rule.window_ms, key=_event_ms) :]

    def near(self, moment_ms: int, gap_ms: int) -> list[Sequence[Verdict]]:
        """The runs of Verdicts that come nearer to a moment than `gap_ms`, oldest first: those that a Verdict at that
        moment can have changed by coming or going.
        """
        start = end = bisect_left(self.verdicts, moment_ms, key=_event_ms)
        edge_ms = moment_ms
        while start > 0 and edge_ms - self.verdicts[start - 1].event_ms < gap_ms:
            start -= 1
            edge_ms = self.verdicts[start].event_ms
        edge_ms = moment_ms
        while end < len(self.verdicts) and self.verdicts[end].event_ms - edge_ms < gap_ms:
            edge_ms = self.verdicts[end].event_ms
            end += 1
        return list(_runs(self.verdicts[start:end], gap_ms))


def _runs(verdicts: Sequence[Verdict], gap_ms: int) -> Iterator[Sequence[Verdict]]:
    """Split where nothing happened for `gap_ms`."""
    start = 0
    for index in range(1, len(verdicts)):
        if verdicts[index].event_ms - verdicts[index - 1].event_ms >= gap_ms:
            yield verdicts[start:index]
            start = index
    if verdicts:
        yield verdicts[start:]


def episode_of(run: Sequence[Verdict], rule: Rule) -> Episode | None:
    """K of n: the first moment at which k different nodes had spoken within the window; None if there was none."""
    latest: dict[str, int] = {}  # node -> its newest Verdict so far
    for verdict in run:
        latest[verdict.node] = verdict.event_ms
        inside = {node for node, at_ms in latest.items() if at_ms > verdict.event_ms - rule.window_ms}
        if len(inside) >= rule.k:
            opens_ms = verdict.event_ms - rule.window_ms
            onset_ms = next(v.event_ms for v in run if v.event_ms > opens_ms and v.node in inside)
            spoke = [v for v in run if v.event_ms >= onset_ms]
            return Episode(
                onset_ms,
                verdict.event_ms,
                run[-1].event_ms,
                tuple(sorted({v.node for v in spoke})),
                max(v.score_pct for v in spoke),
            )
    return None
