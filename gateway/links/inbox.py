"""What has arrived on a Link and waits for the gateway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from gateway.links import MAX_FRAME_BYTES, Address, Frame, LinkFailed


class Inbox:
    """A bounded queue of Frames between a Link's callbacks and its one receiver.

    Counts `received` (queued), `oversize` (longer than MAX_FRAME_BYTES, dropped) and `overflow` (queue full, the
    newest dropped: its node gets no answer and sends it again).
    """

    def __init__(self, limit: int, count: Callable[[str], None]) -> None:
        self._limit = limit
        self._count = count
        self._frames: list[Frame] = []
        self._failure = "not open"
        self._ready = asyncio.Event()
        self._ready.set()

    def open(self) -> None:
        """Start anew, empty."""
        self._frames = []
        self._failure = ""
        self._ready.clear()

    def put(self, data: bytes, address: Address) -> None:
        """Queue one frame that arrives now, or drop and count it."""
        if len(data) > MAX_FRAME_BYTES:
            self._count("oversize")
        elif len(self._frames) >= self._limit:
            self._count("overflow")
        else:
            self._frames.append(Frame(data, address, time.monotonic_ns()))
            self._ready.set()
            self._count("received")

    def fail(self, why: str) -> None:
        """Nothing more will come; the first reason given stands."""
        self._failure = self._failure or why
        self._ready.set()

    async def receive(self) -> list[Frame]:
        """As `Link.receive`; when cancelled, no frame is lost."""
        await self._ready.wait()
        if not self._frames:
            raise LinkFailed(self._failure)
        frames, self._frames = self._frames, []
        if not self._failure:
            self._ready.clear()
        return frames
