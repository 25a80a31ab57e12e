"""The radios of nodes/micropython, under MicroPython's unix port, to real sockets, a real broker and a pty."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import aiomqtt

from gateway.links.serial import Deframer, frame
from tests.micropython.radios.conftest import Talk
from tests.system.broker import mosquitto

NEAR, FAR = "020000000001", "020000000002"
FIRST, SECOND = "000000ff", "000100ff"


class Echo(asyncio.DatagramProtocol):
    """Answers every datagram with its bytes turned round; `deaf` answers nothing."""

    def __init__(self, deaf: bool) -> None:
        self.deaf = deaf
        self.heard: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard.append(data)
        if not self.deaf:
            self.transport.sendto(data[::-1], addr)


@asynccontextmanager
async def echo(deaf: bool = False) -> AsyncIterator[tuple[Echo, str]]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: Echo(deaf), ("127.0.0.1", 0))
    host, port = transport.get_extra_info("sockname")
    try:
        yield protocol, f"{host}:{port}"
    finally:
        transport.close()


async def test_the_second_wake_joins_where_the_first_has_been_and_asks_for_nothing(talk: Talk) -> None:
    async with echo() as (gateway, where):
        said = await talk("udp", where, 2)
    assert gateway.heard == [bytes.fromhex(FIRST), bytes.fromhex(SECOND)]
    assert said == [
        "answer ff000000", "link_dbm -50",
        "answer ff000100", "link_dbm -50",
        f"scans 1 joins [('{NEAR}', 'dhcp'), ('{NEAR}', '10.0.0.101')]",
    ]  # fmt: skip


async def test_where_the_access_point_is_gone_another_is_looked_for(talk: Talk) -> None:
    async with echo() as (_, where):
        said = await talk("udp", where, 3, 3000, "away")
    assert said[2:] == [
        "answer ff000100", "link_dbm -80",
        "answer ff000200", "link_dbm -80",
        f"scans 2 joins [('{NEAR}', 'dhcp'), ('{FAR}', 'dhcp'), ('{FAR}', '10.0.0.102')]",
    ]  # fmt: skip


async def test_a_wrong_key_ends_the_attempt_and_the_next_wake_tries_again(talk: Talk) -> None:
    async with echo() as (gateway, where):
        said = await talk("udp", where, 2, 100, "wrong")
    assert said == ["error works does not let us in", "link_dbm None"] * 2 + ["scans 2 joins []"]
    assert not gateway.heard


async def test_without_an_answer_the_wake_goes_on(talk: Talk) -> None:
    async with echo(deaf=True) as (_, where):
        said = await talk("udp", where, 1, 50)
    assert said[0] == "answer None"


async def test_through_a_broker_it_is_heard_at_qos_1_and_hears_what_came_while_it_slept(
    talk: Talk, tmp_path: Path
) -> None:
    async with mosquitto(tmp_path) as broker:
        where = f"127.0.0.1:{broker.port}"
        first = await talk("mqtt", where, 1, 10)
        async with aiomqtt.Client("127.0.0.1", broker.port) as gateway:
            await gateway.subscribe("stethos/nodes/+/up", 1)
            await gateway.publish("stethos/nodes/0a0b0c0d/down", b"\1\2\3", 1)  # the node sleeps
            second = asyncio.create_task(talk("mqtt", where, 1))
            message = await asyncio.wait_for(anext(gateway.messages), 30)
    assert first[0] == "answer None"
    assert (str(message.topic), message.payload, message.qos) == (
        "stethos/nodes/0a0b0c0d/up", bytes.fromhex(FIRST), 1,
    )  # fmt: skip
    assert (await second)[0] == "answer 010203"


async def test_a_broker_that_says_nothing_holds_no_wake_up(talk: Talk) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        said = await talk("mqtt", f"127.0.0.1:{port}", 1)
    assert said[0] == "error the broker does not answer"


async def test_a_broker_that_refuses_is_named(talk: Talk, tmp_path: Path) -> None:
    async with mosquitto(tmp_path, lines=("allow_anonymous false",)) as broker:
        said = await talk("mqtt", f"127.0.0.1:{broker.port}", 1)
    assert said[0] == "error the broker refuses: 5"


async def test_nobody_at_the_broker_s_port(talk: Talk) -> None:
    said = await talk("mqtt", "127.0.0.1:1", 1)
    assert said[0].startswith("error the broker: ")


async def test_over_a_wire_it_understands_the_gateway_and_the_gateway_it(talk: Talk) -> None:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    loop, counted, heard = asyncio.get_running_loop(), Counter[str](), asyncio.Queue[bytes]()
    deframer = Deframer(lambda name: counted.update([name]))

    def read() -> None:
        for envelope in deframer.feed(os.read(ours, 1000)):
            heard.put_nowait(envelope)

    loop.add_reader(ours, read)
    try:
        wake = asyncio.create_task(talk("uart", os.ttyname(theirs), 1))
        assert await asyncio.wait_for(heard.get(), 30) == bytes.fromhex(FIRST)
        os.write(ours, b"noise\0" + frame(b"\0\1\0")[:3] + b"\0" + frame(bytes(range(256))))
        assert (await wake)[0] == f"answer {bytes(range(256)).hex()}"
        silent = asyncio.create_task(talk("uart", os.ttyname(theirs), 1, 20))
        assert await asyncio.wait_for(heard.get(), 30) == bytes.fromhex(FIRST)
        assert (await silent)[0] == "answer None"
    finally:
        loop.remove_reader(ours)
        os.close(ours)
        os.close(theirs)
    assert not counted
