"""What the nodes' envelopes travel on: plain sockets, so that sending costs the machine next to nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from typing import Protocol

SOCKETS = 16
BUFFER_BYTES = 4 << 20
UP, DOWN = "stethos/nodes/{}/up", "stethos/nodes/{}/down"
_TIMEOUT_S = 10.0

Report = tuple[int, bytes, bool]
"""Index of the node, envelope, whether it changes an alarm's state."""


class Carrier(Protocol):
    """Carries envelopes of nodes up, and gathers the raw answers."""

    def send(self, reports: Sequence[Report]) -> None:
        """Send them; may block shortly."""
        ...

    def answers(self) -> list[bytes]:
        """Envelopes from the gateway that have come; never waits."""
        ...

    def close(self) -> None:
        """Let go of the sockets."""
        ...


class Udp:
    """One datagram an envelope, from 16 sockets that the nodes share."""

    def __init__(self, port: int) -> None:
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOCKETS)]
        for each in self._sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
            each.setblocking(False)
            each.connect(("127.0.0.1", port))
        self._send = [each.send for each in self._sockets]

    def send(self, reports: Sequence[Report]) -> None:
        sends = self._send
        for node, envelope, _ in reports:
            sends[node % SOCKETS](envelope)

    def answers(self) -> list[bytes]:
        found = []
        for each in self._sockets:
            try:
                while True:
                    found.append(each.recv(2048))
            except BlockingIOError:
                pass
        return found

    def close(self) -> None:
        for each in self._sockets:
            each.close()


class Mqtt:
    """MQTT 3.1.1 at QoS 1 over a few connections that the nodes share; packets are framed here, byte by byte."""

    def __init__(self, port: int, kids: Sequence[bytes], connections: int = 8) -> None:
        self._up = [_text(UP.format(kid.hex())) for kid in kids]
        self._lines = [
            _Line(port, f"bench-nodes-{i}", [DOWN.format(kid.hex()) for kid in kids[i::connections]])
            for i in range(min(connections, len(kids)))
        ]

    def send(self, reports: Sequence[Report]) -> None:
        lines, up = self._lines, self._up
        waiting: list[list[bytes]] = [[] for _ in lines]
        for node, envelope, _ in reports:
            at = node % len(lines)
            waiting[at].append(lines[at].publish(up[node], envelope))
        for line, packets in zip(lines, waiting, strict=True):
            if packets:
                line.write(b"".join(packets))

    def answers(self) -> list[bytes]:
        return [envelope for line in self._lines for envelope in line.read()]

    def close(self) -> None:
        for line in self._lines:
            line.close()


class _Line:
    """One connection: as little MQTT as publishing and being published to needs (OASIS MQTT 3.1.1, section 3)."""

    def __init__(self, port: int, name: str, topics: Sequence[str]) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._number = 0
        self.write(_packet(0x10, _text("MQTT") + b"\x04\x02\x00\x00" + _text(name)))
        self._await(0x20)
        for start in range(0, len(topics), 100):
            wanted = b"".join(_text(topic) + b"\x01" for topic in topics[start : start + 100])
            self.write(_packet(0x82, b"\x00\x01" + wanted))
            self._await(0x90)
        self._socket.setblocking(False)

    def publish(self, topic: bytes, payload: bytes) -> bytes:
        """The packet."""
        self._number = self._number % 0xFFFF + 1
        return _packet(0x32, topic + self._number.to_bytes(2, "big") + payload)

    def write(self, data: bytes) -> None:
        """All of it, waiting if the broker does not read."""
        self._socket.settimeout(_TIMEOUT_S)
        self._socket.sendall(data)
        self._socket.setblocking(False)

    def read(self) -> list[bytes]:
        """Payloads that have come; each is acknowledged to the broker."""
        payloads, acknowledgements = [], []
        for kind, body in self._packets():
            if kind & 0xF0 == 0x30:
                end = 2 + int.from_bytes(body[:2], "big")
                if kind & 0x06:
                    acknowledgements.append(b"\x40\x02" + body[end : end + 2])
                    end += 2
                payloads.append(body[end:])
        if acknowledgements:
            self.write(b"".join(acknowledgements))
        return payloads

    def close(self) -> None:
        self._socket.close()

    def _await(self, kind: int) -> None:
        while not any(found == kind for found, _ in self._packets()):
            pass

    def _packets(self) -> Iterable[tuple[int, bytes]]:
        chunks = [self._rest]
        try:
            while chunk := self._socket.recv(1 << 18):
                chunks.append(chunk)
                if self._socket.gettimeout():
                    break
            else:
                raise ConnectionError("the broker has closed the connection")
        except BlockingIOError:
            pass
        data, at = b"".join(chunks), 0
        found = []
        while (end := _end(data, at)) is not None:
            start, stop = end
            found.append((data[at], data[start:stop]))
            at = stop
        self._rest = data[at:]
        return found


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _packet(kind: int, body: bytes) -> bytes:
    size, length = len(body), b""
    while True:
        size, low = divmod(size, 128)
        length += bytes([low | 0x80 if size else low])
        if not size:
            return bytes([kind]) + length + body


def _end(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the body of the packet at `at` begins and ends; None if it is not all there."""
    size = shift = 0
    for index in range(at + 1, len(data)):
        size |= (data[index] & 0x7F) << shift
        shift += 7
        if not data[index] & 0x80:
            end = index + 1 + size
            return (index + 1, end) if end <= len(data) else None
    return None
