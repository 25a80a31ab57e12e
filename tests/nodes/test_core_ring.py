"""The ring of unacknowledged messages against a list, and its bounds."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.wire import age, messages
from tests.nodes import core_types as core


class Ring:
    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library
        library.ring_add.restype = c_uint32
        library.ring_next.restype = ctypes.c_bool
        library.ring_message.restype = c_size_t
        library.ring_acknowledge.restype = c_uint32
        self.ring = core.Ring()

    def add(self, message, full_seq: int, at_ms: int) -> int:
        payload = messages.encode(message._replace(seq=full_seq & 0xFFFF, age=0))
        return self.library.ring_add(
            byref(self.ring), c_uint8(payload[0]), c_uint32(full_seq), c_uint64(at_ms), payload[1:],
            c_size_t(len(payload) - 1),
        )  # fmt: skip

    def acknowledge(self, base: int, bitmap: int) -> int:
        return self.library.ring_acknowledge(byref(self.ring), c_uint16(base), c_uint32(bitmap))

    def entries(self, now_ms: int = 0) -> list[tuple[int, bytes]]:
        found, at, entry = [], c_size_t(0), core.RingEntry()
        while self.library.ring_next(byref(self.ring), byref(at), byref(entry)):
            out = ctypes.create_string_buffer(600)
            n = self.library.ring_message(byref(self.ring), at, byref(entry), c_uint64(now_ms), out)
            found.append((entry.seq, out.raw[:n]))
        return found


def window(values: int, score: int = 1) -> messages.Window:
    return messages.Window(0, 0, score, 0, messages.Features(1, tuple(range(10**6, 10**6 + values))))


def test_a_resend_has_the_same_number_and_content_and_its_own_age(library):
    ring = Ring(library)
    message = window(6)
    ring.add(message, 0x2FEDC, at_ms=1000)
    for now_ms in (1000, 1250, 90000, 10**9):
        ((seq, payload),) = ring.entries(now_ms)
        assert seq == 0x2FEDC
        expected = message._replace(seq=0xFEDC, age=age.encode(now_ms - 1000))
        assert messages.decode_up(payload) == expected
        assert payload == messages.encode(expected)


def test_a_clock_that_goes_back_makes_no_negative_age(library):
    ring = Ring(library)
    ring.add(window(1), 1, at_ms=5000)
    ((_, payload),) = ring.entries(now_ms=10)
    assert messages.decode_up(payload).age == 0


@pytest.mark.parametrize("seq", [0, 23, 24, 255, 256, 65535])
def test_every_width_of_seq_and_age(library, seq):
    ring = Ring(library)
    ring.add(window(2), seq, at_ms=0)
    for code in (0, 23, 24, 255):
        ((_, payload),) = ring.entries(age.decode(code))
        assert (messages.decode_up(payload).seq, messages.decode_up(payload).age) == (seq, code)


def test_a_full_ring_gives_up_the_oldest_and_counts_them(library):
    ring = Ring(library)
    dropped = sum(ring.add(window(27), seq, 0) for seq in range(100))
    seqs = [seq for seq, _ in ring.entries()]
    assert dropped == ring.ring.dropped == 100 - len(seqs)
    assert seqs == list(range(100 - len(seqs), 100))
    assert 0 < ring.ring.used <= core.RING_BYTES
    assert ring.ring.count == len(seqs)


def test_the_longest_message_fits(library):
    ring = Ring(library)
    longest = messages.Flag(0, 0, 255, 255, 23, messages.Features(255, (-(2**31),) * 64))
    ring.add(longest, 0xFFFF, 0)
    ((_, payload),) = ring.entries(10**9)
    assert len(payload) == len(messages.encode(longest._replace(seq=0xFFFF, age=255)))


def test_acknowledged_across_the_wrap_of_the_number(library):
    ring = Ring(library)
    for seq in (65534, 65535, 65536, 65537, 65570):
        ring.add(window(1), seq, 0)
    assert ring.acknowledge(65535, 0b1) == 2
    assert [seq for seq, _ in ring.entries()] == [65534, 65537, 65570]
    assert ring.acknowledge(1, 1 << 31) == 1  # 65537; bit 31 is 65569, which is not here
    assert ring.acknowledge(1, 0) == 0


SEQS = st.integers(0, 2**32 - 1)
OPERATIONS = st.one_of(
    st.tuples(st.just("add"), SEQS, st.integers(1, 27)),
    st.tuples(st.just("acknowledge"), SEQS, st.integers(0, 2**32 - 1)),
    st.tuples(st.just("acknowledge all"), SEQS, st.just(0)),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(OPERATIONS, max_size=60), SEQS)
def test_it_is_a_list_that_forgets_its_oldest(library, operations, start):
    ring = Ring(library)
    listed: list[int] = []
    for i, (name, number, argument) in enumerate(operations):
        if name == "add":
            listed.append((start + i) & 0xFFFF_FFFF)
            listed = listed[ring.add(window(argument), listed[-1], 0) :]
        else:
            base = (start + number % 64) & 0xFFFF
            covered = {base, *((base + 1 + b) & 0xFFFF for b in range(32) if argument >> b & 1)}
            left = [seq for seq in listed if seq & 0xFFFF not in covered]
            assert ring.acknowledge(base, argument) == len(listed) - len(left)
            listed = left
        assert [seq for seq, _ in ring.entries()] == listed
        assert ring.ring.used <= core.RING_BYTES
