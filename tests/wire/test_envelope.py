"""The envelope over all inputs: sound ones come back, any change is refused by its name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.envelope import MAX_BYTES, MAX_PARTIAL_IV, BadTag, Cipher, Malformed, parse
from gateway.wire.keys import NodeKeys

KEYS = NodeKeys(bytes.fromhex("53744801"), bytes(range(16)))
UP, DOWN = Cipher.up(KEYS), Cipher.down(KEYS, 0x0102)
partial_ivs = st.integers(0, MAX_PARTIAL_IV) | st.integers(0, 32).map(lambda bits: (1 << bits) - 1)
payloads = st.binary(max_size=400)


@given(partial_ivs, payloads, st.booleans())
def test_what_is_sealed_opens(partial_iv, payload, down):
    cipher = DOWN if down else UP
    sealed = parse(cipher.seal(partial_iv, payload), down=down)
    assert (sealed.kid, sealed.partial_iv, sealed.epoch) == (KEYS.kid, partial_iv, 0x0102 if down else None)
    assert cipher.open(sealed) == payload


@given(st.binary(max_size=600), st.booleans())
def test_any_bytes_are_an_envelope_or_malformed(data, down):
    try:
        parse(data, down=down)
    except Malformed:
        return
    raise AssertionError("random bytes do not have the fixed first ones")


@given(partial_ivs, st.binary(max_size=60), st.binary(max_size=60), st.booleans())
def test_any_bytes_after_a_sound_beginning_are_refused_by_name(partial_iv, payload, tail, down):
    cipher = DOWN if down else UP
    good = cipher.seal(partial_iv, payload)
    for keep in (len(good) - 1, 12, 14, 16):
        changed = good[:keep] + tail
        if changed != good:
            with pytest.raises((Malformed, BadTag)):
                cipher.open(parse(changed, down=down))


@given(partial_ivs, st.binary(max_size=40), st.booleans())
def test_every_flipped_bit_is_refused(partial_iv, payload, down):
    cipher = DOWN if down else UP
    good = cipher.seal(partial_iv, payload)
    for bit in range(8 * len(good)):
        changed = bytearray(good)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises((Malformed, BadTag)):
            cipher.open(parse(bytes(changed), down=down))


def test_a_cipher_opens_nothing_of_another_epoch_or_direction():
    sealed = parse(DOWN.seal(1, b"\x06"), down=True)
    for other in (Cipher.down(KEYS, 0x0103), UP):
        with pytest.raises(BadTag):
            other.open(sealed)
    with pytest.raises(BadTag):
        DOWN.open(sealed._replace(epoch=None))


def test_the_longest_envelope():
    room = MAX_BYTES - len(UP.seal(MAX_PARTIAL_IV, bytes(400))) + 400
    longest = UP.seal(MAX_PARTIAL_IV, bytes(room))
    assert len(longest) == MAX_BYTES
    assert UP.open(parse(longest)) == bytes(room)
    for more in (room + 1, MAX_BYTES, 3 * MAX_BYTES):
        with pytest.raises(ValueError, match="512 at most"):
            UP.seal(MAX_PARTIAL_IV, bytes(more))


@pytest.mark.parametrize("partial_iv", [-1, MAX_PARTIAL_IV + 1])
def test_a_partial_iv_beyond_32_bits_is_not_sealed(partial_iv):
    with pytest.raises(ValueError, match="32 bits"):
        UP.seal(partial_iv, b"")


def test_sizes_of_the_smallest_flag_are_those_of_the_specification():
    assert len(UP.seal(0x10000, bytes(12))) == 38


@pytest.mark.parametrize(("kid", "secret"), [(bytes(3), bytes(16)), (bytes(4), bytes(15))])
def test_keys_of_other_lengths_are_refused(kid, secret):
    with pytest.raises(ValueError, match="bytes, not"):
        NodeKeys(kid, secret)


def test_a_secret_does_not_show_in_a_log():
    assert KEYS.kid.hex() in repr(KEYS)
    assert bytes(range(16)).hex() not in repr(KEYS)
