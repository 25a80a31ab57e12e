"""The packets that come by the thousand, PUBLISH up to QoS 1 and PUBACK, as bytes, and where one packet ends.

Pure. MQTT 3.1.1 and MQTT 5, OASIS standards, chapters 2 and 3.
"""

from __future__ import annotations

from typing import NamedTuple

PUBLISH, PUBACK = 3, 4
KEPT_BYTES = 128 * 1024  # of one packet; the longest topic, which is 65535 bytes, is within
FAILED = 0x80  # reason codes from here on are refusals (MQTT 5, 2.4)

_LENGTH_BYTES = 4  # of a variable byte integer, at most


class Malformed(ValueError):  # noqa: N818 - the peer's fault, not an error in the program
    """What the broker sent is not MQTT, or not what it was asked for."""


class Packet(NamedTuple):
    """First byte of the fixed header, and all that follows the length."""

    first: int
    body: bytes

    @property
    def whole(self) -> bytes:
        """As it was on the wire."""
        return bytes([self.first]) + _length(len(self.body)) + self.body


class Publish(NamedTuple):
    """A message that was received. `packet_id` is 0 at QoS 0."""

    topic: bytes
    payload: bytes
    retain: bool
    packet_id: int


class Cutter:
    """Cuts a stream of bytes into packets. Of a packet longer than KEPT_BYTES it keeps the beginning: whoever may
    publish may send 256 MB, and nobody here wants them.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._skip = 0  # bytes still to come of a packet that was cut short

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that are whole now, in order. Raises Malformed, then the stream cannot be followed further."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if self._rest:
            data = self._rest + data
        packets: list[Packet] = []
        at, end = 0, len(data)
        while end - at >= 2:
            length, start = data[at + 1], at + 2
            if length >= 0x80:
                length, start = _read_length(data, at + 1)
                if not start:
                    break
            stop = start + length
            if stop > end:
                if end - start < KEPT_BYTES:
                    break
                self._skip = stop - end
            packets.append(Packet(data[at], data[start:stop]))
            at = stop
        self._rest = data[at:]
        return packets


def read_publish(packet: Packet, *, v5: bool) -> Publish:
    """Take a PUBLISH apart; its properties are passed over. Raises Malformed, also at QoS 2, which nobody asks for."""
    first, body = packet
    at = 2 + int.from_bytes(body[:2])
    topic, packet_id = body[2:at], 0
    if first & 0x06 == 0x02:
        packet_id = int.from_bytes(body[at : at + 2])
        at += 2
        if not packet_id:
            raise Malformed("a message without its number")
    elif first & 0x06:
        raise Malformed("a message at a QoS that was not asked for")
    if at > len(body) or (v5 and at == len(body)):
        raise Malformed("a message that is too short")
    if v5:
        length, at = _read_length(body, at)
        if not at:
            raise Malformed("a message that is too short")
        at += length
    return Publish(topic, body[at:], bool(first & 0x01), packet_id)


def read_puback(packet: Packet) -> tuple[int, int]:
    """Packet id and reason code (0 where there is none, as in MQTT 3.1.1). Raises Malformed."""
    body = packet.body
    if len(body) < 2:
        raise Malformed("an acknowledgement that is too short")
    return int.from_bytes(body[:2]), body[2] if len(body) > 2 else 0


def text(words: str) -> bytes:
    """A UTF-8 string as MQTT has it: two bytes of length first. OverflowError if it is too long."""
    data = words.encode()
    return len(data).to_bytes(2) + data


def publish(topic: bytes, payload: bytes, packet_id: int, *, retain: bool, v5: bool) -> bytes:
    """A PUBLISH at QoS 1, or at QoS 0 if `packet_id` is 0; `topic` comes from `text`."""
    number = packet_id.to_bytes(2) if packet_id else b""
    if v5:
        number += b"\0"  # no properties
    length = len(topic) + len(number) + len(payload)
    first = 0x30 | retain | (0x02 if packet_id else 0)
    return b"".join((bytes((first,)), _length(length), topic, number, payload))


def puback(packet_id: int) -> bytes:
    """A PUBACK that says that all is well, the same in both versions."""
    return b"\x40\x02" + packet_id.to_bytes(2)


def _length(number: int) -> bytes:
    """A variable byte integer (MQTT 5, 1.5.5)."""
    if number < 0x80:
        return bytes((number,))
    if number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7))
    return bytes((number & 0x7F | 0x80,)) + _length(number >> 7)


def _read_length(data: bytes, at: int) -> tuple[int, int]:
    """A variable byte integer and where it ends, which is 0 if not all of it is there yet. Raises Malformed."""
    number = 0
    for i, byte in enumerate(data[at : at + _LENGTH_BYTES]):
        number |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return number, at + i + 1
    if len(data) - at >= _LENGTH_BYTES:
        raise Malformed("a length of more than four bytes")
    return 0, 0
