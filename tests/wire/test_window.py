"""The two windows against receivers that remember everything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.window import REPLAY_DEPTH, SEQUENCE_DEPTH, ReplayWindow, SequenceWindow

SPAN = 1 << 16


@given(st.lists(st.integers(0, 300) | st.integers(0, 2**32 - 1), max_size=120))
def test_replay_window_judges_like_a_full_memory(partial_ivs):
    window, used = ReplayWindow(), set()
    for partial_iv in partial_ivs:
        expected = partial_iv in used or partial_iv < max(used, default=0) - REPLAY_DEPTH
        assert window.replayed(partial_iv) == expected
        if not expected:
            window = window.accept(partial_iv)
            used.add(partial_iv)
        assert ReplayWindow.from_state(window.to_state()) == window


@given(st.integers(0, 2**31), st.lists(st.integers(-700, 700), max_size=120))
def test_sequence_window_judges_like_a_full_memory(start, steps):
    window, accepted = SequenceWindow().anchor(start), set()
    for step in [0, *steps]:
        full = max(0, start + step)
        if accepted:
            assert window.extend(full % SPAN) == full
        too_old = full < max(accepted, default=0) - SEQUENCE_DEPTH
        assert window.too_old(full) == too_old
        if not too_old:
            assert window.known(full) == (full in accepted)
        if not (too_old or full in accepted):
            window = window.accept(full)
            accepted.add(full)
        assert SequenceWindow.from_state(window.to_state()) == window


def test_a_jump_beyond_the_depth_forgets_and_one_within_it_does_not():
    window = SequenceWindow().accept(10)
    assert window.accept(10 + SEQUENCE_DEPTH).known(10)
    assert not window.accept(10 + SEQUENCE_DEPTH).known(11)
    assert window.accept(11 + SEQUENCE_DEPTH).too_old(10)
    assert not window.accept(11 + SEQUENCE_DEPTH).too_old(11)
    assert window.accept(10**6).below == 0


@pytest.mark.parametrize(
    ("newest", "seq", "full"),
    [
        (-1, 65535, 65535),
        (0, 0, 0),
        (5, 65535, 65535),  # -1 is no number
        (65535, 0, 65536),
        (65536, 65535, 65535),
        (0x50000, 0x8000, 0x58000),  # equally near: the higher
        (0x50000, 0x8001, 0x48001),
        (2**32 - 1, 0xFFF0, 2**32 - 16),
    ],
)
def test_extension_to_the_nearest_number(newest, seq, full):
    assert SequenceWindow(newest).extend(seq) == full


def test_a_birth_moves_what_was_known_by_its_low_bits_to_where_it_belongs():
    window = SequenceWindow()
    for seq in (4, 5):
        window = window.accept(window.extend(seq))
    window = window.anchor(0x30006)
    assert not window.known(0x30006)
    window = window.accept(0x30006)
    assert window.known(window.extend(4))
    assert window.known(window.extend(5))
    assert not window.known(window.extend(3))
    assert window.newest == 0x30006


def test_a_later_birth_does_not_move_what_is_known():
    window = SequenceWindow().anchor(100).accept(100)
    assert window.anchor(0x30006) == window


def test_a_birth_that_contradicts_the_low_bits_starts_anew():
    window = SequenceWindow().accept(65530)
    assert window.anchor(3) == SequenceWindow(anchored=True)


@pytest.mark.parametrize("window", [ReplayWindow, SequenceWindow])
@pytest.mark.parametrize("length", [0, 1, 12, 14, 69, 71])
def test_a_state_of_another_length_is_refused(window, length):
    with pytest.raises(ValueError, match="another length"):
        window.from_state(bytes(length))


@given(
    st.integers(0, 2**31),
    st.integers(0, 2**31),
    st.lists(st.tuples(st.integers(1, 50_000), st.integers(0, 9), st.booleans()), max_size=20),
)
def test_no_number_is_extended_wrongly_however_much_goes_unheard(partial_iv, number, steps):
    """A node spends at least one partial IV on each number; what is heard is told as what it is, or not at all."""
    replay, window = ReplayWindow().accept(partial_iv), SequenceWindow().anchor(number).accept(number)
    for ahead, resends, birth in steps:
        partial_iv, number = partial_iv + ahead + resends, number + ahead
        if replay.leaps(partial_iv):
            window = window.drift()
        replay = replay.accept(partial_iv)
        if birth:
            window = window.anchor(number)
        assert SequenceWindow.from_state(window.to_state()) == window
        if window.adrift:
            continue
        assert birth or window.extend(number % SPAN) == number
        window = window.accept(number)


def test_before_the_first_birth_no_leap_is_too_far():
    assert not SequenceWindow().accept(5).drift().adrift
    assert not ReplayWindow().leaps(2**32 - 1)
    assert SequenceWindow().anchor(5).drift().adrift
    assert not SequenceWindow().anchor(5).drift().anchor(9).adrift


@pytest.mark.parametrize("ahead", [1, 2, 3])
def test_only_what_was_accepted_is_known_however_far_apart(ahead):
    replay, window = ReplayWindow(), SequenceWindow()
    accepted = [10 + ahead * i for i in range(15)]
    for number in accepted:
        replay, window = replay.accept(number), window.accept(number)
    for number in range(10, 60):
        assert replay.replayed(number) == window.known(number) == (number in accepted)
