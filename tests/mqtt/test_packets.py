"""PUBLISH, PUBACK and where packets end, against bytes from the standards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mqtt.packets import (
    KEPT_BYTES,
    Cutter,
    Malformed,
    Packet,
    Publish,
    puback,
    publish,
    read_puback,
    read_publish,
    text,
)

# MQTT 3.1.1, table 2.4 and MQTT 5, table 1-1: the first and the last length of each size.
LENGTHS = {
    0: "00", 127: "7f", 128: "8001", 16_383: "ff7f", 16_384: "808001", 2_097_151: "ffff7f", 2_097_152: "80808001",
    268_435_455: "ffffff7f",
}  # fmt: skip
# MQTT 3.1.1, figures 3.10 and 3.11: topic "a/b", packet id 10.
A_B = bytes.fromhex("0003612f62000a")

PACKETS = st.lists(st.builds(Packet, st.integers(0, 255), st.binary(max_size=300)), max_size=8)


@given(PACKETS, st.data())
def test_packets_are_the_same_however_they_are_cut(packets: list[Packet], data: st.DataObject) -> None:
    stream, cutter, found = b"".join(packet.whole for packet in packets), Cutter(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += cutter.feed(stream[:size])
        stream = stream[size:]
    assert found == packets


@given(PACKETS)
def test_packets_come_byte_by_byte(packets: list[Packet]) -> None:
    cutter = Cutter()
    stream = b"".join(packet.whole for packet in packets)
    assert [packet for i in range(len(stream)) for packet in cutter.feed(stream[i : i + 1])] == packets


@pytest.mark.parametrize(("length", "written"), LENGTHS.items())
def test_lengths_are_those_of_the_standard(length: int, written: str) -> None:
    head = b"\xd0" + bytes.fromhex(written)
    if length < 3_000_000:
        assert Packet(0xD0, bytes(length)).whole[: len(head)] == head
    [packet] = Cutter().feed(head + bytes(min(length, KEPT_BYTES)))
    assert len(packet.body) == min(length, KEPT_BYTES)


@pytest.mark.parametrize("piece", [1000, 65_536, 10_000_000])
def test_of_a_packet_too_long_the_beginning_is_kept_and_the_next_is_found(piece: int) -> None:
    stream = Packet(0x32, A_B + bytes(1_000_000)).whole + Packet(0x40, b"\0\1").whole
    cutter, found = Cutter(), []
    for at in range(0, len(stream), piece):
        found += cutter.feed(stream[at : at + piece])
    long, short = found
    assert len(long.body) <= max(KEPT_BYTES + piece, 65_536)
    assert read_publish(long, v5=False)[0] == b"a/b"
    assert read_publish(long, v5=False).packet_id == 10
    assert short == (0x40, b"\0\1")


def test_a_message_is_written_as_the_standard_has_it() -> None:
    assert publish(text("a/b"), b"hi", 10, retain=False, v5=False) == bytes([0x32, 9]) + A_B + b"hi"
    assert publish(text("a/b"), b"hi", 10, retain=True, v5=True) == bytes([0x33, 10]) + A_B + b"\0hi"
    assert publish(text("a/b"), b"hi", 0, retain=False, v5=False) == bytes([0x30, 7]) + A_B[:5] + b"hi"
    assert publish(text("a/b"), b"hi", 0, retain=True, v5=True) == bytes([0x31, 8]) + A_B[:5] + b"\0hi"
    assert puback(10) == bytes.fromhex("4002000a")


def test_a_message_is_read_as_the_standard_has_it() -> None:
    hi = Publish(b"a/b", b"hi", retain=False, packet_id=10)
    assert read_publish(Packet(0x32, A_B + b"hi"), v5=False) == hi
    assert read_publish(Packet(0x3A, A_B + b"hi"), v5=False) == hi  # sent again
    assert read_publish(Packet(0x31, A_B[:5] + b"hi"), v5=False) == Publish(b"a/b", b"hi", retain=True, packet_id=0)
    content_type = bytes.fromhex("07 03 0004 6a736f6e")  # seven bytes of properties
    assert read_publish(Packet(0x32, A_B + content_type + b"hi"), v5=True) == hi
    assert read_publish(Packet(0x32, A_B + b"\0"), v5=True).payload == b""


@pytest.mark.parametrize(
    ("body", "read"),
    [("000a", (10, 0)), ("000a10", (10, 0x10)), ("000a8700", (10, 0x87))],
)
def test_an_acknowledgement_says_whether_it_is_a_refusal(body: str, read: tuple[int, int]) -> None:
    assert read_puback(Packet(0x40, bytes.fromhex(body))) == read


@pytest.mark.parametrize(
    ("first", "body", "v5"),
    [
        (0x34, A_B, False),  # QoS 2
        (0x36, A_B, False),  # QoS 3 does not exist
        (0x32, A_B[:5] + b"\0\0", False),  # number 0
        (0x32, A_B[:6], False),
        (0x32, b"\xff\xffa/b", False),
        (0x32, b"", False),
        (0x30, A_B[:4], False),
        (0x32, A_B, True),  # no properties, not even their length
        (0x32, A_B + b"\x80", True),
        (0x32, A_B + b"\xff\xff\xff\xff", True),
    ],
)
def test_what_is_no_message_is_malformed(first: int, body: bytes, v5: bool) -> None:
    with pytest.raises(Malformed):
        read_publish(Packet(first, body), v5=v5)


def test_a_length_of_five_bytes_is_malformed() -> None:
    with pytest.raises(Malformed):
        Cutter().feed(bytes.fromhex("32ffffffff01"))
    with pytest.raises(Malformed):
        read_puback(Packet(0x40, b"\0"))


@given(st.lists(st.binary(max_size=64), max_size=20), st.booleans())
def test_any_bytes_are_packets_or_malformed(pieces: list[bytes], v5: bool) -> None:
    cutter = Cutter()
    try:
        for piece in pieces:
            for packet in cutter.feed(piece):
                message = read_publish(packet, v5=v5)
                assert len(message.topic) + len(message.payload) <= len(packet.body)
    except Malformed as error:
        assert str(error)
