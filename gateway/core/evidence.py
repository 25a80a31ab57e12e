"""Evidence: what stands against an Asset, and whether it is enough.

A Verdict is one anomalous Window: the node's claim, later confirmed by a Score or taken away by it. The judgement is
a pure function of the standing Verdicts, so that late data and revisions need no code of their own: the same function
is asked again, and what has changed is the revision.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from gateway.core.plant import Rule


class Basis(IntEnum):
    """On what a Verdict rests."""

    CLAIM = 0  # the node says so; a Score is awaited
    SCORE = 1  # the gateway's model says so, too
    UNSCORED = 2  # the node says so, and no Score will come
    LAST_WORD = 3  # said before, and nothing else since: silence takes nothing back


class Verdict(NamedTuple):
    """One anomalous Window. `event_ms`: when it was sampled; `entry`: the journal entry that brought it.

    They are ordered by time, then entry: a tuple, because each one that comes or goes is searched for.
    """

    event_ms: int
    entry: int
    node: str
    basis: Basis
    score_pct: int
    why: int


class Episode(NamedTuple):
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
        self._may_hold_words = any(v.basis is Basis.LAST_WORD for v in verdicts)

    def add(self, verdict: Verdict) -> None:
        """A node claims, or a Score finds, an anomalous Window."""
        insort(self.verdicts, verdict)
        if verdict.basis is Basis.LAST_WORD:
            self._may_hold_words = True

    def take(self, entry: int, event_ms: int) -> Verdict | None:
        """Take away the Verdict of `event_ms` that `entry` brought, and return it; None if it does not stand. Last
        words that repeat it go with it, and of all these the oldest is returned.
        """
        if self._may_hold_words:
            taken = [v for v in self.verdicts if v.entry == entry]
            if taken:
                self.verdicts = [v for v in self.verdicts if v.entry != entry]
            return taken[0] if taken else None
        at = self._first_from(event_ms, entry)
        if at < len(self.verdicts) and self.verdicts[at][:2] == (event_ms, entry):
            return self.verdicts.pop(at)
        return None

    def newest_of(self, node: str) -> Verdict | None:
        """The newest Verdict of one node."""
        for verdict in reversed(self.verdicts):
            if verdict.node == node:
                return verdict
        return None

    def answered(self, node: str, event_ms: int, k: int) -> list[Verdict]:
        """A node has said "normal" at a moment: its last words from there on do not stand, nor those of others that
        stood only together with it. Takes them away and returns them, oldest first.
        """
        if not self._may_hold_words:  # nearly always
            return []
        words = [v for v in self.verdicts if v.basis is Basis.LAST_WORD]
        self._may_hold_words = bool(words)
        words = [v for v in words if v.event_ms >= event_ms]
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
        del self.verdicts[: self._first_from(before_ms)]

    def standing(self, rule: Rule, now_ms: int) -> list[Verdict]:
        """Verdicts inside the rule's window as of now."""
        return self.verdicts[self._first_from(now_ms - rule.window_ms + 1) :]

    def near(self, moment_ms: int, gap_ms: int) -> list[Sequence[Verdict]]:
        """The runs of Verdicts that come nearer to a moment than `gap_ms`, oldest first: those that a Verdict at that
        moment can have changed by coming or going.
        """
        verdicts = self.verdicts
        start = end = middle = self._first_from(moment_ms)
        edge_ms = moment_ms
        while start > 0 and edge_ms - verdicts[start - 1].event_ms < gap_ms:
            start -= 1
            edge_ms = verdicts[start].event_ms
        edge_ms = moment_ms
        while end < len(verdicts) and verdicts[end].event_ms - edge_ms < gap_ms:
            edge_ms = verdicts[end].event_ms
            end += 1
        # Only at the moment itself, where a Verdict has gone, can there be nothing for `gap_ms`.
        if start < middle < end and verdicts[middle].event_ms - verdicts[middle - 1].event_ms >= gap_ms:
            return [verdicts[start:middle], verdicts[middle:end]]
        return [verdicts[start:end]] if start < end else []

    def _first_from(self, event_ms: int, entry: int = 0) -> int:
        """Index of the first Verdict of a moment or later; of that very moment, of an entry or a later one."""
        return bisect_left(self.verdicts, (event_ms, entry))


def episode_of(run: Sequence[Verdict], rule: Rule) -> Episode | None:
    """K of n: the first moment at which k different nodes had spoken within the window; None if there was none."""
    inside: dict[str, int] = {}  # node -> how many of its Verdicts are in the window, run[start:end]
    start = 0
    for end, verdict in enumerate(run, 1):
        inside[verdict.node] = inside.get(verdict.node, 0) + 1
        opens_ms = verdict.event_ms - rule.window_ms
        while start < end and run[start].event_ms <= opens_ms:
            left = run[start].node
            inside[left] -= 1
            if not inside[left]:
                del inside[left]
            start += 1
        if len(inside) >= rule.k:
            spoke = run[start:]
            return Episode(
                spoke[0].event_ms,
                verdict.event_ms,
                spoke[-1].event_ms,
                tuple(sorted({v.node for v in spoke})),
                max([v.score_pct for v in spoke]),
            )
    return None
