"""A connection with brokers that mosquitto is not: they are slow, deaf, or in pieces."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from gateway.mqtt import Connection, Message
from gateway.mqtt.connection import FIRST_ID, LAST_ID, WINDOW
from gateway.mqtt.packets import Cutter, Packet, puback, read_publish, text
from gateway.mqtt.stream import READ_BYTES, UNSENT_BYTES, Stream
from tests.system.broker import mosquitto

TOPIC = text("a/b")
CONNACK = bytes.fromhex("20020000")
CONNACK_OF_3 = bytes.fromhex("2006000003210003")  # MQTT 5: no more than three under way
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def connect(address: tuple[str, int], version: str = "3.1.1", **options: Any) -> Connection:
    quiet = {"on_message": lambda *_: None, "on_refused": lambda _: None, "timeout": 0.3}
    return Connection(*address, version=version, **(quiet | options))


def said(payloads: Iterable[bytes]) -> list[Message]:
    return [Message(TOPIC, payload, retain=False) for payload in payloads]


@asynccontextmanager
async def broker(serve: Serve) -> AsyncIterator[tuple[str, int]]:
    held = set()  # who reads nothing is known to nobody, and would be collected

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.add(asyncio.current_task())
        try:
            await serve(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()


async def packets(reader: asyncio.StreamReader) -> AsyncIterator[Packet]:
    cutter = Cutter()
    while data := await reader.read(65536):
        for packet in cutter.feed(data):
            yield packet


@asynccontextmanager
async def entered(connection: Connection) -> AsyncIterator[Connection]:
    try:
        await connection.__aenter__()
        yield connection
    finally:
        await connection.leave()


async def test_no_more_are_under_way_than_the_broker_wants() -> None:
    got: list[bytes] = []
    waiting: list[int] = []
    answers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for packet in packets(reader):
            if packet.first >> 4 == 1:
                writer.write(CONNACK_OF_3)
                answers.append(writer)
            elif packet.first >> 4 == 3:
                message = read_publish(packet, v5=True)
                got.append(message.payload)
                waiting.append(message.packet_id)

    async with broker(serve) as address, entered(connect(address, "5", timeout=20)) as connection, asyncio.timeout(20):
        posting = asyncio.create_task(connection.deliver(said(b"%d" % number for number in range(15))))
        while not posting.done():
            if len(waiting) >= 3:
                for _ in range(100):
                    await asyncio.sleep(0)  # time enough for more to come
                assert len(waiting) == 3
                answers[0].write(b"".join(map(puback, waiting)))
                waiting.clear()
            await asyncio.sleep(0)
        await posting
    assert got == [b"%d" % number for number in range(15)]


async def test_what_is_better_lost_than_late_does_not_wait_for_the_window() -> None:
    got: list[tuple[int, bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for packet in packets(reader):
            if packet.first >> 4 == 1:
                writer.write(CONNACK_OF_3)
            elif packet.first >> 4 == 3:
                got.append((packet.first >> 1 & 3, read_publish(packet, v5=True).payload))

    async with broker(serve) as address, entered(connect(address, "5", timeout=20)) as connection, asyncio.timeout(20):
        for number in range(6):
            await connection.send(TOPIC, b"%d" % number)
        while len(got) < 6:
            await asyncio.sleep(0.01)
    assert got == [(1, b"0"), (1, b"1"), (1, b"2"), (0, b"3"), (0, b"4"), (0, b"5")]


async def test_packet_ids_begin_anew_when_they_are_used_up(tmp_path: Path) -> None:
    count = LAST_ID - FIRST_ID + 500
    async with mosquitto(tmp_path) as real, entered(connect((real.host, real.port), timeout=20)) as connection:
        await connection.deliver(said([b""] * count))


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(CONNACK)
    writer.transport.pause_reading()
    await writer.wait_closed()


async def test_a_broker_that_never_reads_is_given_up() -> None:
    async with broker(deaf) as address, entered(connect(address)) as connection, asyncio.timeout(20):
        with pytest.raises(aiomqtt.MqttError, match="timed out"):
            await connection.deliver(said([bytes(10_000)] * 3 * WINDOW))
        assert len(connection._under_way) == WINDOW
        with pytest.raises(aiomqtt.MqttError, match="timed out"):
            await connection.deliver(said([b""]))
        with pytest.raises(aiomqtt.MqttError, match="timed out"):
            await connection.send(TOPIC, b"")


async def test_what_may_be_lost_does_not_fill_the_memory_of_a_broker_that_never_reads() -> None:
    sent = 0
    async with broker(deaf) as address, entered(connect(address)) as connection, asyncio.timeout(20):
        with pytest.raises(aiomqtt.MqttError, match="timed out"):
            while True:
                await connection.send(TOPIC, bytes(10_000))
                sent += 10_000
        assert WINDOW * 10_000 <= sent < 4 * UNSENT_BYTES


async def test_a_broker_that_acknowledges_slowly_is_not_given_up() -> None:
    """Whenever it is looked at, something was acknowledged: the timeout is for a broker that does nothing."""
    release = asyncio.Semaphore(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for packet in packets(reader):
            if packet.first >> 4 == 1:
                writer.write(CONNACK)
            elif packet.first >> 4 == 3:
                await release.acquire()
                writer.write(puback(read_publish(packet, v5=False).packet_id))

    async with broker(serve) as address, entered(connect(address, timeout=1.0)) as connection, asyncio.timeout(20):
        delivering = asyncio.create_task(connection.deliver(said([b""] * 4)))
        for _ in range(3):
            release.release()
            await asyncio.sleep(0)
            looking = connection._watch
            while connection._watch is looking:
                await asyncio.sleep(0.01)
        release.release()
        await delivering
        assert not connection.gone.done()


@pytest.mark.parametrize(
    "says", ["", "20020005", "ffffffffff01", "2002000034050003612f62", "200200003205000361", "20020000e000"]
)
async def test_whatever_a_broker_says_the_end_comes_with_a_reason(says: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(bytes.fromhex(says))
        await writer.drain()

    async with broker(serve) as address, asyncio.timeout(20):
        connection = connect(address, timeout=10)
        try:
            await connection.__aenter__()
        except aiomqtt.MqttError as error:
            assert str(error)
        else:
            assert await connection.gone
        finally:
            await connection.leave()
        with pytest.raises(aiomqtt.MqttError):
            await connection.deliver(said([b""]))


async def test_who_leaves_while_connecting_leaves_nothing_open() -> None:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(65536):
                pass
        finally:
            ended.set()

    async with broker(serve) as address:
        connection = connect(address)
        entering = asyncio.create_task(connection.__aenter__())
        await asyncio.sleep(0)
        entering.cancel()
        await asyncio.wait({entering})
        await connection.leave()
        async with asyncio.timeout(10):
            await ended.wait()


async def test_what_is_posted_arrives_in_order_and_what_is_sent_is_heard(tmp_path: Path) -> None:
    heard: list[tuple[bytes, bytes, bool]] = []
    payloads = [bytes([number % 256]) * (number * 37 % 3000) for number in range(2000)]
    async with (
        mosquitto(tmp_path, lines=["allow_anonymous true", "max_queued_messages 0"]) as real,
        entered(connect((real.host, real.port), timeout=20, on_message=lambda *m: heard.append(m))) as connection,
        asyncio.timeout(30),
    ):
        await connection.subscribe("a/#", qos=1)
        await connection.deliver(said(payloads))
        while len(heard) < len(payloads):
            await asyncio.sleep(0.01)
    assert heard == [(b"a/b", payload, False) for payload in payloads]


def small_pipe() -> tuple[socket.socket, socket.socket]:
    here, there = socket.socketpair()
    for end in (here, there):
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return here, there


async def test_a_peer_that_talks_and_never_listens_does_not_fill_the_memory() -> None:
    here, there = small_pipe()
    loop = asyncio.get_running_loop()
    heard = answered = 0

    def answer(data: bytes) -> None:
        nonlocal heard, answered
        heard += len(data)
        answered += 64 * len(data)
        stream.write(bytes(64 * len(data)))

    stream = Stream(here, loop, answer, lambda: None)
    stream.start()
    try:
        sending = asyncio.create_task(loop.sock_sendall(there, bytes(10 * UNSENT_BYTES)))
        async with asyncio.timeout(20):
            while answered <= UNSENT_BYTES:
                await asyncio.sleep(0)
        stopped = heard
        for _ in range(200):
            await asyncio.sleep(0)
        assert heard == stopped  # not a byte more
        assert answered <= UNSENT_BYTES + 64 * READ_BYTES
        async with asyncio.timeout(20):
            while heard == stopped:  # who listens again is heard again
                await loop.sock_recv(there, READ_BYTES)
        sending.cancel()
        await asyncio.wait({sending})
    finally:
        stream.close()
        there.close()


async def test_pieces_written_in_one_turn_go_out_together() -> None:
    here, there = socket.socketpair()
    for end in (here, there):
        end.setblocking(False)
    stream = Stream(here, asyncio.get_running_loop(), lambda _: None, lambda: None)
    for number in range(10):
        stream.write(b"%d" % number)
    with pytest.raises(BlockingIOError):
        there.recv(100)
    await asyncio.sleep(0)
    assert there.recv(100) == b"0123456789"
    stream.close()
    assert there.recv(1) == b""
    there.close()


class Recorded(socket.socket):
    """A socket that keeps which options were set."""

    def __init__(self) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_STREAM)
        self.options: list[int] = []

    def setsockopt(self, level: int, name: int, *value: Any) -> None:
        self.options.append(name)
        super().setsockopt(level, name, *value)


async def test_every_piece_is_acknowledged_at_once_so_that_the_broker_holds_none_back() -> None:
    loop, heard = asyncio.get_running_loop(), list[bytes]()
    with socket.create_server(("127.0.0.1", 0)) as door:
        here = Recorded()
        here.connect(door.getsockname())
        here.setblocking(False)
        there, _ = door.accept()
    stream = Stream(here, loop, heard.append, lambda: None)
    stream.start()
    for number in range(3):
        there.send(b"piece")
        async with asyncio.timeout(20):
            while len(heard) <= number:
                await asyncio.sleep(0)
        assert here.options.count(socket.TCP_QUICKACK) == number + 1
    stream.close()
    there.close()
