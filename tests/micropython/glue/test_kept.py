"""What survives sleep is whole, of this node, and fits; or it is nothing."""

from __future__ import annotations

from typing import Any

import kept
import pytest
from hypothesis import given
from hypothesis import strategies as st

KEY, ROOM, JUDGE = b"\1\2\3\4", 2048, 64


def numbers(**changes: Any) -> kept.Kept:
    made = kept.Kept(ROOM, JUDGE)
    made.radio, made.judge = b"where it was", b"what it knows"
    made.ring.add(2, 70000, 5, b"\x85\x19\x11\x70\x00\x01\x02\x03")
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@given(st.integers(0, 2**32 - 1), st.integers(-1, 2**32), st.integers(0, 2**63), st.integers(-100_000, 100_000))
def test_what_goes_in_comes_out(next_seq: int, down_newest: int, since_ms: int, fast_ppm: int) -> None:
    values = {"next_seq": next_seq, "down_newest": down_newest, "since_ms": since_ms, "fast_ppm": fast_ppm}
    there = kept.unseal(numbers(**values).seal(KEY), KEY, ROOM, JUDGE)
    assert {name: getattr(there, name) for name in values} == values
    assert (there.radio, there.judge) == (b"where it was", b"what it knows")
    assert [there.ring.seq(at) for at in there.ring] == [70000]


@given(st.integers(0), st.integers(1, 255))
def test_a_single_bit_that_is_not_as_it_was_makes_it_nothing(at: int, bits: int) -> None:
    data = bytearray(numbers().seal(KEY))
    data[at % len(data)] ^= bits
    assert kept.unseal(bytes(data), KEY, ROOM, JUDGE) is None


@pytest.mark.parametrize("cut", [0, 3, 40, -1])
def test_a_part_of_it_is_nothing(cut: int) -> None:
    assert kept.unseal(numbers().seal(KEY)[:cut], KEY, ROOM, JUDGE) is None


def test_under_another_key_it_is_nothing() -> None:
    assert kept.unseal(numbers().seal(KEY), b"\1\2\3\5", ROOM, JUDGE) is None


def test_however_full_it_fits() -> None:
    full = numbers(radio=bytes(kept.REMEMBERED_MAX), judge=bytes(JUDGE))
    for seq in range(200):
        full.ring.add(2, seq, 5, b"\x85\x00\x00" + bytes(60))
    assert full.ring.dropped > 0
    data = full.seal(KEY)
    assert ROOM - 100 < len(data) <= ROOM
    assert kept.unseal(data, KEY, ROOM, JUDGE).ring_dropped == full.ring.dropped


def test_of_other_settings_it_is_nothing() -> None:
    assert kept.unseal(numbers().seal(KEY), KEY, ROOM, JUDGE - 60) is None
    full = numbers()
    for seq in range(200):
        full.ring.add(2, seq, 5, b"\x85\x00\x00" + bytes(60))
    assert kept.unseal(full.seal(KEY), KEY, ROOM, JUDGE + 200) is None, "the ring has no room any more"
