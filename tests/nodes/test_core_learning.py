"""The short look and the learner in the node, sentence by sentence."""

from __future__ import annotations

from itertools import groupby

import pytest

from gateway.wire.messages import Birth, Flag, Health, LearnerState, Window
from tests.nodes import core_types as core
from tests.nodes.core_board import Node
from tests.nodes.core_machine import (
    DONE,
    FREEZE,
    HINDERED,
    LEARN,
    LEARNED,
    NO_ANSWER,
    OVERRUN,
    REFUSED,
    ROLL_BACK,
    SATURATED,
    SEND_LEARNER,
    SENSITIVITY,
    STUCK,
    THAW,
    WATCHING,
    command,
    louder,
    machine,
    watching,
)

# --- the short look


def test_a_short_look_is_enough_where_it_is_plainly_normal(library, board, gateway):
    node = watching(library, board, gateway, short_samples=64)
    for _ in range(20):
        node.step()
    board.looks.clear()
    for _ in range(200):
        node.step()
    wakes = [list(looks) for _, looks in groupby(board.looks, key=lambda n: n == 64)]
    short = board.looks.count(64)
    whole = board.looks.count(128)
    assert short + whole >= 200 and wakes
    assert 40 <= 200 - whole <= 190, "some wakes need no whole window, and some do"
    assert not [flag for flag in gateway.of(Flag) if flag.why != 10]


def test_what_is_not_plainly_normal_gets_the_whole_window_in_the_same_wake(library, board, gateway):
    node = watching(library, board, gateway, short_samples=64)
    for _ in range(40):
        node.step()
    board.window = louder(3)
    for _ in range(5):
        board.looks.clear()
        node.step()
        assert board.looks[-1] == 128
    assert gateway.of(Flag), "the first anomalous windows were not missed"
    board.looks.clear()
    node.step()
    assert board.looks == [128], "while an anomaly stands, at once"


def test_at_the_whole_window_it_looks_now_and_then_all_the_same(library, board, gateway):
    node = watching(library, board, gateway, short_samples=64, whole_every=4)
    quiet = board.window(64)
    for _ in range(40):
        node.step()
    board.window = lambda n: (quiet * 2)[:n]
    board.looks.clear()
    for _ in range(40):
        node.step()
    assert board.looks.count(128) >= 10


def test_without_anybody_to_judge_there_is_no_short_look(library, board, gateway):
    node = Node(library, board, short_samples=32, samples=64)
    for _ in range(40):
        node.step()
    assert set(board.looks) == {64}


# --- the learner in the node


def test_a_learner_learns_watches_and_says_how_it_is(library, board, gateway):
    board.window = machine()
    node = Node(library, board, learns=LEARNED, samples=128, heartbeat_ms=60_000)
    for _ in range(30):
        node.step()
    assert gateway.of(Health)[-1].learner.state == 1
    assert gateway.of(Birth)[-1].more.learner is None
    for _ in range(60):
        node.step()
    learner = gateway.of(Health)[-1].learner
    assert (learner.state, learner.learned) == (WATCHING, LEARNED)
    assert learner.similarity > 50
    assert len(gateway.of(Birth)[-1].more.learner) == 8, "a new Birth says what it has learned"


def test_what_it_has_learned_is_normal_and_the_rest_is_flagged(library, board, gateway):
    node = watching(library, board, gateway)
    for _ in range(100):
        node.step()
    assert not [flag for flag in gateway.of(Flag) if flag.why >= 64]
    board.window = louder(3)
    for _ in range(6):
        node.step()
    flags = gateway.of(Flag)
    assert flags and all(flag.why >= 64 and flag.score > 128 for flag in flags)
    told = len(gateway.of(Health))
    board.window = machine(7)
    for _ in range(30):
        node.step()
    (clear,) = gateway.of(Health)[told:]
    assert clear.score <= 128, "the all-clear"


