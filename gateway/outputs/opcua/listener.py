"""The listening socket and its connections: who takes a place, for how long, and what is kept for clients that do not
read. Checked against asyncua 2.1.0 (`sessions.CHECKED_AGAINST`).
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.server.binary_server_asyncio import BinaryServer, OPCUAProtocol
from asyncua.server.server import Server

from gateway.outputs.opcua.channels import CHUNK_BYTES, LIMITS, Gate, Processor
from gateway.outputs.opcua.sessions import Core

_KEEPALIVE = (  # a peer that has vanished is found out within a minute and a half, also while nothing is sent
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 6),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 90_000),
)


class Connection(OPCUAProtocol):
    """One socket."""

    def __init__(self, core: Core, gate: Gate, *args: Any) -> None:
        super().__init__(core, *args)
        self._core = core
        self._gate = gate
        self._writable = asyncio.Event()
        self._writable.set()
        self._patience: asyncio.TimerHandle | None = None

    @property
    def has_session(self) -> bool:
        """Whether a client has logged in on this connection and its session is still open."""
        session = self.processor.session if self.processor is not None else None
        return session is not None and session.is_activated()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The original makes its own processor, and has no place for a client while others only hold theirs."""
        self._make_place()
        super().connection_made(transport)
        if self.processor is None:
            self._core.count("connections_refused")
            return
        assert isinstance(transport, asyncio.Transport)
        for option in _KEEPALIVE:
            transport.get_extra_info("socket").setsockopt(*option)
        self.processor = Processor(self._core, transport, self.limits, self._gate)
        self.processor.set_policies(self.policies)  # type: ignore[no-untyped-call]

    def connection_lost(self, ex: BaseException | None) -> None:
        """Counts those whose peer has vanished."""
        if isinstance(ex, TimeoutError):
            self._core.count("connections_vanished")
        self._lose_patience(False)
        super().connection_lost(ex)

    def _make_place(self) -> None:
        """When all places are taken, the oldest connection without a session goes."""
        if len(self.clients) >= self._core.max_connections:
            idle = next((c for c in self.clients if isinstance(c, Connection) and not c.has_session), None)
            if idle is not None:
                self._core.count("connections_displaced")
                self.clients.remove(idle)
                idle.hang_up()

    async def _activation_watchdog(self) -> None:
        """The original looks once, at the beginning, and never again when a session has ended."""
        grace, since = self._core.max_pending_activation_seconds, time.monotonic()
        while time.monotonic() - since < grace:
            await asyncio.sleep(grace / 2)
            if self.has_session:
                since = time.monotonic()
        self._core.count("connections_without_session")
        self.hang_up()

    def data_received(self, data: bytes) -> None:
        """The original waits for as many bytes as a header promises, and keeps rubbish for ever."""
        super().data_received(data)
        rest = self._buffer
        if len(rest) > CHUNK_BYTES or (len(rest) >= 4 and rest[:3] not in (b"HEL", b"OPN", b"MSG", b"CLO")):
            self._core.count("malformed")
            self._buffer = b""
            self.hang_up()
        elif self.messages.full():
            self._core.count("requests_flooded")
            self.hang_up()

    def pause_writing(self) -> None:
        """The client does not read: nothing more is carried out for it, and it has so long to begin again. The original
        goes on, and keeps every answer.
        """
        self._writable.clear()
        if self.transport is not None:
            self.transport.pause_reading()
        self._lose_patience(True)

    def resume_writing(self) -> None:
        """The client reads again."""
        self._lose_patience(False)
        self._writable.set()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()
        if isinstance(self.processor, Processor):
            self.processor.go_on()

    def _lose_patience(self, begin: bool) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if begin:
            self._patience = asyncio.get_running_loop().call_later(self._core.patience_s, self._too_slow)

    def _too_slow(self) -> None:
        self._core.count("slow_clients_closed")
        self.hang_up()

    async def _process_one_msg(self, header: Any, buf: Buffer) -> bool:
        await self._writable.wait()
        return await super()._process_one_msg(header, buf)

    def hang_up(self) -> None:
        """Close the connection at once."""
        if self.transport is not None:
            self.transport.abort()


class Listener(BinaryServer):
    """The listening socket."""

    def __init__(self, core: Core, gate: Gate, host: str, port: int) -> None:
        super().__init__(core, host, port, LIMITS)
        self._core = core
        self._gate = gate

    def _make_protocol(self) -> OPCUAProtocol:
        return Connection(self._core, self._gate, self._policies, self.clients, self.closing_tasks, self.limits)

    async def stop(self) -> None:
        """The original does not wait for its connections to end, and a client that reads nothing would hold it."""
        if self._server is not None:
            self._server.close()
        for transport in tuple(self.iserver.asyncio_transports):
            transport.abort()
        while self.clients:  # noqa: ASYNC110 - each leaves in its connection_lost, which is queued already
            await asyncio.sleep(0)
        await super().stop()


class SecuredServer(Server):
    """The server with the corrections above."""

    def __init__(self, core: Core, gate: Gate) -> None:
        super().__init__(iserver=core)
        self.application_type = ua.ApplicationType.Server
        self.name = self.manufacturer_name = "Stethos"
        self.product_uri = "urn:stethos:product"
        self._core = core
        self._gate = gate

    async def start(self) -> None:
        """Listen. Raises OSError if the address is not to be had. The original makes its own BinaryServer."""
        await self._setup_server_nodes()
        await self.iserver.start()
        self.bserver = Listener(self._core, self._gate, self.endpoint.hostname or "", self.endpoint.port or 0)
        self.bserver.set_policies(self._policies)
        await self.bserver.start()
