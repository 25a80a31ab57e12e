"""What one Link has to answer: a bounded queue, emptied by that Link's own session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.links import Address, Link, LinkFailed

WAITING = 1024
"""Answers that may wait for a slow Link; beyond, the node is not answered and sends again."""


class Outbox:
    """Answers on their way through one Link, so that a Link that is stuck holds up no other's.

    Counts what is not sent: `answer_overflow` (the queue was full), `answer_failed` (the Link failed), `answer_late`
    (the Link was closed meanwhile). In each case the node is not answered, and sends again.
    """

    def __init__(self, link: Link, count: Callable[[str], None]) -> None:
        self._link = link
        self._count = count
        self._queue: asyncio.Queue[tuple[Address, bytes]] = asyncio.Queue(WAITING)
        self._closed = False

    def put(self, address: Address, envelope: bytes) -> None:
        """Let an answer go, or drop and count it; never waits."""
        if self._closed:
            self._count("answer_late")
            return
        try:
            self._queue.put_nowait((address, envelope))
        except asyncio.QueueFull:
            self._count("answer_overflow")

    async def run(self) -> None:
        """Send until cancelled. A failure is left to the Link's `receive`, which sees it too."""
        while True:
            address, envelope = await self._queue.get()
            try:
                await self._link.send(address, envelope)
            except LinkFailed:
                self._count("answer_failed")

    def close(self) -> None:
        """The Link's session has ended."""
        self._closed = True
        while not self._queue.empty():
            self._queue.get_nowait()
            self._count("answer_late")
