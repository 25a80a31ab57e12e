"""How to be at the other end of each Link: a real pty, real sockets, a real broker.

A new Link gets one `Carrier` here and a line in CARRIERS; test_conformance.py does the rest.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiomqtt

from gateway.links.serial import Deframer, frame
from tests.system.broker import Broker, mosquitto


class Peers(Protocol):
    """The nodes at the other end of an open Link."""

    async def send(self, node: int, data: bytes) -> None:
        """As the node of that number, send one frame to the Link."""

    async def answer(self, node: int) -> bytes:
        """Wait for the next frame that this node is sent."""


class Carrier(Protocol):
    """What stands between Link and nodes, and can be taken away."""

    settings: dict[str, Any]  # without `queue`
    names: str  # what a failure has to name
    nodes: int  # how many are told apart
    fails_while_open: bool  # or else only `open` can fail

    def peers(self, link: Any) -> AbstractAsyncContextManager[Peers]:
        """The nodes for a Link that is open."""

    async def fail(self) -> None:
        """Pull the plug: the Link cannot be open any more."""

    async def restore(self) -> None:
        """Put it back."""


class SerialLine:
    """A pty behind a name that outlives it, as udev's names do."""

    nodes = 1
    fails_while_open = True

    def __init__(self, folder: Path) -> None:
        self._device = folder / "tty"
        self.names = str(self._device)
        self.settings = {"type": "serial", "name": "line", "device": self.names, "baud": 230400}
        self._ends: list[int] = []

    async def restore(self) -> None:
        self._ends = list(os.openpty())
        os.set_blocking(self._ends[0], False)
        self._device.symlink_to(os.ttyname(self._ends[1]))

    async def fail(self) -> None:
        self._device.unlink()
        while self._ends:
            os.close(self._ends.pop())

    @asynccontextmanager
    async def peers(self, link: Any) -> AsyncIterator[Peers]:
        yield SerialNode(self._ends[0])


class SerialNode:
    def __init__(self, master: int) -> None:
        self._master = master
        self._faults: Counter[str] = Counter()
        self._deframer = Deframer(lambda name: self._faults.update([name]))
        self._answers: list[bytes] = []

    async def send(self, node: int, data: bytes) -> None:
        rest = frame(data)
        while rest:
            try:
                rest = rest[os.write(self._master, rest) :]
            except BlockingIOError:  # the Link is behind; the caller's timeout watches
                await asyncio.sleep(0)

    async def answer(self, node: int) -> bytes:
        while not self._answers:
            try:
                self._answers += self._deframer.feed(os.read(self._master, 4096))
            except BlockingIOError:
                await asyncio.sleep(0)
        assert not self._faults
        return self._answers.pop(0)


class UdpNet:
    """Loopback sockets; pulling the plug means that somebody else has the port."""

    nodes = 2
    fails_while_open = False

    def __init__(self, folder: Path) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.names = f"127.0.0.1:{probe.getsockname()[1]}"
        self.settings = {"type": "udp", "name": "net", "bind": self.names}
        self._squatter: socket.socket | None = None

    async def restore(self) -> None:
        if self._squatter:
            self._squatter.close()

    async def fail(self) -> None:
        host, port = self.names.split(":")
        self._squatter = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._squatter.bind((host, int(port)))

    @asynccontextmanager
    async def peers(self, link: Any) -> AsyncIterator[Peers]:
        nodes = UdpNodes(link.address, self.nodes)
        try:
            yield nodes
        finally:
            nodes.close()


class UdpNodes:
    def __init__(self, address: tuple[str, int], nodes: int) -> None:
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(nodes)]
        for one in self._sockets:
            one.setblocking(False)
            one.connect(address)  # so that only answers from there are heard

    async def send(self, node: int, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._sockets[node], data)
        await asyncio.sleep(0)  # let the Link read: a receive buffer is not endless

    async def answer(self, node: int) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._sockets[node], 65535)

    def close(self) -> None:
        for one in self._sockets:
            one.close()


class MqttBroker:
    """A mosquitto and, behind it, one client that speaks for all nodes."""

    nodes = 2
    fails_while_open = True
    kids = ("0a0b0c0d", "01020304")

    def __init__(self, broker: Broker, version: str) -> None:
        self._broker = broker
        self.names = broker.address
        self.settings = {"type": "mqtt", "name": "air", "broker": broker.address, "version": version}

    async def restore(self) -> None:
        await self._broker.start()

    async def fail(self) -> None:
        await self._broker.stop()

    @asynccontextmanager
    async def peers(self, link: Any) -> AsyncIterator[Peers]:
        async with aiomqtt.Client(self._broker.host, self._broker.port) as client:
            await client.subscribe("stethos/nodes/+/down", qos=1)
            yield MqttNodes(client, self.kids)


class MqttNodes:
    def __init__(self, client: aiomqtt.Client, kids: tuple[str, ...]) -> None:
        self._client = client
        self._kids = kids
        self._answers: dict[str, list[bytes]] = {kid: [] for kid in kids}

    async def send(self, node: int, data: bytes) -> None:
        await self._client.publish(f"stethos/nodes/{self._kids[node]}/up", data, qos=1)

    async def answer(self, node: int) -> bytes:
        answers = self._answers[self._kids[node]]
        while not answers:
            message = await anext(self._client.messages)
            assert isinstance(message.payload, bytes)
            assert not message.retain
            assert message.qos == 1
            self._answers[message.topic.value.split("/")[2]].append(message.payload)
        return answers.pop(0)


@asynccontextmanager
async def serial_line(folder: Path) -> AsyncIterator[Carrier]:
    line = SerialLine(folder)
    await line.restore()
    try:
        yield line
    finally:
        await line.fail()


@asynccontextmanager
async def udp_net(folder: Path) -> AsyncIterator[Carrier]:
    net = UdpNet(folder)
    try:
        yield net
    finally:
        await net.restore()


def mqtt_broker(version: str) -> Callable[[Path], AbstractAsyncContextManager[Carrier]]:
    @asynccontextmanager
    async def carrier(folder: Path) -> AsyncIterator[Carrier]:
        async with mosquitto(folder) as broker:
            yield MqttBroker(broker, version)

    return carrier


# By module; a Link that can be had in several ways stands here in each.
CARRIERS: dict[str, list[Callable[[Path], AbstractAsyncContextManager[Carrier]]]] = {
    "serial": [serial_line],
    "udp": [udp_net],
    "mqtt": [mqtt_broker("3.1.1"), mqtt_broker("5")],
}
