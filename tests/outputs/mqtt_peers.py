"""Who is at the other ends of the MQTT output: mosquitto_sub, mosquitto_pub, a cable to cut, a broker of few words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gateway.outputs.mqtt import Output, Settings
from tests.outputs.host import MemoryHost
from tests.system.broker import Broker

SITE = "stethos/works"
PUMP_PLACE = f"{SITE}/north/line-3/pump-1"


class Heard:
    """What mosquitto_sub prints: (topic, retained, payload) of each message, as they come."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bool, dict]] = []
        self._new = asyncio.Condition()

    async def add(self, line: bytes) -> None:
        topic, retained, payload = line.decode().rstrip("\n").split(" ", 2)
        async with self._new:
            self.messages.append((topic, retained == "1", json.loads(payload)))
            self._new.notify_all()

    def on(self, topic: str) -> list[dict]:
        return [payload for at, _, payload in self.messages if at == topic]

    async def until(self, true: Callable[[Heard], bool]) -> None:
        async with asyncio.timeout(10), self._new:
            await self._new.wait_for(lambda: true(self))


@asynccontextmanager
async def listening(broker: Broker, topic: str = "#", *options: str) -> AsyncIterator[Heard]:
    """mosquitto_sub, subscribed when the block begins. Its own retained marker tells when it is."""
    heard, marker = Heard(), "marker/of/the/test"
    await publish(broker, marker, "{}", "-r")
    process = await asyncio.create_subprocess_exec(
        "mosquitto_sub", "-h", broker.host, "-p", str(broker.port), "-q", "1", "-t", topic, "-t", marker,
        "-F", "%t %r %p", *options, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip

    async def read() -> None:
        while line := await process.stdout.readline():
            await heard.add(line)

    reading = asyncio.create_task(read())
    try:
        await heard.until(lambda h: h.on(marker))
        yield heard
    finally:
        process.terminate()
        await process.wait()
        await reading


async def publish(broker: Broker, topic: str, payload: str, *options: str) -> None:
    process = await asyncio.create_subprocess_exec(
        "mosquitto_pub", "-h", broker.host, "-p", str(broker.port), "-q", "1", "-t", topic, "-m", payload, *options
    )
    assert await process.wait() == 0


@asynccontextmanager
async def publishing(broker: Broker | str, host: MemoryHost, **settings: object) -> AsyncIterator[Output]:
    address = broker if isinstance(broker, str) else broker.address
    output = Output(Settings(broker=address, **settings))
    try:
        await output.open(host, host.present)
        yield output
    finally:
        await output.close()


@asynccontextmanager
async def cable(broker: Broker) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """A way to the broker that can be cut: its address, and the function that cuts it."""
    streams: list[asyncio.StreamWriter] = []

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(broker.host, broker.port)
        streams.extend([writer, far_writer])
        await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer))

    def cut() -> None:
        for stream in streams:
            stream.transport.abort()

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}", cut
        cut()


@asynccontextmanager
async def meagre_broker(answers: dict[int, bytes]) -> AsyncIterator[str]:
    """Answers a packet of a type (MQTT 3.1.1, its high nibble) with these bytes, `ID` being the packet's id.

    mosquitto never refuses a subscription and never falls silent; other brokers do.
    """

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                [kind] = await reader.readexactly(1)
                length, shift = 0, 0
                while True:
                    [digit] = await reader.readexactly(1)
                    length, shift = length | (digit & 127) << shift, shift + 7
                    if digit < 128:
                        break
                body = await reader.readexactly(length)
                at = 2 + int.from_bytes(body[:2]) if kind >> 4 == 3 else 0
                if kind >> 4 in answers:
                    writer.write(answers[kind >> 4].replace(b"ID", body[at : at + 2]))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield "{}:{}".format(*server.sockets[0].getsockname())


CONNACK, PUBACK, SUBACK_REFUSED = b"\x20\x02\x00\x00", b"\x40\x02ID", b"\x90\x03ID\x80"
