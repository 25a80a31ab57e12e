"""Messages over all inputs."""

from __future__ import annotations

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.messages import (
    Ack,
    Birth,
    BirthMore,
    Chunk,
    Command,
    EnergyUc,
    Features,
    Flag,
    Health,
    HealthMore,
    LearnerBrief,
    LearnerState,
    MessageType,
    Offer,
    Result,
    Sampled,
    Undecodable,
    Window,
    decode_down,
    decode_up,
    encode,
)

u8, u16, u32, u64 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64))
small = st.integers(0, 23)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=24).filter(lambda text: len(text.encode()) <= 24)
features = st.builds(Features, u8, st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=64).map(tuple))
hashes = st.binary(min_size=8, max_size=8)
births = st.builds(
    Birth, u16, u8, st.integers(1, 23), u32, u32, small, names, names, u8, st.integers(1, 9), small,
    st.none() | hashes, u32, u32, u16, u16, u32,
    st.none() | st.builds(BirthMore, st.integers(1, 1024), u32, u32, st.integers(0, 1), st.none() | hashes),
)  # fmt: skip
flags = st.builds(Flag, u16, u8, u8, u8, small, st.none() | features)
windows = st.builds(Window, u16, u8, u8, small, features)
more = st.builds(HealthMore, st.none() | u16, u32, u32, u32)
learners = st.builds(LearnerBrief, st.integers(0, 7), u16, st.integers(0, 100), u8, u32)
tails = st.tuples(st.none(), st.none()) | st.tuples(more, st.none() | learners)
plain_healths = st.builds(
    Health, u16, u8, u8, u8, u16, st.none() | st.integers(-(2**15), 2**15 - 1), st.none() | st.integers(-128, 0),
    u32, u32, u32, u32, u32, u32, st.builds(EnergyUc, u32, u32, u32, u32),
)  # fmt: skip
healths = st.builds(lambda health, tail: health._replace(more=tail[0], learner=tail[1]), plain_healths, tails)
results = st.builds(Result, u16, u8, u32, small, st.none() | u32)
acks = st.builds(Ack, u16, u32, u64, u32, small, st.booleans())
commands = st.builds(Command, u32, u8, st.none() | u32)
data = st.binary(min_size=1, max_size=384)
parts = st.integers(1, 255)
sampled = st.builds(Sampled, u16, u8, u32, u8, parts, st.integers(1, 9), u32, data)
learner_states = st.builds(LearnerState, u16, u8, u8, parts, data)
chunks = st.builds(Chunk, u32, u32, data)
offers = st.builds(
    Offer, u32, st.integers(0, 3), u32, st.binary(min_size=32, max_size=32), u32,
    st.none() | st.binary(min_size=64, max_size=64),
)  # fmt: skip
up_messages = births | flags | windows | healths | results | sampled | learner_states
down_messages = acks | commands | chunks | offers
cbor_items = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=18) | st.dictionaries(st.integers(), inner, max_size=3),
    max_leaves=30,
)


@given(up_messages)
def test_upward_round_trip(message):
    payload = encode(message)
    assert decode_up(payload) == message
    assert payload[1:] == cbor2.dumps(cbor2.loads(payload[1:]), canonical=True)
    with pytest.raises(Undecodable, match="no message of this direction"):
        decode_down(payload)


@given(down_messages)
def test_downward_round_trip(message):
    payload = encode(message)
    assert decode_down(payload) == message
    with pytest.raises(Undecodable, match="no message of this direction"):
        decode_up(payload)


def decodes_or_is_refused(payload: bytes) -> None:
    """What decodes is the one encoding of what it decodes to; all else is refused by one name."""
    for decode in (decode_up, decode_down):
        try:
            message = decode(payload)
        except Undecodable:
            continue
        assert encode(message) == payload


@given(st.binary(max_size=80))
def test_any_bytes(payload):
    decodes_or_is_refused(payload)


@given(st.integers(1, 12), st.binary(max_size=80))
def test_any_bytes_after_a_type(kind, rest):
    decodes_or_is_refused(bytes([kind]) + rest)


