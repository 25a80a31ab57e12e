"""What a receiver remembers so that nothing counts twice (nodes/wire/SPEC.md, "Numbers that never repeat").

Both windows are values: `accept` gives the next one, and the caller keeps it when the transaction that journals the
message has committed. `to_state` is short enough to lie beside the Node in the journal.
"""

from __future__ import annotations

from typing import NamedTuple

REPLAY_DEPTH = 64
SEQUENCE_DEPTH = 512

_SPAN = 1 << 16
_REACH = _SPAN // 2  # so far ahead of the newest a number can be extended
_ANCHORED, _ADRIFT = 1, 2
_ALL_REPLAY, _ALL_SEQUENCE = (1 << REPLAY_DEPTH) - 1, (1 << SEQUENCE_DEPTH) - 1
_NUMBER_BYTES = 5  # of 32 bits, counted from 1; 0: none yet
_new = tuple.__new__  # a NamedTuple made of what it holds, without the call of Python that its own name is


class ReplayWindow(NamedTuple):
    """The newest partial IV under one key (-1: none yet), and which of the 64 below it were used."""

    newest: int = -1
    below: int = 0  # bit i: newest - 1 - i was used

    def replayed(self, partial_iv: int) -> bool:
        """Whether a partial IV was used before, or is too old to tell."""
        return _seen(self.newest, self.below, partial_iv, REPLAY_DEPTH)

    def too_old(self, partial_iv: int) -> bool:
        """Whether it lies below the window."""
        return self.newest - partial_iv > REPLAY_DEPTH

    def leaps(self, partial_iv: int) -> bool:
        """Whether so many transmissions went unheard before this one that message numbers may be out of reach."""
        return self.newest >= 0 and partial_iv - self.newest > _REACH

    def accept(self, partial_iv: int) -> ReplayWindow:
        """The window after an authentic message that is not `replayed`."""
        newest, below = self
        if partial_iv == newest + 1 and below:  # the next one of a window that has begun, as nearly all are
            return _new(ReplayWindow, (partial_iv, (below << 1 | 1) & _ALL_REPLAY))
        newest, below = _marked(newest, below, partial_iv, REPLAY_DEPTH)
        return ReplayWindow(newest, below)

    def to_state(self) -> bytes:
        """13 bytes."""
        newest, below = self
        return (newest + 1 << REPLAY_DEPTH | below).to_bytes(_NUMBER_BYTES + REPLAY_DEPTH // 8, "big")

    @classmethod
    def from_state(cls, state: bytes) -> ReplayWindow:
        """The inverse of `to_state`; ValueError for another length."""
        newest, below = _split(state, REPLAY_DEPTH)
        return cls(newest, below)


class SequenceWindow(NamedTuple):
    """The newest message number of one Node (-1: none yet), and which of the 512 below it are known.

    Until the first Birth only the low 16 bits of a Node's numbers are known; `anchored` tells that it has come.
    `adrift`: it must come again, because so many transmissions went unheard that 16 bits no longer tell a number.
    """

    newest: int = -1
    below: int = 0  # bit i: newest - 1 - i is known
    anchored: bool = False
    adrift: bool = False

    def extend(self, seq: int) -> int:
        """The whole number nearest to the newest with these 16 bits; at a tie the higher, which can still be new."""
        newest = self.newest
        if newest < 0:
            return seq
        highest = newest + _REACH
        full = highest - (highest - seq) % _SPAN
        return full if full >= 0 else full + _SPAN

    def known(self, full: int) -> bool:
        """Whether a message that is not `too_old` was accepted before."""
        return _seen(self.newest, self.below, full, SEQUENCE_DEPTH)

    def too_old(self, full: int) -> bool:
        """Whether it can no longer be told if a message was accepted before."""
        return self.newest - full > SEQUENCE_DEPTH

    def drift(self) -> SequenceWindow:
        """The window after a leap of the partial IV; before the first Birth nothing is certain anyway."""
        return self._replace(adrift=self.anchored)

    def anchor(self, full_seq: int) -> SequenceWindow:
        """The window after a Birth told its whole number; this does not accept that number.

        What came before the first Birth was numbered from its low 16 bits alone. It moves to where it belongs, so
        that it stays known.
        """
        if self.anchored:
            return self._replace(adrift=False) if self.adrift else self
        newest = self.newest + full_seq - self.extend(full_seq % _SPAN)
        if self.newest < 0 or newest < 0:
            return SequenceWindow(anchored=True)
        return SequenceWindow(newest, self.below, anchored=True)

    def accept(self, full: int) -> SequenceWindow:
        """The window after a message that is not `known`."""
        newest, below, anchored, adrift = self
        if full == newest + 1 and below:
            return _new(SequenceWindow, (full, (below << 1 | 1) & _ALL_SEQUENCE, anchored, adrift))
        newest, below = _marked(newest, below, full, SEQUENCE_DEPTH)
        return SequenceWindow(newest, below, anchored, adrift)

    def to_state(self) -> bytes:
        """70 bytes."""
        newest, below, anchored, adrift = self
        flags = _ANCHORED * anchored | _ADRIFT * adrift
        whole = (flags << 8 * _NUMBER_BYTES | newest + 1) << SEQUENCE_DEPTH | below
        return whole.to_bytes(1 + _NUMBER_BYTES + SEQUENCE_DEPTH // 8, "big")

    @classmethod
    def from_state(cls, state: bytes) -> SequenceWindow:
        """The inverse of `to_state`; ValueError for another length."""
        newest, below = _split(state[1:], SEQUENCE_DEPTH)
        return cls(newest, below, bool(state[0] & _ANCHORED), bool(state[0] & _ADRIFT))


def _seen(newest: int, below: int, number: int, depth: int) -> bool:
    distance = newest - number
    if distance <= 0:
        return distance == 0
    return distance > depth or bool(below >> (distance - 1) & 1)


def _marked(newest: int, below: int, number: int, depth: int) -> tuple[int, int]:
    ahead = number - newest
    if ahead < 0:
        return newest, below | 1 << (-ahead - 1)
    if newest < 0 or ahead > depth:
        return number, 0
    return number, (below << ahead | 1 << (ahead - 1)) & ((1 << depth) - 1)


def _split(state: bytes, depth: int) -> tuple[int, int]:
    if len(state) != _NUMBER_BYTES + depth // 8:
        raise ValueError(f"the state of a window of {depth} has another length")
    return int.from_bytes(state[:_NUMBER_BYTES], "big") - 1, int.from_bytes(state[_NUMBER_BYTES:], "big")
