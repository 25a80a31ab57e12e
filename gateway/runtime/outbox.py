"""What one Link has to answer: a bounded queue, emptied by that Link's own session."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from gateway.links import Address, Link, LinkFailed, SendsMany

WAITING = 4096
"""Answers that may wait for a slow Link; beyond, the node is not answered and sends again."""


class Outbox:
    """Answers on their way through one Link, so that a Link that is stuck holds up no other's.

    Counts what is not sent: `answer_overflow` (the queue was full), `answer_failed` (the Link failed), `answer_late`
    (the Link was closed meanwhile). In each case the node is not answered, and sends again.
    """

    def __init__(self, link: Link, count: Callable[[str], None]) -> None:
        self._link = link
        self._bulk = link if isinstance(link, SendsMany) else None
        self._count = count
        self._waiting: deque[tuple[Address, bytes]] = deque(maxlen=WAITING)
        self._ready = asyncio.Event()
        self._closed = False

    def put(self, address: Address, envelope: bytes) -> None:
        """Let an answer go, or drop and count it; never waits."""
        if self._closed:
            self._count("answer_late")
        elif len(self._waiting) == WAITING:
            self._count("answer_overflow")
        else:
            if not self._waiting:
                self._ready.set()
            self._waiting.append((address, envelope))

    async def run(self) -> None:
        """Send until cancelled. A failure is left to the Link's `receive`, which sees it too."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._waiting:
                if self._bulk:
                    await self._send_all(self._bulk)
                else:
                    await self._send_one()

    async def _send_one(self) -> None:
        try:
            await self._link.send(*self._waiting.popleft())
        except LinkFailed:
            self._count("answer_failed")

    async def _send_all(self, link: SendsMany) -> None:
        try:
            await link.send_many(self._waiting)
        except LinkFailed:
            for _ in self._waiting:
                self._count("answer_failed")
            self._waiting.clear()

    def close(self) -> None:
        """The Link's session has ended."""
        self._closed = True
        for _ in self._waiting:
            self._count("answer_late")
        self._waiting.clear()
