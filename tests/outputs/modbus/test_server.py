"""The Modbus server as a protocol: pipelining, malformed requests, limits; raw sockets say what libraries would not."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.outputs import OutputFailed
from gateway.outputs.modbus import Output, Settings
from gateway.outputs.modbus.request import fault
from gateway.outputs.modbus.server import READ_AHEAD
from tests.outputs.host import PUMP, MemoryHost
from tests.outputs.modbus.client import connected, frame, serving

READ_MAGIC = struct.pack(">BHH", 4, 0, 1)
MAGIC = bytes.fromhex("04025354")


async def test_ten_requests_in_one_segment_get_ten_answers_in_order() -> None:
    async with serving(MemoryHost()) as output, connected(output) as client:
        client.send(b"".join(frame(struct.pack(">BHH", 4, 0, 1 + i), transaction=i) for i in range(10)))
        for i in range(10):
            transaction, _, pdu = await client.answer()
            assert (transaction, len(pdu)) == (i, 2 + 2 * (1 + i))


async def test_a_request_that_comes_byte_by_byte_is_answered() -> None:
    async with serving(MemoryHost()) as output, connected(output) as client:
        for byte in frame(READ_MAGIC):
            client.send(bytes([byte]))
            await client.writer.drain()
            await asyncio.sleep(0)
        assert (await client.answer())[2] == MAGIC


async def test_far_more_than_is_read_ahead_is_answered_in_full() -> None:
    requests = 4 * READ_AHEAD // len(frame(READ_MAGIC))
    async with serving(MemoryHost()) as output, connected(output) as client:
        client.send(b"".join(frame(READ_MAGIC, transaction=i) for i in range(requests)))
        answers = [await client.answer() for _ in range(requests)]
        assert [a[0] for a in answers] == list(range(requests))


async def test_a_client_that_never_reads_its_answers_is_not_carried_out_for_ever() -> None:
    host = MemoryHost()
    async with serving(host, idle_s=0.5) as output:
        link = socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.setblocking(False)
        await asyncio.get_running_loop().sock_connect(link, ("127.0.0.1", output.port))
        reader, writer = await asyncio.open_connection(sock=link, limit=1)
        request = frame(struct.pack(">BHH", 4, 1000, 125)) * 100
        try:
            async with asyncio.timeout(10):
                while not host.counts["idle_closed"]:
                    writer.write(request)
                    await asyncio.wait({asyncio.ensure_future(writer.drain())}, timeout=0.1)
        except ConnectionError:
            pass
        assert host.counts["idle_closed"] == 1
        writer.transport.abort()
        async with connected(output) as other:
            assert await other.ask(READ_MAGIC) == MAGIC
        del reader


@pytest.mark.parametrize(
    ("pdu", "code"),
    [
        (struct.pack(">BHH", 4, 0, 0), 3),
        (struct.pack(">BHH", 3, 0, 126), 3),
        (struct.pack(">BHH", 4, 0, 0xFFFF), 3),
        (struct.pack(">BHH", 1, 0, 2001), 3),
        (struct.pack(">BHH", 2, 0, 0), 3),
        (struct.pack(">BH", 4, 0), 3),
        (struct.pack(">BHHB", 4, 0, 1, 0), 3),
        (struct.pack(">B", 3), 3),
        (struct.pack(">BHH", 5, 0, 0x1234), 3),
        (struct.pack(">BHH", 5, 0, 1), 3),
        (struct.pack(">BHHB", 15, 0, 9, 1) + b"\0", 3),
        (struct.pack(">BHHB", 15, 0, 0, 0), 3),
        (struct.pack(">BHHB", 16, 0, 2, 2) + b"\0\0", 3),
        (struct.pack(">BHHB", 16, 0, 2, 4) + b"\0\0", 3),
        (struct.pack(">BHHB", 16, 0, 124, 248) + bytes(246), 3),
        (struct.pack(">BHH", 22, 0, 0), 3),
        (struct.pack(">BHHHHB", 23, 0, 126, 0, 1, 2) + b"\0\0", 3),
        (struct.pack(">BHHHHB", 23, 0, 1, 0, 1, 4) + b"\0\0", 3),
        (b"\x2b\x0e\x05\x00", 3),
        (b"\x2b\x0d\x00\x00", 1),
        (b"\x2b", 1),
        (struct.pack(">BHH", 8, 0, 0), 1),
        (struct.pack(">BB", 20, 7) + bytes(7), 1),
        (b"\x07", 1),
        (b"\x11", 1),
        (b"\x64\x00", 1),
        (b"\x00", 1),
        (b"\x84\x02", 1),
        (b"\xff", 1),
        (struct.pack(">BHH", 4, 216, 1), 2),
        (struct.pack(">BHH", 4, 999, 2), 2),
        (struct.pack(">BHH", 4, 59999, 2), 2),
        (struct.pack(">BHH", 4, 65535, 125), 2),
        (struct.pack(">BHH", 3, 11, 2), 2),
        (struct.pack(">BHH", 2, 65535, 2), 2),
    ],
)
async def test_a_wrong_request_gets_its_exception_and_the_connection_lives(pdu: bytes, code: int) -> None:
    host = MemoryHost()
    async with serving(host, writes=True) as output, connected(output) as client:
        assert await client.ask(pdu) == bytes([pdu[0] | 0x80, code])
        assert await client.ask(READ_MAGIC) == MAGIC
    assert host.counts["exceptions"] == 1


@pytest.mark.parametrize("unit", [0, 1, 255])
async def test_the_gateway_answers_as_unit(unit: int) -> None:
    async with serving(MemoryHost()) as output, connected(output) as client:
        assert await client.ask(READ_MAGIC, unit) == MAGIC


async def test_unknown_units_are_answered_with_0x0b() -> None:
    async with serving(MemoryHost()) as output, connected(output) as client:
        for unit in (2, 17, 254):
            assert await client.ask(READ_MAGIC, unit) == b"\x84\x0b"


@pytest.mark.parametrize(
    "stream",
    [b"GET / HTTP/1.1\r\n\r\n", bytes(64), struct.pack(">HHHB", 1, 0, 255, 1), struct.pack(">HHHB", 1, 0, 1, 1)],
)
async def test_a_stream_that_is_not_modbus_is_hung_up_on(stream: bytes) -> None:
    host = MemoryHost()
    async with serving(host) as output, connected(output) as client:
        client.send(stream)
        assert await client.closed()
    assert host.counts["not_modbus"] == 1


async def test_answers_before_the_nonsense_are_given() -> None:
    async with serving(MemoryHost()) as output, connected(output) as client:
        client.send(frame(READ_MAGIC))
        assert (await client.answer())[2] == MAGIC
        client.send(b"\xff" * 32)
        assert await client.closed()


async def test_peers_outside_the_list_are_hung_up_on() -> None:
    host = MemoryHost()
    async with serving(host, allow=("192.0.2.0/24",)) as output, connected(output) as client:
        client.send(frame(READ_MAGIC))
        assert await client.closed()
    assert host.counts["refused_peer"] == 1


async def test_connections_are_capped_and_come_free_again() -> None:
    host = MemoryHost()
    async with serving(host, connections=2) as output:
        async with connected(output) as one, connected(output) as two:
            assert await one.ask(READ_MAGIC) == await two.ask(READ_MAGIC) == MAGIC
            async with connected(output) as three:
                assert await three.closed()
            assert await one.ask(READ_MAGIC) == MAGIC
        assert host.counts["refused_connections"] == 1
        async with asyncio.timeout(5):
            while True:
                async with connected(output) as client:
                    try:
                        assert await client.ask(READ_MAGIC) == MAGIC
                        break
                    except (asyncio.IncompleteReadError, ConnectionResetError):
                        continue


async def test_a_silent_connection_is_closed_and_a_busy_one_is_not() -> None:
    host = MemoryHost()
    async with serving(host, idle_s=1.0) as output, connected(output) as busy, connected(output) as idle:
        async with asyncio.timeout(10):
            while not host.counts["idle_closed"]:
                assert await busy.ask(READ_MAGIC) == MAGIC
                await asyncio.sleep(0.05)
        assert await idle.closed()
        assert await busy.ask(READ_MAGIC) == MAGIC
    assert host.counts["idle_closed"] == 1


async def test_half_a_request_byte_by_byte_is_no_activity() -> None:
    host = MemoryHost()
    async with serving(host, idle_s=0.5) as output, connected(output) as slow, connected(output) as other:
        request = frame(READ_MAGIC)[:-1]
        at = 0
        async with asyncio.timeout(10):
            while not host.counts["idle_closed"]:
                slow.send(request[at : at + 1])
                at += 1
                assert await other.ask(READ_MAGIC) == MAGIC
                await asyncio.sleep(0.05)
        assert await slow.closed()
        assert await other.ask(READ_MAGIC) == MAGIC


async def test_the_gateway_identifies_itself() -> None:
    async with serving(MemoryHost()) as output, connected(output) as client:
        reply = await client.ask(b"\x2b\x0e\x01\x00")
    assert reply[:2] == b"\x2b\x0e"
    assert b"\x00\x07Stethos\x01\x07gateway" in reply


async def test_a_port_that_is_taken_fails_the_open() -> None:
    host = MemoryHost()
    async with serving(host) as output:
        second = Output(Settings(port=output.port))
        with pytest.raises(OutputFailed, match=str(output.port)):
            await second.open(host, host.present)
        await second.close()


async def test_close_hangs_up_and_a_new_open_serves_again() -> None:
    host = MemoryHost()
    output = Output(Settings(port=0))
    await output.close()
    for _ in range(2):
        await output.open(host, host.present)
        async with connected(output) as client:
            assert await client.ask(READ_MAGIC) == MAGIC
            await output.close()
            assert await client.closed()


async def test_a_fault_of_our_own_behind_a_request_reaches_the_host() -> None:
    class Broken(MemoryHost):
        async def command(self, command: object) -> None:
            raise ZeroDivisionError("a bug")

    host = Broken()
    async with serving(host, writes=True) as output, connected(output) as client:
        client.send(frame(struct.pack(">BHHBHHH", 16, 2, 3, 6, 0, 1, 1)))
        assert await client.closed()
        with pytest.raises(ZeroDivisionError):
            await output.write([host.raised(PUMP)])


@given(st.binary(min_size=1, max_size=253))
@settings(max_examples=500, deadline=None)
def test_the_form_check_takes_any_bytes(pdu: bytes) -> None:
    assert fault(pdu) in (None, 1, 3)


@given(st.lists(st.sampled_from([1, 2, 3, 4, 5, 6, 15, 16, 22, 23, 43]).flatmap(
    lambda f: st.binary(max_size=20).map(lambda tail: bytes([f]) + tail)), min_size=1, max_size=20))  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_every_request_of_any_content_is_answered(pdus: list[bytes]) -> None:
    async def run() -> None:
        async with serving(MemoryHost(), writes=True) as output, connected(output) as client:
            client.send(b"".join(frame(pdu, transaction=i) for i, pdu in enumerate(pdus)))
            for i, pdu in enumerate(pdus):
                transaction, _, reply = await client.answer()
                assert (transaction, reply[0] & 0x7F) == (i, pdu[0])
            await output.write([])

    asyncio.run(run())
