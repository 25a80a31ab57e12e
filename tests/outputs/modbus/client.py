"""A Modbus TCP client of raw sockets: what tests need to say things that no library would say."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.outputs.modbus import Output, Settings
from tests.outputs.host import MemoryHost


@asynccontextmanager
async def serving(host: MemoryHost, **settings: object) -> AsyncIterator[Output]:
    """An open Output on a free port."""
    output = Output(Settings(port=0, **settings))
    await output.open(host, host.present)
    try:
        yield output
    finally:
        await output.close()


def frame(pdu: bytes, unit: int = 1, transaction: int = 1) -> bytes:
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


class Raw:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[int, int, bytes]:
        """Transaction, unit and PDU of the next answer."""
        async with asyncio.timeout(5):
            head = await self.reader.readexactly(7)
            transaction, protocol, length, unit = struct.unpack(">HHHB", head)
            assert protocol == 0
            return transaction, unit, await self.reader.readexactly(length - 1)

    async def ask(self, pdu: bytes, unit: int = 1) -> bytes:
        """PDU of the answer to one request."""
        self.send(frame(pdu, unit))
        transaction, answered, reply = await self.answer()
        assert (transaction, answered) == (1, unit)
        return reply

    async def registers(self, function: int, address: int, count: int) -> list[int]:
        """Registers read with function 3 or 4."""
        reply = await self.ask(struct.pack(">BHH", function, address, count))
        assert reply[:2] == bytes([function, 2 * count]), reply.hex()
        return list(struct.unpack(f">{count}H", reply[2:]))

    async def bits(self, function: int, address: int, count: int) -> list[int]:
        """Bits read with function 1 or 2."""
        reply = await self.ask(struct.pack(">BHH", function, address, count))
        assert reply[:2] == bytes([function, (count + 7) // 8]), reply.hex()
        return [reply[2 + i // 8] >> i % 8 & 1 for i in range(count)]

    async def write(self, address: int, *values: int) -> bytes:
        """Function 16; the answer's PDU."""
        head = struct.pack(">BHHB", 16, address, len(values), 2 * len(values))
        return await self.ask(head + struct.pack(f">{len(values)}H", *values))

    async def closed(self) -> bool:
        """True when the server has hung up."""
        async with asyncio.timeout(5):
            try:
                return await self.reader.read(1) == b""
            except ConnectionResetError:
                return True


@asynccontextmanager
async def connected(output: Output) -> AsyncIterator[Raw]:
    reader, writer = await asyncio.open_connection("127.0.0.1", output.port)
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()