@pytest.mark.parametrize(
    ("window", "why"),
    [
        (lambda n: [5] * n, STUCK),
        (lambda n: [32767] * (n // 2) + [0] * (n - n // 2), SATURATED),
        (lambda n: OVERRUN, OVERRUN),
        (lambda n: NO_ANSWER, NO_ANSWER),
    ],
)
def test_a_fault_of_the_sensor_is_a_reason_of_its_own_and_never_learned(library, board, gateway, window, why):
    board.window = machine()
    node = Node(library, board, learns=LEARNED, samples=128, heartbeat_ms=10_000, window_every=1)
    for _ in range(20):
        node.step()
    learned, windows = gateway.of(Health)[-1].learner.learned, len(gateway.of(Window))
    state = node.learner.raw
    board.window = window
    for _ in range(10):
        node.step()
    assert {flag.why for flag in gateway.of(Flag)} == {why}
    assert gateway.of(Health)[-1].learner.learned == learned == 20
    assert node.learner.raw == state, "not a bit of it"
    assert len(gateway.of(Window)) == windows


def test_slow_readings_that_stand_still_are_learned_and_no_fault(library, board, gateway):
    board.window = lambda n: [2112] * n
    node = Node(library, board, learns=24, limits=(2000, 2800), heartbeat_ms=10_000)
    for _ in range(30):
        node.step()
    assert gateway.of(Flag) == []
    assert gateway.of(Health)[-1].learner.learned == 24
    board.window = lambda n: [32767] * n
    node.step()
    assert gateway.of(Flag)[-1].why == SATURATED


def test_a_learner_that_cannot_learn_for_what_others_find_says_so_once_each_time(library, board, gateway):
    """What keeps it may be wrong, a model made for another place for one: then it would never learn."""
    node = Node(library, board, learns=LEARNED, limits=(2000, 2800), heartbeat_ms=10_000, flag_repeat=1000)
    tells = []
    for warm, wakes in ((True, 23), (True, 10), (False, 5), (True, 23), (True, 3)):
        board.window = lambda n, warm=warm: [(2900 if warm else 2400) + i % 7 for i in range(n)]
        for _ in range(wakes):
            node.step()
        tells.append([flag.why for flag in gateway.of(Flag)].count(HINDERED))
    assert tells == [0, 1, 1, 1, 2]
    assert gateway.of(Health)[-1].learner.learned == 5
    assert all(flag.features is None for flag in gateway.of(Flag) if flag.why == HINDERED)


def test_who_learns_anew_is_not_hindered_by_what_stood_before(library, board, gateway):
    node = watching(library, board, gateway, limits=(-30_000, 30_000))
    board.window = lambda n: [32_000 + i % 7 for i in range(n)]
    for _ in range(30):
        node.step()
    assert command(node, gateway, LEARN, 30) == DONE
    for _ in range(22):
        node.step()
    assert HINDERED not in {flag.why for flag in gateway.of(Flag)}
    for _ in range(3):
        node.step()
    assert [flag.why for flag in gateway.of(Flag)].count(HINDERED) == 1


def test_who_has_learned_is_hindered_by_nobody(library, board, gateway):
    board.window = lambda n: [2400 + i % 7 for i in range(n)]
    node = Node(library, board, learns=24, limits=(2000, 2800))
    for _ in range(26):
        node.step()
    board.window = lambda n: [2900 + i % 7 for i in range(n)]
    for _ in range(40):
        node.step()
    assert HINDERED not in {flag.why for flag in gateway.of(Flag)}


def test_commands_to_the_learner(library, board, gateway):
    node = watching(library, board, gateway, heartbeat_ms=10_000)
    assert command(node, gateway, FREEZE) == DONE
    node.step()
    assert gateway.of(Health)[-1].learner.state == 3
    assert command(node, gateway, THAW) == DONE
    assert command(node, gateway, SENSITIVITY, 1_000_000) == DONE
    node.step()
    assert (gateway.of(Health)[-1].learner.state, gateway.of(Health)[-1].learner.events_ppb) == (WATCHING, 1_000_000)
    assert command(node, gateway, SENSITIVITY, 10**9 + 1) == REFUSED
    assert command(node, gateway, LEARN, 30) == DONE
    node.step()
    assert gateway.of(Health)[-1].learner.state == 1
    assert command(node, gateway, ROLL_BACK) == DONE
    node.step()
    assert gateway.of(Health)[-1].learner.state == WATCHING


def test_what_it_has_learned_outlives_a_reset(library, board, gateway):
    node = watching(library, board, gateway)
    before = gateway.of(Birth)[-1].more.learner
    node.reboot()
    node.step()
    assert gateway.of(Birth)[-1].more.learner == before
    assert gateway.of(Health)[-1].learner.learned == LEARNED


@pytest.mark.parametrize("cut", [0, 1])
def test_a_write_that_is_cut_short_leaves_what_was_kept_before(library, board, gateway, cut):
    node = watching(library, board, gateway)
    before = gateway.of(Birth)[-1].more.learner
    board.store.cut = cut
    assert command(node, gateway, SENSITIVITY, 1_000_000) == DONE
    board.store.cut = None
    node.reboot()
    node.step()
    assert gateway.of(Birth)[-1].more.learner == before


def test_its_state_is_sent_when_asked_for(library, board, gateway):
    node = watching(library, board, gateway)
    node.step()
    assert command(node, gateway, SEND_LEARNER) == DONE
    parts = gateway.of(LearnerState)
    assert [part.part for part in parts] == list(range(parts[0].parts))
    image = b"".join(part.data for part in parts)
    other = core.ctypes.create_string_buffer(4096)
    setup = core.LearnerSetup(feature_set=1, channels=1, average=0, windows=LEARNED)
    assert library.learner_init(other, core.ctypes.byref(setup)) == 0
    assert library.learner_load(other, image, core.c_size_t(len(image))) == 0
