"""Nodes over UDP: one envelope a datagram, answered to the address it came from (nodes/wire/SPEC.md, "Links")."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import sys
from collections import deque
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from gateway.links import MAX_FRAME_BYTES, Address, Frame, LinkFailed
from gateway.links.fields import DEFAULT_QUEUE, Endpoint, Name, QueueLength, split_endpoint
from gateway.links.inbox import Inbox

READS_PER_TURN = 256  # datagrams read before the rest of the loop has its turn
SO_RXQ_OVFL = 40  # asm-generic/socket.h; the socket module does not name it


def _numeric(bind: str) -> str:
    ipaddress.ip_address(split_endpoint(bind)[0])  # its ValueError says what is wrong
    return bind


class Settings(BaseModel, frozen=True, extra="forbid", strict=True):
    """One `[[link]]` with `type = "udp"`."""

    type: Literal["udp"]
    name: Name
    bind: Annotated[Endpoint, AfterValidator(_numeric)] = Field(
        default="0.0.0.0:9750",
        description='"address:port" to listen on, the address numeric; "[::]:port" hears IPv4 and IPv6.',
    )
    receive_buffer: int = Field(
        default=4 << 20,
        ge=4096,
        le=1 << 30,
        description="Bytes of socket buffer to ask the kernel for; it grants at most net.core.rmem_max.",
    )
    queue: QueueLength = DEFAULT_QUEUE


class Link:
    """A bound UDP socket, read by the event loop itself.

    Counts, besides those of every Link: `kernel_overflow` (the socket's buffer was full), `unsendable` (an answer that
    the kernel refused: no route, buffer full; the node asks again).
    """

    def __init__(self, settings: Settings, count: Callable[[str], None]) -> None:
        self._settings = settings
        self._count = count
        self._inbox = Inbox(settings.queue, count)
        self._socket: socket.socket | None = None
        self._kernel_drops = 0

    @property
    def address(self) -> tuple[str, int]:
        """Numeric host and port that are listened on: the port is a real one, though 0 was configured."""
        if self._socket is None:
            raise LinkFailed(f"{self._settings.name}: not open")
        host, port = self._socket.getsockname()[:2]
        return host, port

    async def open(self) -> None:
        """Bind. Raises LinkFailed if the port is taken or the address is not this machine's."""
        if self._socket is not None:
            return
        try:
            self._socket = self._bound()
        except OSError as error:
            raise LinkFailed(f"{self._settings.name}: cannot listen on udp {self._settings.bind}: {error}") from error
        self._kernel_drops = 0
        self._inbox.open()
        asyncio.get_running_loop().add_reader(self._socket, self._readable, self._socket)

    async def receive(self) -> list[Frame]:
        """As the contract says."""
        return await self._inbox.receive()

    async def send(self, address: Address, data: bytes) -> None:
        """Send one datagram; never waits."""
        self._send(address, data)

    async def send_many(self, answers: deque[tuple[Address, bytes]]) -> None:
        """As the contract says; never waits."""
        while answers:
            self._send(*answers[0])
            answers.popleft()

    async def close(self) -> None:
        """Stop listening."""
        if self._socket is None:
            return
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self._socket = None
        self._inbox.fail(f"{self._settings.name}: closed")

    def _bound(self) -> socket.socket:
        host, port = split_endpoint(self._settings.bind)
        [(family, kind, protocol, _, where), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )
        opened = socket.socket(family, kind, protocol)
        try:
            opened.setblocking(False)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._settings.receive_buffer)
            opened.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            opened.bind(where)
        except OSError:
            opened.close()
            raise
        return opened

    def _send(self, address: Address, data: bytes) -> None:
        if self._socket is None:
            raise LinkFailed(f"{self._settings.name}: not open")
        try:
            self._socket.sendto(data, address)  # type: ignore[call-overload]  # as recvfrom gave it
        except OSError:
            # The fault of one peer or of its route. The socket itself stays good for the others.
            self._count("unsendable")
        else:
            self._count("sent")

    def _readable(self, source: socket.socket) -> None:
        # One byte more than a frame may have shows that a datagram is too long.
        size, put, recvfrom = MAX_FRAME_BYTES + 1, self._inbox.put, source.recvfrom
        try:
            data, ancillary, _, address = source.recvmsg(size, socket.CMSG_SPACE(4))
            put(data, address)
            self._note_kernel_drops(ancillary)
            for _ in range(READS_PER_TURN - 1):
                put(*recvfrom(size))
        except BlockingIOError:
            return
        except OSError as error:
            asyncio.get_running_loop().remove_reader(source)
            self._inbox.fail(f"{self._settings.name}: udp {self._settings.bind}: {error}")

    def _note_kernel_drops(self, ancillary: list[tuple[int, int, bytes]]) -> None:
        """Take over the kernel's running 32-bit total of what it dropped before this datagram."""
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, SO_RXQ_OVFL):
                total = int.from_bytes(data, sys.byteorder)
                for _ in range((total - self._kernel_drops) % (1 << 32)):
                    self._count("kernel_overflow")
                self._kernel_drops = total
