"""Admission: envelopes in, authenticated new messages out, everything else under its one name (SPEC.md, "Numbers")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from gateway.store import marks as marks_of
from gateway.store.keys import NodeKey
from gateway.wire.envelope import MAX_PARTIAL_IV, BadTag, Cipher, Malformed, Sealed, parse
from gateway.wire.keys import NodeKeys
from gateway.wire.messages import Birth, DownMessage, Undecodable, UpMessage, decode_up, encode
from gateway.wire.window import ReplayWindow, SequenceWindow
from gateway.wire.witness import Witness

DOWN_STEP = 1024
"""Downward partial IVs are reserved in the journal by so many at a time, before the first of them is used."""


class Verdict(StrEnum):
    """The names of SPEC.md's table, and the one that is not a refusal."""

    ACCEPTED = "accepted"
    MALFORMED = "malformed"
    UNKNOWN_NODE = "unknown_node"
    BAD_TAG = "bad_tag"
    REPLAYED = "replayed"
    CLONED = "cloned"
    UNDECODABLE = "undecodable"
    UNPLACEABLE = "unplaceable"
    RESENT = "resent"


ANSWERED = frozenset({Verdict.ACCEPTED, Verdict.UNPLACEABLE, Verdict.RESENT})
CLONED = "numbers of this key come twice: two nodes have it, or a node's storage went back; it needs a new key"
STALE = "old frames keep coming: a recording, another node with this key, or storage that went back"
_new = tuple.__new__  # a NamedTuple made of what it holds, without the call of Python that its own name is
FEW_STALE = 16  # frames below the window, before which nobody is told: a network may hold some back


class Admitted(NamedTuple):
    """One judged envelope. `node` is "" unless the envelope is that node's without doubt."""

    verdict: Verdict
    node: str = ""
    seq: int = 0
    key_generation: int = 0
    payload: bytes = b""
    message: UpMessage | None = None
    detail: str = ""
    notice: str = ""  # for whoever looks after the node; at the first, second, fourth, eighth ... of its kind


class _Member:
    """What the gateway holds of one node: keys, windows, and the downward counter."""

    __slots__ = (
        "ceiling", "cloned", "down", "generation", "key", "keys", "mark", "name", "next_down", "node", "replay",
        "sequence", "stale", "up", "witness",
    )  # fmt: skip

    def __init__(self, key: NodeKey, windows: Mapping[str, bytes], marks: Mapping[str, int], epoch: int) -> None:
        self.key = key
        self.node, self.generation = key.name, key.key_generation
        self.name = f"{key.name}#{key.key_generation}"  # of its windows: another key generation starts anew
        self.mark = f"{marks_of.DOWN}{self.name}"
        self.keys = NodeKeys(key.kid, key.secret)
        self.up = Cipher.up(self.keys)
        self.down = Cipher.down(self.keys, epoch)
        state = windows.get(self.name)
        replay, sequence = (state[:_REPLAY_BYTES], state[_REPLAY_BYTES:]) if state else (None, None)
        self.replay = ReplayWindow.from_state(replay) if replay else ReplayWindow()
        self.sequence = SequenceWindow.from_state(sequence) if sequence else SequenceWindow()
        self.witness = Witness()
        self.cloned = self.stale = 0
        first = marks.get(self.mark, marks.get(marks_of.DOWN_FROM, 0))
        self.next_down = self.ceiling = first  # what was reserved may have been used

    def state(self) -> bytes:
        """Both windows, for the journal."""
        return self.replay.to_state() + self.sequence.to_state()


_REPLAY_BYTES = len(ReplayWindow().to_state())


