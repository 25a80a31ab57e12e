"""A gateway without outputs, and nodes that a test plays itself, byte by byte."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.demo.plant import DemoPlant, Ports, configuration, tty
from gateway.demo.processes import House
from gateway.store.keys import NodeKey
from gateway.wire.envelope import Cipher, parse
from gateway.wire.keys import NodeKeys
from gateway.wire.messages import Ack, Birth, Message, decode_down, encode
from tests.system import plants

ANSWER_S = 10.0


class PlayedNode:
    """One node's side of the wire: seals what it is given under a fresh partial IV each time."""

    def __init__(self, key: NodeKey) -> None:
        self.kid = key.kid
        self.partial_iv = 0
        self._keys = NodeKeys(key.kid, key.secret)
        self._up = Cipher.up(self._keys)

    def seal(self, payload: bytes) -> bytes:
        """The envelope of one transmission."""
        self.partial_iv += 1
        return self._up.seal(self.partial_iv, payload)

    def message(self, message: Message) -> bytes:
        """The envelope of a message."""
        return self.seal(encode(message))

    def answer(self, data: bytes) -> Ack | None:
        """What the gateway says to this node; None if it speaks to another. BadTag if it is not the gateway."""
        sealed = parse(data, down=True)
        if sealed.kid != self.kid or sealed.epoch is None:
            return None
        answer = decode_down(Cipher.down(self._keys, sealed.epoch).open(sealed))
        assert isinstance(answer, Ack)
        return answer


def birth(full_seq: int, heartbeat_ms: int = 3_600_000) -> Birth:
    """A node says who it is."""
    return Birth(
        seq=full_seq & 0xFFFF, age=0, wire_version=1, full_seq=full_seq, skipped=0, reset_cause=0, hardware="played",
        firmware="0", feature_set=1, channels=6, generation=0, model=None, wake_ms=1000, heartbeat_ms=heartbeat_ms,
        listen_ms=500, epoch=0, last_command=0,
    )  # fmt: skip


class Datagrams:
    """A UDP socket towards the gateway."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.setblocking(False)

    def send(self, data: bytes) -> None:
        """One datagram."""
        self._socket.send(data)

    async def answer(self, node: PlayedNode, seq: int) -> Ack:
        """The next answer to this node that begins with message `seq`."""
        async with asyncio.timeout(ANSWER_S):
            while True:
                data = await asyncio.get_running_loop().sock_recv(self._socket, 2048)
                answer = node.answer(data)
                if answer and answer.base == seq & 0xFFFF:
                    return answer

    def drain(self) -> None:
        """Forget what has come so far."""
        try:
            while True:
                self._socket.recv(2048)
        except BlockingIOError:
            return

    def close(self) -> None:
        self._socket.close()


class Line:
    """The far end of the gateway's serial line."""

    def __init__(self, path: Path) -> None:
        self.fd, device = os.openpty()
        os.set_blocking(self.fd, False)
        path.symlink_to(os.ttyname(device))
        self._device = device  # as long as somebody holds it, the line is not hung up

    async def write(self, data: bytes) -> None:
        """As fast as the line takes it, and as the gateway reads it."""
        while data:
            try:
                data = data[os.write(self.fd, data) :]
            except BlockingIOError:
                await asyncio.sleep(0.001)

    def read(self) -> bytes:
        """What has come from the gateway."""
        try:
            return os.read(self.fd, 65536)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        os.close(self.fd)
        os.close(self._device)


def bench(models: Path) -> DemoPlant:
    """Two nodes, one for each link."""
    nodes = tuple(
        plants.motor(f"bench-{link}", "bench", link, models, "sim:motor", 0, 60_000) for link in ("udp", "serial")
    )
    return plants.plant((plants.asset("bench", ("bench-udp", "bench-serial"), k=2),), nodes, models)


@asynccontextmanager
async def gateway_alone(
    folder: Path, models: Path, node_program: Path, links: int = 1
) -> AsyncIterator[tuple[House, Ports]]:
    """Only the gateway, with a UDP and a serial link and no output; nobody plays its nodes but the test. `links`: how
    many of the two there is something at the other end of.
    """
    ports = plants.free_ports()
    plant = bench(models)
    house = House(plant, ports, folder, node_program)
    config, _, _ = configuration(plant, ports, folder, "5").partition("[output.mqtt]")
    house.prepare(config)
    try:
        await house.start_gateway()
        log = folder / "gateway.log"
        await plants.until(lambda: log.read_text().count("link up") == links, "links")
        yield house, ports
        assert await house.end_gateway() == 0
    finally:
        await house.close()


def line_of(folder: Path) -> Line:
    """The serial line of `bench`; it has to be there before the gateway."""
    return Line(tty(folder, "bench-serial"))
