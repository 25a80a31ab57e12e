"""The witness accuses only where two different things had one number."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.wire.messages import Features, Flag, encode
from gateway.wire.window import REPLAY_DEPTH, SEQUENCE_DEPTH, ReplayWindow, SequenceWindow
from gateway.wire.witness import Witness


def flag(seq: int = 7, age: int = 0, score: int = 140) -> Flag:
    return Flag(seq, age, score, 65, 2, Features(1, (1, 2, 3)))


def tag(number: int) -> bytes:
    return number.to_bytes(8, "big")


@pytest.mark.parametrize("seq", [0, 23, 24, 255, 256, 65535])
@pytest.mark.parametrize("age", [0, 23, 24, 255])
def test_a_resend_differs_in_its_age_alone(seq: int, age: int) -> None:
    witness = Witness()
    witness.saw_message(seq, encode(flag(seq)))
    assert not witness.other_message(seq, encode(flag(seq, age)))
    assert witness.other_message(seq, encode(flag(seq, age, score=141)))
    assert witness.other_message(seq, encode(flag(seq, age)._replace(features=None)))


def test_who_has_seen_nothing_accuses_nobody() -> None:
    assert not Witness().other_message(7, encode(flag()))
    assert not Witness().other_envelope(7, bytes(20))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 2000), max_size=200), st.integers(0, 200))
def test_the_innocent_are_not_accused_across_a_restart(steps: list[int], forget_at: int) -> None:
    """Each number stands for its own content; whatever the window takes for seen is then a repetition."""
    replay, sequence, witness = ReplayWindow(), SequenceWindow(), Witness()
    for i, number in enumerate(steps):
        if i == forget_at:
            witness = Witness()
        payload = encode(flag(number % 2**16, score=number % 251))
        if not replay.replayed(number):
            replay = replay.accept(number)
            witness.saw_envelope(number, tag(number))
        elif not replay.too_old(number):
            assert not witness.other_envelope(number, tag(number))
        if sequence.too_old(number):
            continue
        if sequence.known(number):
            assert not witness.other_message(number, payload)
        else:
            sequence = sequence.accept(number)
            witness.saw_message(number, payload)


def test_all_that_the_windows_know_is_remembered_each_for_itself() -> None:
    replay, sequence, witness = ReplayWindow(), SequenceWindow(), Witness()
    last = 3 * SEQUENCE_DEPTH
    for number in range(last):
        replay, sequence = replay.accept(number), sequence.accept(number)
        witness.saw_envelope(number, tag(number))
        witness.saw_message(number, encode(flag(number, score=number % 251)))
    known = [n for n in range(last) if not sequence.too_old(n)]
    assert len(known) == SEQUENCE_DEPTH + 1
    assert not any(witness.other_message(n, encode(flag(n, age=9, score=n % 251))) for n in known)
    assert all(witness.other_message(n, encode(flag(n, score=255))) for n in known)
    used = [n for n in range(last) if not replay.too_old(n)]
    assert len(used) == REPLAY_DEPTH + 1
    assert not any(witness.other_envelope(n, tag(n)) for n in used)
    assert all(witness.other_envelope(n, tag(last)) for n in used)
