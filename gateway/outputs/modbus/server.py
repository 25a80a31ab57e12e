"""The Modbus TCP server: pymodbus, with what it gets wrong put right here and nowhere else.

pymodbus 3.16.1 drops pipelined requests, answers malformed ones with function 0x80 or a traceback, accepts fc 5 with
any value, raises on unknown units, and knows no limit of connections, peers or silence. So a connection is read here:
frames are cut and checked against the application protocol (Modbus V1.1b3, section 6), then decoded, carried out and
encoded by pymodbus, one after the other and in order. Only this module and request.py know it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Protocol

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.pdu import ExceptionResponse
from pymodbus.pdu.device import ModbusDeviceIdentification
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

from gateway.outputs.modbus.request import fault, u16

UNITS = (0, 1, 255)  # what clients send to a device that is not behind a serial line
UNIT = 1  # the one device inside
READ_AHEAD = 8 * 1024  # bytes; above it a connection is read no further until its requests are answered
STOP_S = 5.0
MBAP = 7
PDU_MAX = 253
ECHOED = (5, 6)  # functions whose answer is the request itself

peer: ContextVar[str] = ContextVar("peer")
"""Address of the client whose request is being carried out."""


class Refused(Exception):  # noqa: N818 - an answer, not an error in the program
    """A write that is answered with a Modbus exception."""

    def __init__(self, code: ExcCodes) -> None:
        super().__init__(code)
        self.code = code


class Registers(Protocol):
    """What is served. Addresses have been checked against `sizes`; bits come in words of 16, lowest bit first."""

    def read(self, function: int, start: int, count: int) -> Sequence[int]:
        """Words from `start`: registers, or for functions 1, 2, 5 and 15 words of bits."""
        ...

    async def write(self, function: int, address: int, values: Sequence[int]) -> None:
        """Carry out a write. Raises Refused."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server admits. `sizes`: coils, discrete inputs, holding and input registers, from address 0."""

    sizes: tuple[int, int, int, int]
    gaps: Sequence[range]  # input registers that do not exist
    allow: Sequence[IPv4Network | IPv6Network]
    connections: int
    idle_s: float


