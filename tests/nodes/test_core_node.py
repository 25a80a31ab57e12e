"""The node on a board in the test's hands, with gateway/wire at the other end."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gateway.wire.messages import Ack, Birth, BirthMore, Command, Flag, Health, HealthMore, Window
from tests.nodes import core_types as core
from tests.nodes.core_board import Node

RUNNING, NO_RECORD, EXHAUSTED = range(3)
OVERRUN, NO_ANSWER, NOTHING = 6, 7, 255
SEND_BIRTH = 2


def stuck(n: int) -> list[int]:
    return [5] * n


def test_it_says_who_it_is_and_how_it_is(library, board, gateway):
    node = Node(library, board, reset_cause=3)
    assert node.state == RUNNING
    node.step()
    birth, health = gateway.received
    assert birth == Birth(
        seq=0, age=0, wire_version=1, full_seq=0, skipped=0, reset_cause=3, hardware="test", firmware="0",
        feature_set=1, channels=1, generation=0, model=None, wake_ms=10000, heartbeat_ms=3600000, listen_ms=500,
        epoch=0, last_command=0, more=BirthMore(samples=32, rate_millihz=0, firmware_counter=0, slot=0, learner=None),
    )  # fmt: skip
    assert isinstance(health, Health)
    assert (health.more, health.learner) == (HealthMore(2900, deferred=0, stop_refused=0, restarts=1), None)
    assert (health.seq, health.battery_mv, health.temperature_cdeg, health.link_dbm) == (1, 3012, None, -71)
    assert (health.wakes, health.energy_uc.sensor) == (1, 200)  # 100 ms at 2 mA


def test_without_news_the_radio_stays_off(library, board, gateway):
    node = Node(library, board)
    node.step()
    before = len(board.sent), board.listened_ms
    for _ in range(20):
        node.step()
    assert (len(board.sent), board.listened_ms) == before


def test_a_heartbeat_comes_in_time(library, board, gateway):
    node = Node(library, board, heartbeat_ms=60000, wake_ms=10000)
    while board.now_ms < 600_000:
        node.step()
    uptimes = [health.uptime_s for health in gateway.of(Health)]
    gaps = [b - a for a, b in pairwise(uptimes)]
    assert len(uptimes) >= 9
    assert max(gaps) <= 70


def test_wakes_keep_to_their_grid(library, board, gateway):
    node = Node(library, board, wake_ms=10000, window_every=1)
    starts = []
    for _ in range(6):
        starts.append(board.now_ms)
        node.step()
    assert starts == [0, 10000, 20000, 30000, 40000, 50000]


def test_windows_go_out_as_often_as_asked(library, board, gateway):
    node = Node(library, board, window_every=3)
    for _ in range(9):
        node.step()
    windows = gateway.of(Window)
    assert len(windows) == 3
    assert len(windows[0].features.values) == 3


def test_unacknowledged_messages_are_sent_again_with_their_number_and_age(library, board, gateway):
    node = Node(library, board, heartbeat_ms=10000)
    node.step()
    gateway.answers = False
    gateway.received.clear()
    node.step()
    first = list(gateway.received)
    gateway.answers = True
    for _ in range(3):
        node.step()
    again = gateway.received[len(first) :]
    assert [m._replace(age=0) for m in again[:1]] == [m._replace(age=0) for m in first]
    assert again[0].age > 0
    assert len(set(gateway.partial_ivs)) == len(gateway.partial_ivs)
    assert node.flush() == 0


def test_an_all_clear_goes_out_in_the_same_wake(library, board, gateway):
    normal = board.window
    node = Node(library, board)
    node.step()
    board.window = stuck
    node.step()
    assert [flag.why for flag in gateway.of(Flag)] == [4]
    told = len(gateway.of(Health))
    board.window = normal
    node.step()
    assert [health.why for health in gateway.of(Health)[told:]] == [0], "not only at the next heartbeat"
    node.step()
    assert len(gateway.of(Health)) == told + 1


def test_a_silent_gateway_costs_ever_fewer_resends(library, board, gateway):
    gateway.answers = False
    node = Node(library, board)
    sent = []
    for _ in range(64):
        before = len(board.sent)
        node.step()
        sent.append(len(board.sent) - before)
    wakes = [i for i, n in enumerate(sent) if n]
    gaps = [b - a for a, b in pairwise(wakes)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == 16
    gateway.answers = True
    while node.flush():
        pass
    assert {m.seq for m in gateway.received} == {0, 1}


def test_the_ring_gives_up_the_oldest_and_says_so(library, board, gateway):
    gateway.answers = False
    node = Node(library, board, window_every=1, channels=3)
    for _ in range(80):
        node.step()
    lost = sum(value for name, value in board.events if name == "message_lost")
    assert lost > 0
    gateway.answers = True
    gateway.received.clear()
    while node.flush():
        pass
    sent = {m.seq for m in gateway.received}
    assert max(sent) - min(sent) + 1 == len(sent)
    gateway.mail = []
    gateway.ack = {"next_s": 1}
    node.step()
    node.step()
    assert gateway.of(Health)[-1].ring_drops == lost


def test_messages_that_got_no_number_are_told_as_given_up(library, board, gateway):
    node = Node(library, board, window_every=1, heartbeat_ms=1)
    board.flash.cut = lambda old, new: old
    for _ in range(3):
        node.step()
    board.flash.cut = None
    node.step()
    assert gateway.of(Health)[-1].ring_drops >= 3, "a window in each wake at least"


def test_no_valid_record_no_transmission(library, board, gateway):
    board.flash.slots = [b"\xa5" * core.RECORD_SIZE, bytes(core.RECORD_SIZE)]
    node = Node(library, board)
    assert node.state == NO_RECORD
    assert node.step() == core.NEVER
    assert node.flush() == 0
    assert board.sent == []
    assert ("no_record", 0) in board.events


def test_flash_that_takes_nothing_lets_nothing_out(library, board, gateway):
    node = Node(library, board)
    board.flash.cut = lambda old, new: old
    for _ in range(3):
        assert node.step() != core.NEVER
    assert board.sent == []
    assert ("not_kept", 0) in board.events
    board.flash.cut = None
    node.step()
    assert isinstance(gateway.received[0], Birth)


def test_it_says_who_it_is_before_it_looks(library, board, gateway):
    looks: list[int] = []
    window = board.window
    board.window = lambda n: looks.append(len(gateway.of(Birth))) or window(n)
    node = Node(library, board)
    for _ in range(3):
        node.step()
    assert looks == [1, 1, 1]
    assert len(gateway.of(Birth)) == 1, "announced and acknowledged: said once"


def test_a_birth_that_nobody_heard_is_said_again_with_the_first_news(library, board, gateway):
    gateway.answers = False
    Node(library, board).step()
    assert [type(m) for m in gateway.received] == [Birth, Birth, Health]


def test_one_message_that_the_port_refuses_does_not_stop_the_others(library, board, gateway):
    node = Node(library, board, window_every=1)
    node.step()
    longest = max(map(len, board.sent))
    board.takes = lambda envelope: len(envelope) < longest
    gateway.received.clear()
    gateway.ack = {"birth_wanted": True}
    node.step()
    assert gateway.of(Window) and not gateway.of(Birth), "the Birth is too long for this link"
    gateway.ack = {}
    for _ in range(5):
        node.step()
    assert len(gateway.of(Window)) == 6
    board.takes = lambda envelope: True
    assert node.flush() == 0
    assert len(gateway.of(Birth)) == 1


def test_a_radio_that_takes_nothing_is_tried_a_few_times_in_a_wake(library, board, gateway):
    gateway.answers = False
    node = Node(library, board, window_every=1)
    for _ in range(30):
        node.step()
    tried: list[bytes] = []
    board.takes = lambda envelope: tried.append(envelope)
    for wake in (node.step, node.flush):
        tried.clear()
        wake()
        assert 0 < len(tried) <= 4


def test_a_radio_that_takes_nothing_loses_nothing(library, board, gateway):
    node = Node(library, board)
    board.takes = lambda envelope: False
    node.step()
    board.takes = lambda envelope: True
    node.step()
    assert [type(m) for m in gateway.received] == [Birth, Health]


@pytest.mark.parametrize("retained", [False, True])
def test_no_partial_iv_and_no_number_repeats_over_reboots(library, board, gateway, retained):
    """`Gateway.take` fails on a partial IV that it has seen."""
    node = Node(library, board, window_every=1)
    seqs: list[int] = []
    for _ in range(6):
        for _ in range(5):
            node.step()
        seqs += [m.seq for m in gateway.received]
        gateway.received.clear()
        assert node.reboot(retained=retained) == RUNNING
    assert seqs == sorted(set(seqs))
    assert (max(seqs) < 64) == retained


def test_memory_of_a_node_that_was_reset_while_awake_is_not_trusted(library, board, gateway):
    node = Node(library, board)
    node.step()
    board.window = lambda n: NO_ANSWER
    awake: list[bytes] = []
    board.on_send = lambda frame: awake.append(node.kept.raw)  # in the middle of a wake
    node.step()
    core.ctypes.memmove(node.kept, awake[0], len(awake[0]))
    board.on_send = gateway.take
    node.reboot(retained=True)
    gateway.received.clear()
    node.step()
    assert gateway.of(Birth)[0].full_seq == core.BLOCK, "it must have started from its flash"


def test_a_reset_is_announced_with_what_it_skipped(library, board, gateway):
    node = Node(library, board)
    node.step()
    node.reboot()
    node.step()
    birth = gateway.of(Birth)[-1]
    assert (birth.full_seq, birth.skipped) == (core.BLOCK, core.BLOCK)
    node.stop()
    node.reboot()
    node.step()
    birth = gateway.of(Birth)[-1]
    assert (birth.full_seq, birth.skipped) == (core.BLOCK + 2, 0)


def test_after_a_stop_nothing_is_sent(library, board, gateway):
    node = Node(library, board)
    node.stop()
    assert node.step() == core.NEVER
    assert board.sent == []


@pytest.mark.parametrize(
    ("window", "why"), [(stuck, 4), (lambda n: [32767] * (n // 2) + [0] * (n - n // 2), 5),
                        (lambda n: OVERRUN, 6), (lambda n: NO_ANSWER, 7)]
)  # fmt: skip
def test_a_sensor_fault_is_flagged_at_its_onset_and_then_rarely(library, board, gateway, window, why):
    node = Node(library, board, flag_repeat=5)
    node.step()
    board.window = window
    for _ in range(11):
        node.step()
    flags = gateway.of(Flag)
    assert [(f.why, f.score, f.features) for f in flags] == [(why, 0, None)] * 3
    gateway.ack = {"next_s": 1, "birth_wanted": False}
    gateway.mail = [Command(id=1, kind=SEND_BIRTH)]
    node.flush()
    assert gateway.of(Window) == []


def test_health_names_the_fault_that_stands_until_it_is_over(library, board, gateway):
    good = board.window
    board.window = stuck
    node = Node(library, board, heartbeat_ms=1)
    node.step()
    assert gateway.of(Health)[-1].why == 4
    board.window = good
    node.step()
    assert gateway.of(Health)[-1].why == 0


def test_a_broken_model_is_a_fault_and_gives_no_score(library, board, gateway):
    node = Node(library, board, model_broken=True, flag_repeat=100, window_every=1)
    for _ in range(3):
        node.step()
    assert [f.why for f in gateway.of(Flag)] == [8]
    assert [w.score for w in gateway.of(Window)] == [0, 0, 0]


def test_the_end_of_a_recording_is_no_fault(library, board, gateway):
    board.window = lambda n: NOTHING
    node = Node(library, board)
    for _ in range(3):
        node.step()
    assert gateway.of(Flag) == []
    assert gateway.of(Health)[0].why == 0


def test_what_is_refused_is_counted_and_changes_nothing(library, board, gateway):
    node = Node(library, board)
    gateway.answers = False
    good = gateway.seal(Ack(base=0, bitmap=1, time_ms=1, next_s=0, mail=0, birth_wanted=False))
    forged = good[:-1] + bytes([good[-1] ^ 1])
    board.inbox.extend([b"\x83", forged, good, good])
    node.step()
    assert [value for name, value in board.events if name == "refused"] == [1, 3, 4]
    board.events.clear()
    board.inbox.append(good)
    gateway.ack = {"next_s": 1}
    gateway.answers = True
    board.window = stuck
    node.step()
    assert ("refused", core.VERDICTS.index("replayed")) in board.events
    node.step()
    assert gateway.of(Health)[-1].refused == 2


def test_energy_of_sleep_and_radio_is_booked(library, board, gateway):
    gateway.answers = False
    node = Node(library, board, heartbeat_ms=20000)
    for _ in range(3):
        node.step()
    health = gateway.of(Health)[-1]
    assert health.energy_uc.radio >= 500 * 10000000 // 1000000
    assert 10 <= health.energy_uc.sleep <= 20  # two sleeps of nearly 10 s at 1 µA
