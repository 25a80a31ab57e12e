"""The gateway's end of a board's line, for the STM32 ports on their fakes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from gateway.links.serial import Deframer, frame
from gateway.wire.envelope import Cipher, parse
from gateway.wire.keys import NodeKeys
from gateway.wire.messages import Ack, Chunk, DownMessage, Offer, Result, UpMessage, decode_up, encode
from tests.nodes.stm32_bench import Bench

KID, SECRET = bytes.fromhex("7f3a01c2"), bytes(range(16))
STACK_US = 20_000  # what the gateway takes to answer
CHUNK = 384
DONE, REFUSED, FAILED, GO_ON = 0, 2, 3, 4


class Gateway:
    """At the other end of the board's line. Fails if a partial IV comes twice."""

    def __init__(self, bench: Bench, kid: bytes = KID, secret: bytes = SECRET) -> None:
        self.bench, self.answers = bench, True
        self.received: list[UpMessage] = []
        self.partial_ivs: set[int] = set()
        self.dropped: list[str] = []
        self.told = 0
        self.mail: list[DownMessage] = []  # one goes out with the next Ack
        self._keys = NodeKeys(kid, secret)
        self._deframer = Deframer(self.dropped.append)
        self.send: Callable[[bytes], None] = lambda data: bench.say(data, STACK_US)
        bench.on_frame(lambda: self.take(bench.heard()))

    def take(self, data: bytes) -> None:
        """A frame has left: the answer is on its way while the node still listens."""
        for envelope in self._deframer.feed(data):
            sealed = parse(envelope)
            assert sealed.partial_iv not in self.partial_ivs
            self.partial_ivs.add(sealed.partial_iv)
            message = decode_up(Cipher.up(self._keys).open(sealed))
            self.received.append(message)
            if self.answers:
                self.answer(message)

    def answer(self, message: UpMessage) -> None:
        """An Ack, and behind it what waits."""
        time_ms = 1_790_000_000_000 + self.bench.now_ms
        self.say(Ack(message.seq, bitmap=0, time_ms=time_ms, next_s=0, mail=len(self.mail), birth_wanted=False))
        if self.mail:
            self.say(self.mail.pop(0))

    def say(self, message: DownMessage) -> None:
        self.told += 1
        self.send(frame(Cipher.down(self._keys, 0).seal(self.told, encode(message))))

    def of(self, kind: type) -> list:
        return [message for message in self.received if isinstance(message, kind)]


class Transfer:
    """An image that goes to the board: Offer, and Chunks as the board's Results want them."""

    def __init__(self, gateway: Gateway, number: int, file: bytes) -> None:
        self.gateway, self.number, self.file = gateway, number, file
        payload, store, counter = file[128:], file[4], int.from_bytes(file[24:28], "little")
        gateway.mail.append(Offer(number, store, len(payload), hashlib.sha256(payload).digest(), counter))
        self.seen = 0

    def run(self, wakes: int = 400) -> tuple[int, Result | None]:
        """Until the board restarts, or says that it does not go on: what ended its last wake, and the last Result."""
        ended, result = 0, None
        for _ in range(wakes):
            ended = self.gateway.bench.call("step")
            results = [result for result in self.gateway.of(Result) if result.id == self.number]
            for result in results[self.seen :]:
                if result.code == GO_ON and result.detail is not None:
                    piece = self.file[result.detail : result.detail + CHUNK]
                    self.gateway.mail.append(Chunk(self.number, result.detail, piece))
            self.seen = len(results)
            if ended != 0 or (result is not None and result.code in (REFUSED, FAILED)):
                break
        return ended, result