class Connection(ServerRequestHandler):
    """One client: requests are answered in order, however many come at once."""

    def __init__(self, owner: Server) -> None:
        super().__init__(owner, None, None, None)  # type: ignore[no-untyped-call]
        self._owner = owner
        self._buffer = bytearray()
        self._more = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._paused = False
        self._gone = False
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the peer or hang up."""
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        self._tcp = transport
        name = transport.get_extra_info("peername")
        if name is None:  # gone before it was there
            self.hang_up()
            return
        refusal = self._owner.refusal(name[0])
        if refusal:
            self._owner.count(refusal)
            self.hang_up()
            return
        self._restart_idle()
        self._owner.start(self, name[0])

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer is gone. The request that is being carried out is not broken off, the rest is forgotten."""
        if self._idle:
            self._idle.cancel()
        self._gone = True
        self._buffer.clear()
        self._more.set()
        self._writable.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Keep the bytes; `serve` takes the frames out. Bytes that are no whole request do not count as activity."""
        self._buffer += data
        if len(self._buffer) > READ_AHEAD and not self._paused:
            self._paused = True
            self._tcp.pause_reading()
        self._more.set()

    def pause_writing(self) -> None:
        """The peer does not read its answers: carry out nothing more for it."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._writable.set()

    async def serve(self, address: str) -> None:
        """Answer until the connection is gone."""
        peer.set(address)
        try:
            while not self._gone:
                frame = self._next_frame()
                if frame:
                    await self._carry_out(frame)
                else:
                    await self._read_on()
        finally:
            self.hang_up()

    async def _read_on(self) -> None:
        if self._paused:
            self._paused = False
            self._tcp.resume_reading()
        self._more.clear()
        await self._more.wait()

    async def _carry_out(self, frame: bytes) -> None:
        await self._writable.wait()
        answer = await self._answer(frame[6], frame[MBAP:])
        if not self._gone:
            self._restart_idle()
            self._tcp.write(frame[:4] + (len(answer) + 1).to_bytes(2, "big") + frame[6:MBAP] + answer)

    def _next_frame(self) -> bytes | None:
        """Cut off one frame: header and PDU. A stream that is not Modbus cannot be followed any further."""
        if len(self._buffer) < MBAP:
            return None
        length = u16(self._buffer, 4)
        if u16(self._buffer, 2) != 0 or not 2 <= length <= PDU_MAX + 1:
            self._owner.count("not_modbus")
            self.hang_up()
            self._buffer.clear()
            return None
        if len(self._buffer) < 6 + length:
            return None
        frame = bytes(self._buffer[: 6 + length])
        del self._buffer[: 6 + length]
        return frame

    async def _answer(self, unit: int, pdu: bytes) -> bytes:
        code = ExcCodes.GATEWAY_NO_RESPONSE if unit not in UNITS else fault(pdu)
        if code is None:
            request = self._owner.decoder.decode(pdu)
            assert request, "fault() lets through what pymodbus cannot decode"
            response = await request.datastore_update(self._owner.context, UNIT)  # type: ignore[arg-type]
            if not isinstance(response, ExceptionResponse):
                self._owner.count("requests")
                return pdu if pdu[0] in ECHOED else bytes([pdu[0]]) + bytes(response.encode())
            code = ExcCodes(response.exception_code)
        self._owner.count("exceptions")
        return bytes([pdu[0] | 0x80, code])

    def _restart_idle(self) -> None:
        if self._idle:
            self._idle.cancel()
        self._idle = self.loop.call_later(self._owner.limits.idle_s, self._idled)

    def _idled(self) -> None:
        self._owner.count("idle_closed")
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connection at once."""
        self._tcp.abort()


class Server(ModbusTcpServer):
    """Serves `registers` on one address. Needs a running loop."""

    def __init__(
        self,
        address: tuple[str, int],
        registers: Registers,
        limits: Limits,
        identity: dict[int, str],
        count: Callable[[str], None],
    ) -> None:
        async def action(
            function: int, start: int, at: int, size: int, memory: list[int], values: list[int] | list[bool] | None
        ) -> ExcCodes | None:
            if values is not None:
                try:
                    await registers.write(function, at, [int(v) for v in values])
                except Refused as refused:
                    return refused.code
            word = at // 16 if function in (1, 2, 5, 15) else at
            memory[word - start : word - start + size] = registers.read(function, word, size)
            return None

        super().__init__(
            SimDevice(UNIT, _tables(limits), action=action),
            framer=FramerType.SOCKET,
            address=address,
            identity=ModbusDeviceIdentification(info=identity),  # type: ignore[no-untyped-call]
        )
        self.limits = limits
        self.count = count
        self._served: dict[asyncio.Task[None], Connection] = {}
        self._stopping = False
        self._bug: BaseException | None = None

    def callback_new_connection(self) -> Connection:
        """One more client, to be admitted or not."""
        return Connection(self)

    def refusal(self, address: str) -> str | None:
        """The name under which a new connection is refused, or None."""
        ip = ip_address(address.partition("%")[0])
        mapped = getattr(ip, "ipv4_mapped", None)
        if not any((mapped or ip) in network for network in self.limits.allow):
            return "refused_peer"
        full = len(self._served) >= self.limits.connections
        return "refused_connections" if full or self._stopping else None

    def start(self, connection: Connection, address: str) -> None:
        """Serve a connection until it ends or the server stops."""
        task = asyncio.create_task(connection.serve(address))
        self._served[task] = connection
        task.add_done_callback(self._ended)

    def check(self) -> None:
        """Raise what went wrong in a connection's task, if it was our own fault."""
        if self._bug:
            raise self._bug

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert isinstance(self.transport, asyncio.Server)
        return int(self.transport.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the port and every connection; what is being carried out has STOP_S to end."""
        self._stopping = True
        await self.shutdown()  # type: ignore[no-untyped-call]
        for connection in self._served.values():
            connection.hang_up()
        if self._served:
            _, late = await asyncio.wait(self._served, timeout=STOP_S)
            for task in late:
                task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._served[task]
        if not task.cancelled():
            self._bug = self._bug or task.exception()


def _tables(limits: Limits) -> tuple[list[SimData], list[SimData], list[SimData], list[SimData]]:
    coils, discrete, holding, inputs = limits.sizes
    exists, at = [], 0
    for gap in limits.gaps:
        exists.append(SimData(at, count=gap.start - at, datatype=DataType.REGISTERS))
        at = gap.stop
    exists.append(SimData(at, count=inputs - at, datatype=DataType.REGISTERS))
    return (
        [SimData(0, values=[False] * coils, datatype=DataType.BITS)],
        [SimData(0, values=[False] * discrete, datatype=DataType.BITS)],
        [SimData(0, count=holding, datatype=DataType.REGISTERS)],
        exists,
    )