class Admission:
    """Judges envelopes. What it changes goes with `take_staged` into the next commit, which ends in `committed` or in
    `take_back`; until then nothing may be answered.
    """

    def __init__(self, keys: Iterable[NodeKey], windows: Mapping[str, bytes], marks: Mapping[str, int]) -> None:
        self.epoch = marks.get(marks_of.EPOCH, 0)
        self._members: dict[bytes, _Member] = {}
        self._by_name: dict[str, _Member] = {}
        self._by_mark: dict[str, _Member] = {}
        self._windows = dict(windows)  # durable ones, for nodes that come back
        self._marks = dict(marks)
        self._dirty: set[str] = set()
        self._new_epoch = False
        self.take_over(keys)

    def take_over(self, keys: Iterable[NodeKey]) -> None:
        """The registry has changed: unchanged nodes keep their state, the rest is set up or forgotten."""
        members = {}
        for key in keys:
            old = self._members.get(key.kid)
            kept = old is not None and old.key == key
            members[key.kid] = old if old and kept else _Member(key, self._windows, self._marks, self.epoch)
        self._members = members
        self._by_name = {m.node: m for m in members.values()}
        self._by_mark = {m.mark: m for m in members.values()}

    def strangers(self) -> list[str]:
        """Names of the durable windows that are nobody's: of nodes and keys that were removed or replaced."""
        return sorted(self._windows.keys() - {member.name for member in self._members.values()})

    def forgotten(self, strangers: Iterable[str]) -> None:
        """The journal does not hold these windows any more."""
        for name in strangers:
            self._windows.pop(name, None)

    def judge(self, data: bytes) -> Admitted:
        """One envelope from below."""
        try:
            sealed = parse(data)
        except Malformed as error:
            return Admitted(Verdict.MALFORMED, detail=str(error))
        kid, partial_iv, _, ciphertext = sealed
        member = self._members.get(kid)
        if member is None:
            return Admitted(Verdict.UNKNOWN_NODE, detail=kid.hex())
        try:
            payload = member.up.open(sealed)
        except BadTag:
            return Admitted(Verdict.BAD_TAG, detail=member.node)
        if partial_iv <= member.replay.newest and member.replay.replayed(partial_iv):
            return _replayed(member, sealed)
        self._accept(member, partial_iv, ciphertext)
        try:
            message = decode_up(payload)
        except Undecodable as error:
            return Admitted(Verdict.UNDECODABLE, member.node, detail=str(error))
        return self._placed(member, payload, message)

    def _placed(self, member: _Member, payload: bytes, message: UpMessage) -> Admitted:
        """A message whose envelope is good: is it new?"""
        sequence, verdict = member.sequence, Verdict.ACCEPTED
        if isinstance(message, Birth):
            seq = message.full_seq
            if sequence.too_old(seq):
                return _cloned(member)  # a node says its whole number, and its numbers never fall
            self._birth(member, message)
            sequence = member.sequence
        else:
            seq = sequence.extend(message.seq)
        behind = seq <= sequence.newest  # few are
        if sequence.adrift or (behind and sequence.too_old(seq)):
            verdict = Verdict.UNPLACEABLE
        elif behind and sequence.known(seq):
            if member.witness.other_message(seq, payload):
                return _cloned(member)
            verdict = Verdict.RESENT
        else:
            member.sequence = sequence.accept(seq)
            member.witness.saw_message(seq, payload)
        return _new(Admitted, (verdict, member.node, seq, member.generation, payload, message, "", ""))

    def take_staged(self) -> tuple[dict[str, bytes], dict[str, int]]:
        """Windows and marks that the next commit must make durable, with room for the answers that follow it."""
        heard = [member for name in sorted(self._dirty) if (member := self._by_name.get(name))]
        marks = {m.mark: m.ceiling + DOWN_STEP for m in heard if m.ceiling - m.next_down < DOWN_STEP // 2}
        if self._new_epoch:
            marks[marks_of.EPOCH] = self.epoch
        self._dirty.clear()
        self._new_epoch = False
        return {m.name: m.state() for m in heard}, marks

    def committed(self, windows: Mapping[str, bytes], marks: Mapping[str, int]) -> None:
        """What `take_staged` gave out is durable now; `marks` may hold others, too."""
        self._windows.update(windows)
        self._marks.update(marks)
        for mark, value in marks.items():
            if member := self._by_mark.get(mark):
                member.ceiling = value

    def take_back(self, windows: Mapping[str, bytes], marks: Mapping[str, int]) -> None:
        """What was staged will not be durable: everything is again as the journal has it. Partial IVs that were
        already used downward stay used, with all that were reserved beside them.
        """
        keys = [m.key for m in self._members.values()]
        self._windows, self._marks = dict(windows), dict(marks)
        self.epoch = marks.get(marks_of.EPOCH, 0)
        self._members = {}
        self._dirty.clear()
        self._new_epoch = False
        self.take_over(keys)

    def seal(self, node: str, message: DownMessage) -> bytes | None:
        """Seal an answer or a letter; None if the node is gone or its reserve of partial IVs is used up (it asks
        again).
        """
        member = self._by_name.get(node)
        if member is None:
            return None
        partial_iv = member.next_down
        if partial_iv >= member.ceiling or partial_iv > MAX_PARTIAL_IV:
            return None
        member.next_down = partial_iv + 1
        return member.down.seal(partial_iv, encode(message))

    def _accept(self, member: _Member, partial_iv: int, ciphertext: bytes) -> None:
        replay = member.replay
        if replay.leaps(partial_iv):
            member.sequence = member.sequence.drift()
        member.replay = replay.accept(partial_iv)
        member.witness.saw_envelope(partial_iv, ciphertext)
        self._dirty.add(member.node)

    def _birth(self, member: _Member, birth: Birth) -> None:
        member.sequence = member.sequence.anchor(birth.full_seq)
        if birth.epoch > self.epoch:  # this gateway is older than what the node has followed before
            self.epoch = min(birth.epoch + 1, 0xFFFF)
            self._new_epoch = True
            for other in self._members.values():
                other.down = Cipher.down(other.keys, self.epoch)


def _replayed(member: _Member, sealed: Sealed) -> Admitted:
    if not member.replay.too_old(sealed.partial_iv):
        if member.witness.other_envelope(sealed.partial_iv, sealed.ciphertext):
            return _cloned(member)
        return Admitted(Verdict.REPLAYED, member.node)
    member.stale += 1
    notice = STALE if member.stale >= FEW_STALE and _power_of_two(member.stale) else ""
    return Admitted(Verdict.REPLAYED, member.node, notice=notice)


def _cloned(member: _Member) -> Admitted:
    member.cloned += 1
    return Admitted(Verdict.CLONED, member.node, notice=CLONED if _power_of_two(member.cloned) else "")


def _power_of_two(number: int) -> bool:
    return number & (number - 1) == 0
