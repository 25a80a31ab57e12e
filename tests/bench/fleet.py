"""The nodes of a bench: they seal reports, and an accountant holds what was answered against what was sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gateway.store.keys import NodeKey
from gateway.wire.envelope import Cipher, Malformed, parse
from gateway.wire.keys import NodeKeys
from gateway.wire.messages import Ack, decode_down
from tests.bench.carriers import Report
from tests.bench.mix import Template

_SPAN = 1 << 16


class Fleet:
    """Keys and counters of all nodes. A report's identity is (node, seq); nothing is ever sent again."""

    def __init__(self, keys: Sequence[NodeKey]) -> None:
        own = [NodeKeys(key.kid, key.secret) for key in keys]
        self._up = [Cipher.up(k) for k in own]
        self._down = [Cipher.down(k, 0) for k in own]
        self._index = {key.kid: i for i, key in enumerate(keys)}
        self._next = [0] * len(keys)
        self._answered: list[set[int]] = [set() for _ in keys]  # beyond the run without a gap
        self._unbroken = [0] * len(keys)  # every number below is answered
        self.kids = [key.kid for key in keys]
        self.strange = 0  # answers to nothing that was sent

    def seal(self, reports: Iterable[tuple[int, Template]]) -> Iterator[Report]:
        """Envelopes of (node, template), as they are asked for."""
        numbers, ciphers = self._next, self._up
        for node, template in reports:
            seq = numbers[node]
            numbers[node] = seq + 1
            yield node, ciphers[node].seal(seq, template.payload(seq % _SPAN)), template.raises

    @property
    def sealed(self) -> int:
        """Reports so far."""
        return sum(self._next)

    def answer(self, envelopes: Iterable[bytes]) -> None:
        """Take in what the gateway sent. Raises Malformed or BadTag for what is not the gateway's."""
        for data in envelopes:
            sealed = parse(data, down=True)
            node = self._index.get(sealed.kid)
            if node is None:
                raise Malformed("an answer for nobody here")
            message = decode_down(self._down[node].open(sealed))
            if isinstance(message, Ack):
                self._acknowledged(node, message)

    def _acknowledged(self, node: int, ack: Ack) -> None:
        if ack.base is None:  # it acknowledges nothing
            return
        newest = self._next[node] - 1
        base = newest - (newest - ack.base) % _SPAN
        bits, seq = ack.bitmap << 1 | 1, base
        while bits:
            if bits & 1:
                self._note(node, seq)
            bits >>= 1
            seq += 1

    def _note(self, node: int, seq: int) -> None:
        if not 0 <= seq < self._next[node]:
            self.strange += 1
            return
        answered = self._answered[node]
        answered.add(seq)
        while self._unbroken[node] in answered:
            answered.remove(self._unbroken[node])
            self._unbroken[node] += 1

    def unanswered(self) -> list[tuple[int, int]]:
        """Every report, as (node, seq), that the gateway has not acknowledged."""
        return [
            (node, seq)
            for node, end in enumerate(self._next)
            for seq in range(self._unbroken[node], end)
            if seq not in self._answered[node]
        ]
