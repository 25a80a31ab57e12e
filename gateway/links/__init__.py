"""Links: one file per southbound carrier of bytes, found by its name.

A module here offers `Settings` (pydantic, frozen, one `[[link]]` table in stethos.toml with `type` = the file's name)
and `Link`, a class that fits `gateway.links.Link`. A Link knows nothing of what the bytes mean, keeps nothing, and
does not reconnect: it raises LinkFailed, and the host (`gateway/runtime/intake.py`) closes it, waits with jitter and
opens it again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

Address = object
"""Where a frame came from: opaque to everybody but the Link that made it; hashable."""

MAX_FRAME_BYTES = 512
"""Longest envelope (nodes/wire/SPEC.md, "Links")."""


class LinkFailed(Exception):  # noqa: N818 - it is the world's fault, not an error in the program
    """The carrier failed: device unplugged, broker gone, port taken. The message names it."""


class Frame(NamedTuple):
    """The bytes of one envelope as the Link delivered them."""

    data: bytes
    address: Address
    received_ns: int  # CLOCK_MONOTONIC at receipt


class Link(Protocol):
    """One southbound carrier. `count(name)` given at construction adds to a named counter of this Link: at least
    `received`, `sent`, `oversize`, `overflow` (queue full: the newest frame was dropped, the node sends it again), and
    what the carrier itself can get wrong (`crc`, `cobs`, ...).
    """

    def __init__(self, settings: object, count: Callable[[str], None]) -> None: ...

    async def open(self) -> None:
        """Get ready to receive. Raises LinkFailed."""
        ...

    async def receive(self) -> list[Frame]:
        """Wait for frames and return all that the bounded queue holds (at least one), oldest first. Raises LinkFailed
        when the carrier fails, after the frames received before have been returned.
        """
        ...

    async def send(self, address: Address, data: bytes) -> None:
        """Send one envelope to where a frame came from. Raises LinkFailed; a peer that is gone is not a failure."""
        ...

    async def close(self) -> None:
        """Stop. Never raises; may be called after a failed open."""
        ...


@runtime_checkable
class SendsMany(Protocol):
    """What a Link may offer besides, where a coroutine for each envelope would cost as much as sending it."""

    async def send_many(self, answers: deque[tuple[Address, bytes]]) -> None:
        """Send all that is in the queue, and what is added at its right meanwhile, each as `send` does; it is taken out
        at the left. Raises LinkFailed; what is in the queue then has not been sent.
        """
        ...
