"""C nodes driven wake by wake over real UDP, in a time of their own, through air that a test makes; a gateway alone.

A wake ends when the gateway has answered all that the air let through: nothing here waits for time to pass.
"""

from __future__ import annotations

import ctypes
import re
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from ctypes import c_uint8
from pathlib import Path

from gateway.core.entry import Report, decode
from gateway.store.keys import NodeKey
from gateway.store.reader import Reader
from gateway.wire.envelope import BadTag, Cipher, parse
from gateway.wire.keys import NodeKeys
from gateway.wire.messages import Ack, Birth, UpMessage, decode_down, decode_up
from tests.faults.gateway import Gateway
from tests.nodes.core_board import Board, Flash, Node
from tests.system.plants import metrics, until

ANSWER_S = 20.0
HOUR_MS = 3_600_000

Air = Callable[[bytes], list[bytes]]


def clear(frame: bytes) -> list[bytes]:
    """Air that lets everything through."""
    return [frame]


def dead(frame: bytes) -> list[bytes]:
    """Air that lets nothing through."""
    return []


class Station(Board):
    """A board whose radio is a UDP socket. `up` and `down` say what becomes of a frame. `patient`: it waits for the
    answer to what went out; else it takes what has come, if anything.
    """

    def __init__(self, key: NodeKey, port: int) -> None:
        super().__init__(Flash())
        keys = NodeKeys(key.kid, key.secret)
        self.up: Air = clear
        self.down: Air = clear
        self.patient = True
        self.said: list[UpMessage] = []
        self.acks: list[tuple[int, Ack]] = []  # each with its epoch, as they came from the gateway
        self.frames: list[bytes] = []
        self._keys, self._seals = keys, Cipher.up(keys)
        self._due: set[int] = set()
        self._missing = ""
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.settimeout(ANSWER_S)
        self._udp.connect(("127.0.0.1", port))
        self.on_send = self._fly

    def close(self) -> None:
        self._udp.close()

    def shout(self, frame: bytes) -> None:
        """A frame from somewhere else."""
        self._udp.send(frame)

    def check(self) -> None:
        """Whatever went wrong inside the node's calls."""
        assert not self._missing, self._missing

    def _fly(self, frame: bytes) -> None:
        message = decode_up(self._seals.open(parse(frame)))
        self.said.append(message)
        self.frames.append(frame)
        datagrams = self.up(frame)
        for datagram in datagrams:
            self._udp.send(datagram)
        if frame in datagrams and self.patient:
            self._due.add(message.seq)

    def _receive(self, context, out, size, left_ms):
        while self._due and not self.inbox and not self._missing:
            self._hear()
        if not self.patient:
            self._take_what_came()
        return super()._receive(context, out, size, left_ms)

    def _hear(self) -> None:
        try:
            data = self._udp.recv(2048)
        except OSError as error:  # nothing may be raised through the node's C code
            self._missing = f"no answer to {sorted(self._due)}: {error}"
            return
        self._take(data)

    def _take_what_came(self) -> None:
        self._udp.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self._take(self._udp.recv(2048))
        self._udp.settimeout(ANSWER_S)

    def _take(self, data: bytes) -> None:
        sealed = parse(data, down=True)
        assert sealed.epoch is not None
        try:
            ack = decode_down(Cipher.down(self._keys, sealed.epoch).open(sealed))
        except BadTag:
            self._missing = "an answer that does not authenticate"
            return
        assert isinstance(ack, Ack)
        self.acks.append((sealed.epoch, ack))
        self._due -= covered(ack) if ack.base is not None else self._due.copy()
        self.inbox.extend(self.down(data))


def record(number: int, write: int) -> bytes:
    """A slot of a node that has used all numbers below `number`, as core/ceiling.c lays it out."""
    body = struct.pack("<7IHBBI", write, number, number, number, 0, 0, 0, 0, 0, 1, 0)
    return body + zlib.crc32(body).to_bytes(4, "little")


def covered(ack: Ack) -> set[int]:
    """The numbers that an Ack says to be durable."""
    if ack.base is None:
        return set()
    return {(ack.base + i) & 0xFFFF for i in range(33) if i == 0 or ack.bitmap >> (i - 1) & 1}


