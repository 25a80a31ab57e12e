"""The patterns against the numbers that they stand for, and what is read of a match against another reader."""

from __future__ import annotations

import re

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import grammar, messages
from gateway.wire.cbor import read_array
from gateway.wire.messages import MessageType, decode_up
from tests.wire.vectors import MESSAGES, load

RANGES = [
    (0, 0), (0, 23), (1, 9), (0, 0x7F), (0, 0xFF), (0, 0xFFFF), (2, 0xFFFF_FFFF), (-1, 0), (-128, 0), (-9, -1),
    (-0x8000, 0x7FFF), (-0x8000_0000, 0x7FFF_FFFF),
]  # fmt: skip
EDGES = sorted({edge + step for pair in RANGES for edge in (*pair, 23, -24) for step in (-1, 0, 1)})
s32 = st.integers(-(2**31), 2**31 - 1)


@pytest.mark.parametrize("bounds", RANGES, ids=str)
@given(value=st.sampled_from(EDGES) | st.integers(-(2**40), 2**40))
def test_an_integer_matches_where_it_is_in_range_and_in_its_shortest_form_alone(bounds, value):
    low, high = bounds
    shortest = cbor2.dumps(value)
    match = re.compile(grammar.integer(low, high), re.DOTALL).fullmatch
    assert bool(match(shortest)) == (low <= value <= high)
    major, argument = (0x20, -1 - value) if value < 0 else (0, value)
    for head, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * size and len(shortest) < 1 + size:
            assert not match(bytes([major | head]) + argument.to_bytes(size, "big"))


@pytest.mark.parametrize(
    "bounds", [(24, 30), (0, 0x100), (0, 0x1_0000), (0, 0x10_00FF), (0, 2**32), (-300, 0)], ids=str
)
def test_a_range_that_no_pattern_is_made_of_is_refused(bounds):
    with pytest.raises(ValueError, match="no pattern"):
        grammar.integer(*bounds)


NUMBERS = st.none() | s32 | st.integers(0, 2**32 - 1)


@given(st.lists(NUMBERS, max_size=20), st.lists(st.lists(NUMBERS, max_size=64), max_size=3))
def test_what_is_read_is_what_another_reader_reads(items, inner):
    items = [*items, *inner]
    assert grammar.read(b"\x02" + cbor2.dumps(items)) == items


@pytest.mark.parametrize("size", [0, 1, 4, 23, 24, 64, 65])
def test_an_array_matches_with_as_many_elements_as_it_may_have(size):
    match = grammar.matcher(2, [grammar.array_of(grammar.integer(-0x8000, 0x7FFF), 1, 64)], [1])
    assert bool(match(b"\x02" + cbor2.dumps([[-300] * size]))) == (1 <= size <= 64)


@pytest.mark.parametrize(("said", "held"), [(b"\x82", 1), (b"\x81", 2), (b"\x98\x18", 23), (b"\x97", 24)])
def test_an_array_of_another_length_than_it_says_is_not_read(said, held):
    payload = b"\x02\x81" + said + b"\x05" * held
    assert grammar.matcher(2, [grammar.array_of(grammar.integer(0, 23), 1, 64)], [1])(payload)
    assert grammar.read(payload) is None


@pytest.mark.parametrize("first", [b"\x82\x05", b"\x82\x05\x05\x05", b"\x80\x05"])
def test_no_array_of_another_length_than_it_says_is_read_before_another(first):
    assert grammar.read(b"\x02\x82" + first + b"\x81\x05") is None
    assert grammar.read(b"\x02\x82" + b"\x81\x05" + first) is None


def test_a_tuple_has_its_elements_and_no_others():
    match = grammar.matcher(
        2, [grammar.tuple_of([grammar.integer(0, 23), grammar.or_nil(grammar.integer(0, 255))])], [1]
    )
    fits = [bool(match(b"\x02" + cbor2.dumps([inner]))) for inner in ([1, None], [1, 255], [1], [1, 2, 3], [None, 1])]
    assert fits == [True, True, False, False, False]


def test_elements_may_be_left_off_at_the_end_together():
    match = grammar.matcher(2, [grammar.or_nil(grammar.integer(0, 23))] * 4, [4, 3, 1])
    fits = [bool(match(b"\x02" + cbor2.dumps([None, 1, 2, 3][:size]))) for size in range(5)]
    assert fits == [False, True, False, True, True]
    assert not match(b"\x03\x81\x01")
    assert not match(b"\x02\x81\x01\x01")


def test_all_sound_messages_of_numbers_alone_are_read_at_once():
    for case in (case for name in MESSAGES for case in load(name)["cases"] if case["valid"]):
        payload = bytes.fromhex(case["payload"])
        form = messages._UP.get(payload[0])
        if form is None or payload[0] in (MessageType.BIRTH, MessageType.SAMPLED, MessageType.LEARNER_STATE):
            continue
        assert form.match and form.match(payload), case["name"]
        assert grammar.read(payload) is not None
        assert decode_up(payload)


@pytest.mark.parametrize("value", [*EDGES, 2**32 - 1, 2**32])
def test_the_strict_reader_takes_shortest_forms_alone(value):
    shortest = cbor2.dumps(value)
    assert read_array(b"\x81" + shortest, 0) == [value]
    major, argument = (0x20, -1 - value) if value < 0 else (0, value)
    for head, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * size and len(shortest) < 1 + size:
            with pytest.raises(ValueError, match="shortest form"):
                read_array(b"\x81" + bytes([major | head]) + argument.to_bytes(size, "big"), 0)
