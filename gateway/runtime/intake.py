"""Intake: Links in, acknowledgements out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from gateway.links import Address, Link, LinkFailed
from gateway.runtime.admission import Admission, Admitted
from gateway.runtime.clock import Clock
from gateway.runtime.decider import Arrival, Decider
from gateway.runtime.metrics import Metrics
from gateway.wire.messages import Ack

BITMAP_BITS = 32
ANSWERS = 4096  # answers that may wait for a slow Link; beyond, the node is not answered and sends again


async def session(name: str, link: Link, decider: Decider) -> None:
    """Open a Link and hand on what it receives until it fails."""
    try:
        await link.open()
        while True:
            for frame in await link.receive():
                await decider.put(Arrival(frame, name, link))
    finally:
        await link.close()


class Answers:
    """Acknowledges durable messages: one Ack per node and group, through the Link that brought the message."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._queue: asyncio.Queue[tuple[Link, str, Address, bytes]] = asyncio.Queue(ANSWERS)

    def heard(
        self, heard: Sequence[tuple[Arrival, Admitted]], admission: Admission, knows_schedule: Callable[[str], bool]
    ) -> None:
        """Seal the answers to a group of messages, and let them go."""
        by_node: dict[tuple[str, Address], tuple[Arrival, list[int]]] = {}
        for arrival, admitted in heard:
            key = (admitted.node, arrival.frame.address)
            by_node.setdefault(key, (arrival, []))[1].append(admitted.seq & 0xFFFF)
        for (node, address), (arrival, numbers) in by_node.items():
            for base, bitmap in _spans(numbers):
                ack = Ack(base, bitmap, self._clock.now_ms(), 0, 0, not knows_schedule(node))
                envelope = admission.ack(node, ack)
                if envelope is None:
                    self._metrics.event("ack_not_sealed")
                    continue
                try:
                    self._queue.put_nowait((arrival.via, arrival.link, address, envelope))
                except asyncio.QueueFull:
                    self._metrics.event("ack_overflow")

    async def run(self) -> None:
        """Send answers until cancelled."""
        while True:
            link, name, address, envelope = await self._queue.get()
            try:
                await link.send(address, envelope)
            except LinkFailed:  # its own session notices, too, and opens it again
                self._metrics.link(name)("answer_failed")


def _spans(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Message numbers as (base, bitmap): as few as the bitmap's reach allows, across the wrap of 16 bits."""
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans:
            base, bitmap = spans[-1]
            ahead = (number - base) & 0xFFFF
            if ahead <= BITMAP_BITS:
                spans[-1] = (base, bitmap | (1 << ahead >> 1))
                continue
        spans.append((number, 0))
    return spans