@given(st.integers(1, 11), st.lists(cbor_items, max_size=18))
def test_any_cbor_array(kind, items):
    decodes_or_is_refused(bytes([kind]) + cbor2.dumps(items))


@given(up_messages | down_messages, st.data())
def test_a_sound_message_with_one_byte_changed(message, data):
    payload = bytearray(encode(message))
    payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    decodes_or_is_refused(bytes(payload))


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b"\x81" * 500, id="nested"),
        pytest.param(b"\x9f" * 500, id="nested without end"),
        pytest.param(b"\xc1" * 500, id="tags"),
        pytest.param(b"\x9b" + b"\xff" * 8, id="array of 2^64"),
        pytest.param(b"\x9a\xff\xff\xff\xff", id="array of 2^32"),
        pytest.param(b"\x85\x5b" + b"\xff" * 8, id="bytes of 2^64"),
        pytest.param(b"\x85\x7b\x7f" + b"\xff" * 7, id="text of 2^63"),
        pytest.param(b"\x85\xd8\x23\x63a{9", id="a regular expression"),
        pytest.param(b"\x85\xc5\x82\x1b" + b"\xff" * 8 + b"\x01", id="a big float"),
    ],
)
def test_what_makes_a_general_decoder_work_hard_is_undecodable(rest):
    with pytest.raises(Undecodable):
        decode_up(b"\x02" + rest)


ACK = Ack(1, 0, 1_790_000_000_000, 0, 0, False)


@given(st.lists(acks | acks.map(lambda ack: ack._replace(base=None)), max_size=8))
def test_an_ack_is_written_as_any_message_whatever_was_written_before_it(written):
    for ack in [*written, *reversed(written)]:
        items = list(ack)
        assert encode(ack) == b"\x05" + cbor2.dumps(items, canonical=True)


def test_what_equals_a_field_is_not_taken_for_it():
    for value in (False, True):
        encode(ACK._replace(birth_wanted=value))
        with pytest.raises(ValueError, match=r"Ack\.birth_wanted"):
            encode(ACK._replace(birth_wanted=int(value)))
    encode(ACK._replace(mail=1))
    with pytest.raises(ValueError, match=r"Ack\.mail"):
        encode(ACK._replace(mail=True))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (ACK._replace(mail=24), r"Ack\.mail: 24 is not within 0\.\.23"),
        (ACK._replace(time_ms=-1), r"Ack\.time_ms"),
        (ACK._replace(base=True), r"Ack\.base: is not an integer"),
        (ACK._replace(base=2**16), r"Ack\.base: 65536 is not within"),
        (ACK._replace(base=-1), r"Ack\.base: -1 is not within"),
        (ACK._replace(bitmap=2**32), r"Ack\.bitmap: 4294967296 is not within"),
        (ACK._replace(birth_wanted=1), r"Ack\.birth_wanted: is not a boolean"),
        (Command(1, 256), r"Command\.kind"),
        (Offer(1, 0, 0, bytes(31), 0), r"Offer\.sha256: is not 32 bytes"),
        (Chunk(1, 0, bytes(385)), r"Chunk\.data: is not 1\.\.384 bytes"),
        (
            Health(
                1, 0, 0, 0, 0, None, None, 0, 0, 0, 0, 0, 0, EnergyUc(0, 0, 0, 0), None, LearnerBrief(0, 0, 0, 0, 0)
            ),
            r"Health\.more: is not an array of 4 elements",
        ),
        (Flag(1, 0, 0, 0, 0, Features(1, ())), r"Flag\.values"),
        (Flag(1, 0, 0, 0, 0, Features(1, (2**31,))), r"Flag\.values"),
    ],
)
def test_what_is_out_of_range_is_not_encoded(message, reason):
    with pytest.raises(ValueError, match=reason):
        encode(message)


def test_type_bytes_are_those_of_the_cddl():
    assert [encode(Command(1, 1))[0], encode(ACK)[0]] == [MessageType.COMMAND, MessageType.ACK] == [6, 5]


def test_a_bare_flag_fits_the_smallest_lorawan_payload():
    assert len(encode(Flag(0xFFFF, 255, 255, 255, 23))) - 1 <= 11
