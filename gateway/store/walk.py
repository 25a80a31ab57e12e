"""Following the journal's chain entry by entry, for the audit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gateway.store import chain

Stored = tuple[int, int, bytes, int, bytes, bytes, bytes | None]
"""An entry as read by the audit: id, at_ms, kind, version, body, hash, decision."""


class Walk:
    """Verifies one entry after the other, and goes on behind a broken one.

    Which of an entry's hash and its content is the broken one shows in its successor: that follows either from the
    hash stored or from the hash the content gives. So both are tried, and one flipped bit is one broken entry.
    """

    def __init__(self, base: chain.Head, fault: Callable[[int, str], None]) -> None:
        self.entry = base.entry
        self.hash = base.hash
        self.verified: list[tuple[int, int]] = []  # runs of entries that do, first and last
        self._fault = fault
        self._at_ms = base.at_ms
        self._follows_from: tuple[bytes, ...] = (base.hash,)  # hashes that the next entry may follow from
        self._segment = base.entry  # the last checkpoint passed
        self._runs: list[tuple[int, int]] = []  # since then
        self._broken = False  # since then

    def step(self, row: Stored, events: Sequence[tuple[int, int]], checkpoints: Mapping[int, chain.Head]) -> None:
        """Verify the next entry in the order of ids."""
        entry, at_ms, kind, version, body, stored, decision = row
        if entry != self.entry + 1:
            self._gap(entry, checkpoints)
        if at_ms < self._at_ms:
            self._fault(entry, f"entry {entry} is earlier than the one before it")
        led_to = chain.outcome(decision, events) if decision is not None or events else chain.NO_OUTCOME
        found = [chain.link(h, entry, at_ms, kind, version, body, led_to) for h in self._follows_from]
        if stored in found:
            self._count(entry)
            self._follows_from = (stored,)
        else:
            if found:  # else the one before is missing, and only the next checkpoint can tell
                self._break(entry, f"entry {entry} does not match the chain")
            # Among the hashes by content: the one after the hash stored before, and the one by content alone. Two are
            # enough for a run of broken contents or of broken hashes, and do not grow with it.
            self._follows_from = (stored, *found[:1], *found[-1:])
        self.entry, self.hash, self._at_ms = entry, stored, at_ms
        if entry in checkpoints:
            self._arrive(checkpoints[entry])

    def finish(self) -> None:
        """There are no more entries; those after the last checkpoint count as far as they are chained."""
        self.verified += self._runs

    def _gap(self, entry: int, checkpoints: Mapping[int, chain.Head]) -> None:
        self._break(self.entry + 1, f"entries {self.entry + 1} to {entry - 1} are missing")
        before = checkpoints.get(entry - 1)
        if before:
            self.finish()
            self._begin(before)
        else:
            self._follows_from = ()

    def _arrive(self, signed: chain.Head) -> None:
        if signed.hash in self._follows_from:
            self.finish()
        elif not self._broken:
            span = f"entries {self._segment + 1} to {signed.entry}"
            self._fault(self._segment + 1, f"{span}: one or more were rewritten, the chain misses the checkpoint")
        self._begin(signed)

    def _begin(self, signed: chain.Head) -> None:
        self._segment, self._follows_from, self._runs, self._broken = signed.entry, (signed.hash,), [], False

    def _break(self, entry: int, what: str) -> None:
        self._broken = True
        self._fault(entry, what)

    def _count(self, entry: int) -> None:
        if self._runs and self._runs[-1][1] == entry - 1:
            self._runs[-1] = (self._runs[-1][0], entry)
        else:
            self._runs.append((entry, entry))
