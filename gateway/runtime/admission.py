"""Admission: envelopes in, authenticated new messages out, everything else under its one name (SPEC.md, "Numbers")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.store.keys import NodeKey
from gateway.wire.envelope import MAX_PARTIAL_IV, BadTag, Cipher, Malformed, parse
from gateway.wire.keys import NodeKeys
from gateway.wire.messages import Ack, Birth, Undecodable, UpMessage, decode_up, encode
from gateway.wire.window import ReplayWindow, SequenceWindow

DOWN_STEP = 1024
"""Downward partial IVs are reserved in the journal by so many at a time, before the first of them is used."""


class Verdict(StrEnum):
    """The names of SPEC.md's table, and the one that is not a refusal."""

    ACCEPTED = "accepted"
    MALFORMED = "malformed"
    UNKNOWN_NODE = "unknown_node"
    BAD_TAG = "bad_tag"
    REPLAYED = "replayed"
    UNDECODABLE = "undecodable"
    RESENT = "resent"


@dataclass(slots=True)
class Admitted:
    """One judged envelope. `node` is "" unless the envelope is that node's without doubt."""

    verdict: Verdict
    node: str = ""
    seq: int = 0
    key_generation: int = 0
    payload: bytes = b""
    message: UpMessage | None = None
    detail: str = ""


class _Member:
    """What the gateway holds of one node: keys, windows, and the downward counter."""

    def __init__(self, key: NodeKey, windows: Mapping[str, bytes], marks: Mapping[str, int], epoch: int) -> None:
        self.key = key
        self.name = f"{key.name}#{key.key_generation}"  # of its windows: another key generation starts anew
        self.mark = f"down/{self.name}"
        self.keys = NodeKeys(key.kid, key.secret)
        self.up = Cipher.up(self.keys)
        self.down = Cipher.down(self.keys, epoch)
        state = windows.get(self.name)
        replay, sequence = (state[:_REPLAY_BYTES], state[_REPLAY_BYTES:]) if state else (None, None)
        self.replay = ReplayWindow.from_state(replay) if replay else ReplayWindow()
        self.sequence = SequenceWindow.from_state(sequence) if sequence else SequenceWindow()
        self.next_down = self.ceiling = marks.get(self.mark, 0)  # what was reserved may have been used

    def state(self) -> bytes:
        """Both windows, for the journal."""
        return self.replay.to_state() + self.sequence.to_state()


_REPLAY_BYTES = len(ReplayWindow().to_state())


class Admission:
    """Judges envelopes. What it changes goes with `take_staged` into the next commit, which ends in `committed` or in
    `take_back`; until then nothing may be answered.
    """

    def __init__(self, keys: Iterable[NodeKey], windows: Mapping[str, bytes], marks: Mapping[str, int]) -> None:
        self.epoch = marks.get("epoch", 0)
        self._members: dict[bytes, _Member] = {}
        self._by_name: dict[str, _Member] = {}
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
        self._by_name = {m.key.name: m for m in members.values()}

    def judge(self, data: bytes) -> Admitted:
        """One envelope from below."""
        try:
            sealed = parse(data)
        except Malformed as error:
            return Admitted(Verdict.MALFORMED, detail=str(error))
        member = self._members.get(sealed.kid)
        if member is None:
            return Admitted(Verdict.UNKNOWN_NODE, detail=sealed.kid.hex())
        try:
            payload = member.up.open(sealed)
        except BadTag:
            return Admitted(Verdict.BAD_TAG, detail=member.key.name)
        node = member.key.name
        if member.replay.replayed(sealed.partial_iv):
            return Admitted(Verdict.REPLAYED, node)
        try:
            message = decode_up(payload)
        except Undecodable as error:
            self._accept(member, sealed.partial_iv)
            return Admitted(Verdict.UNDECODABLE, node, detail=str(error))
        self._accept(member, sealed.partial_iv)
        if isinstance(message, Birth):
            self._birth(member, message)
            seq = message.full_seq
        else:
            seq = member.sequence.extend(message.seq)
        generation = member.key.key_generation
        if member.sequence.known(seq):
            return Admitted(Verdict.RESENT, node, seq, generation, payload, message)
        member.sequence = member.sequence.accept(seq)
        return Admitted(Verdict.ACCEPTED, node, seq, generation, payload, message)

    def take_staged(self) -> tuple[dict[str, bytes], dict[str, int]]:
        """Windows and marks that the next commit must make durable, with room for the answers that follow it."""
        heard = [member for name in sorted(self._dirty) if (member := self._by_name.get(name))]
        marks = {m.mark: m.ceiling + DOWN_STEP for m in heard if m.ceiling - m.next_down < DOWN_STEP // 2}
        if self._new_epoch:
            marks["epoch"] = self.epoch
        self._dirty.clear()
        self._new_epoch = False
        return {m.name: m.state() for m in heard}, marks

    def committed(self, windows: Mapping[str, bytes], marks: Mapping[str, int]) -> None:
        """What `take_staged` gave out is durable now; `marks` may hold others, too."""
        self._windows.update(windows)
        self._marks.update(marks)
        for name in windows:
            member = self._by_name.get(name.rpartition("#")[0])
            if member and member.name == name:
                member.ceiling = marks.get(member.mark, member.ceiling)

    def take_back(self, windows: Mapping[str, bytes], marks: Mapping[str, int]) -> None:
        """What was staged will not be durable: everything is again as the journal has it. Partial IVs that were
        already used downward stay used, with all that were reserved beside them.
        """
        keys = [m.key for m in self._members.values()]
        self._windows, self._marks = dict(windows), dict(marks)
        self.epoch = marks.get("epoch", 0)
        self._members = {}
        self._dirty.clear()
        self._new_epoch = False
        self.take_over(keys)

    def ack(self, node: str, ack: Ack) -> bytes | None:
        """Seal an answer; None if the node is gone or its reserve of partial IVs is used up (the node asks again)."""
        member = self._by_name.get(node)
        if member is None or member.next_down >= min(member.ceiling, MAX_PARTIAL_IV + 1):
            return None
        member.next_down += 1
        return member.down.seal(member.next_down - 1, encode(ack))

    def _accept(self, member: _Member, partial_iv: int) -> None:
        member.replay = member.replay.accept(partial_iv)
        self._dirty.add(member.key.name)

    def _birth(self, member: _Member, birth: Birth) -> None:
        member.sequence = member.sequence.anchor(birth.full_seq)
        if birth.epoch > self.epoch:  # this gateway is older than what the node has followed before
            self.epoch = min(birth.epoch + 1, 0xFFFF)
            self._new_epoch = True
            for other in self._members.values():
                other.down = Cipher.down(other.keys, self.epoch)
