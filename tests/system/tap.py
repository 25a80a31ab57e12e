"""A UDP proxy between nodes and gateway that keeps every datagram of both directions."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from gateway.store.keys import NodeKey
from gateway.wire.envelope import Cipher, Sealed, parse
from gateway.wire.keys import NodeKeys
from gateway.wire.messages import Ack, decode_down

Address = tuple[str, int]


@dataclass
class Tap:
    """What has passed, in order."""

    up: list[bytes] = field(default_factory=list)
    down: list[bytes] = field(default_factory=list)

    def sealed(self) -> list[Sealed]:
        """Every downward envelope."""
        return [parse(data, down=True) for data in self.down]

    def acknowledged(self, keys: Mapping[str, NodeKey], epoch: int = 0) -> dict[str, set[int]]:
        """Node -> message numbers (16 bits) that were acknowledged to it in an epoch. BadTag for what is no answer."""
        by_kid = {key.kid: NodeKeys(key.kid, key.secret) for key in keys.values()}
        names = {key.kid: name for name, key in keys.items()}
        found: dict[str, set[int]] = {name: set() for name in keys}
        for sealed in self.sealed():
            if sealed.epoch != epoch:
                continue
            ack = decode_down(Cipher.down(by_kid[sealed.kid], epoch).open(sealed))
            if isinstance(ack, Ack) and ack.base is not None:
                also = (ack.base + 1 + i & 0xFFFF for i in range(32) if ack.bitmap >> i & 1)
                found[names[sealed.kid]] |= {ack.base, *also}
        return found


@contextmanager
def tapped(port: int, gateway_port: int) -> Iterator[Tap]:
    """Nodes speak to `port` and are passed on; each has an address of its own towards the gateway."""
    tap, loop = Tap(), asyncio.get_running_loop()
    behind: dict[Address, socket.socket] = {}

    def from_node() -> None:
        while data_and_address := _received(front):
            data, node = data_and_address
            tap.up.append(data)
            if node not in behind:
                behind[node] = _bound(0)
                loop.add_reader(behind[node], to_node, node)
            behind[node].sendto(data, ("127.0.0.1", gateway_port))

    def to_node(node: Address) -> None:
        while data_and_address := _received(behind[node]):
            tap.down.append(data_and_address[0])
            front.sendto(data_and_address[0], node)

    front = _bound(port)
    loop.add_reader(front, from_node)
    try:
        yield tap
    finally:
        for end in (front, *behind.values()):
            loop.remove_reader(end)
            end.close()


def _bound(port: int) -> socket.socket:
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.setblocking(False)
    end.bind(("127.0.0.1", port))
    return end


def _received(end: socket.socket) -> tuple[bytes, Address] | None:
    try:
        return end.recvfrom(2048)
    except BlockingIOError:
        return None
