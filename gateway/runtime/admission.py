"""Admission: envelopes in, authenticated new messages out, everything else under its one name (SPEC.md, "Numbers")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.store.keys import NodeKey
from gateway.wire.envelope import BadTag, Cipher, Malformed, parse
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

    def __init__(self, key: NodeKey, state: bytes | None, ceiling: int, epoch: int) -> None:
        self.key = key
        self.keys = NodeKeys(key.kid, key.secret)
        self.up = Cipher.up(self.keys)
        self.down = Cipher.down(self.keys, epoch)
        replay, sequence = (state[:_REPLAY_BYTES], state[_REPLAY_BYTES:]) if state else (None, None)
        self.replay = ReplayWindow.from_state(replay) if replay else ReplayWindow()
        self.sequence = SequenceWindow.from_state(sequence) if sequence else SequenceWindow()
        self.next_down = ceiling
        self.ceiling = ceiling

    @property
    def name(self) -> str:
        """Key of its windows and marks: another key generation starts anew."""
        return f"{self.key.name}#{self.key.key_generation}"

    def state(self) -> bytes:
        """Both windows, for the journal."""
        return self.replay.to_state() + self.sequence.to_state()


_REPLAY_BYTES = len(ReplayWindow().to_state())


class Admission:
    """Judges envelopes. What it changes is staged until `staged` is taken into a commit."""

    def __init__(self, keys: Iterable[NodeKey], windows: Mapping[str, bytes], marks: Mapping[str, int]) -> None:
        self.epoch = marks.get("epoch", 0)
        self._members: dict[bytes, _Member] = {}
        self._by_name: dict[str, _Member] = {}
        self._windows = dict(windows)
        self._marks = dict(marks)
        self._dirty: set[str] = set()
        self._staged_marks: dict[str, int] = {}
        self.take_over(keys)

    def take_over(self, keys: Iterable[NodeKey]) -> None:
        """The registry has changed: unchanged nodes keep their state, the rest is set up or forgotten."""
        members = {}
        for key in keys:
            old = self._members.get(key.kid)
            if old and old.key == key:
                members[key.kid] = old
            else:
                name = f"{key.name}#{key.key_generation}"
                ceiling = self._marks.get(f"down/{name}", 0)
                members[key.kid] = _Member(key, self._windows.get(name), ceiling, self.epoch)
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
        for name in self._dirty:
            member = self._by_name.get(name)
            if member and member.ceiling - member.next_down < DOWN_STEP // 2:
                self._staged_marks[f"down/{member.name}"] = member.ceiling + DOWN_STEP
        windows = {m.name: m.state() for name in self._dirty if (m := self._by_name.get(name))}
        marks, self._staged_marks = self._staged_marks, {}
        self._dirty.clear()
        return windows, marks

    def committed(self, windows: Mapping[str, bytes], marks: Mapping[str, int]) -> None:
        """What `take_staged` gave out is durable now."""
        self._windows.update(windows)
        self._marks.update(marks)
        for member in self._members.values() if marks else ():
            member.ceiling = self._marks.get(f"down/{member.name}", member.ceiling)

    def take_back(self, windows: Mapping[str, bytes], marks: Mapping[str, int]) -> None:
        """What was staged will not be durable: everything is again as the journal has it. Partial IVs that were
        already used downward stay used.
        """
        keys = [m.key for m in self._members.values()]
        used = {m.name: m.next_down for m in self._members.values()}
        self._windows, self._marks = dict(windows), dict(marks)
        self.epoch = marks.get("epoch", 0)
        self._members = {}
        self._dirty.clear()
        self._staged_marks.clear()
        self.take_over(keys)
        for member in self._members.values():
            member.next_down = max(member.next_down, used.get(member.name, 0))
            member.ceiling = max(member.ceiling, member.next_down)

    def ack(self, node: str, ack: Ack) -> bytes | None:
        """Seal an answer; None if the node is gone or its reserve of partial IVs is used up (the node asks again)."""
        member = self._by_name.get(node)
        if member is None or member.next_down >= member.ceiling:
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
            self._staged_marks["epoch"] = self.epoch
            for other in self._members.values():
                other.down = Cipher.down(other.keys, self.epoch)