class Mote:
    """One C node on its station. Every wake brings a Window unless the sensor is told otherwise."""

    def __init__(
        self, library: ctypes.CDLL, key: NodeKey, port: int, *, started_at: int = 0, **config: object
    ) -> None:  # fmt: skip
        self.key = key
        self.station = Station(key, port)
        self.station.flash.slots[:2] = [record(started_at, write) for write in (0, 1)]
        self.looks = 0
        self.station.window = self._window
        given = {"window_every": 1, "wake_ms": 10_000, "heartbeat_ms": 24 * HOUR_MS, "samples": 32} | config
        self.node = Node(
            library, self.station, kid=(c_uint8 * 4)(*key.kid), secret=(c_uint8 * 16)(*key.secret), **given
        )

    def _window(self, n: int) -> list[int]:
        self.looks += 1  # no two windows are the same
        return [(7919 * i + 31 * self.looks) % 1000 for i in range(n)]

    @property
    def given_up(self) -> int:
        """Messages that the node itself gave up because its ring was full."""
        return sum(value for event, value in self.station.events if event == "message_lost")

    def numbers(self) -> set[int]:
        """Whole numbers of all that it said, since no more than half of 16 bits ago."""
        births = [m.full_seq for m in self.station.said if isinstance(m, Birth)]
        newest = births[-1] if births else 0
        return {newest + ((m.seq - newest + 0x8000) & 0xFFFF) - 0x8000 for m in self.station.said}

    def acknowledged(self) -> list[UpMessage]:
        """What it said and was told to be durable, since `said` and `acks` were last cleared; ages are 0."""
        told = {number for _, ack in self.station.acks for number in covered(ack)}
        return [message._replace(age=0) for message in self.station.said if message.seq in told]

    def wake(self, times: int = 1) -> None:
        """So many wakes, each with what it has to say said and answered."""
        for _ in range(times):
            self.node.step()
            self.station.check()

    def deliver(self) -> None:
        """Send until all is acknowledged."""
        for _ in range(100):
            left = self.node.flush()
            self.station.check()
            if not left:
                return
        raise AssertionError(f"{left} messages are never acknowledged")


@asynccontextmanager
async def gateway_alone(folder: Path, nodes: int = 1, *, mqtt: bool = False, **more: object) -> AsyncIterator[Gateway]:
    """A gateway with a UDP link and no output but, if asked, MQTT; it has to end well."""
    gateway = prepared(folder, nodes, mqtt=mqtt, **more)
    try:
        await listening(gateway)
        yield gateway
        assert await gateway.end() == 0, gateway.tail()
    finally:
        await gateway.end()


def prepared(folder: Path, nodes: int, *, mqtt: bool = False, **more: object) -> Gateway:
    """The same, not started."""
    gateway = Gateway(folder, nodes, **more)
    gone = "modbus|opcua" if mqtt else "mqtt|modbus|opcua"
    config = re.sub(rf"\[output\.({gone})\][^\[]*", "", gateway.config.read_text())
    gateway.config.write_text(config.replace("k = 2", "k = 1"))  # each node alone can raise its asset's alarm
    return gateway


async def listening(gateway: Gateway) -> None:
    """Start it, and wait until nodes can reach it."""

    def links_up() -> int:
        return gateway.log.read_text().count("link up") if gateway.log.exists() else 0

    before = links_up()
    await gateway.start()
    await gateway.running()
    await until(lambda: links_up() > before, f"link; see {gateway.log}")


def reports(gateway: Gateway) -> list[Report]:
    """Every message in its journal, in order."""
    reader = Reader.open(gateway.state_dir)
    try:
        rows = reader.read(0, 1_000_000)
    finally:
        reader.close()
    bodies = [decode(row.kind, row.version, row.body) for row in rows]
    return [body for body in bodies if isinstance(body, Report)]


def contents(gateway: Gateway) -> list[UpMessage]:
    """The same as messages, whose ages are 0."""
    return [report.message._replace(age=0) for report in reports(gateway)]


def verdicts(gateway: Gateway) -> dict[tuple[str, str], int]:
    """(node, verdict) -> envelopes, as Prometheus reads them."""
    found = metrics(gateway.ports.metrics)
    return {(name[1], name[2]): int(n) for name, n in found.items() if name[0] == "stethos_frames_total"}


async def judged(gateway: Gateway, datagrams: int) -> dict[tuple[str, str], int]:
    """The verdicts, once all of so many datagrams have theirs and what was accepted is in the journal."""

    def found() -> dict[tuple[str, str], int] | None:
        names = verdicts(gateway)
        accepted = sum(n for (_, verdict), n in names.items() if verdict == "accepted")
        return names if sum(names.values()) == datagrams and accepted == len(reports(gateway)) else None

    return await until(found, f"verdict on {datagrams} datagrams")
