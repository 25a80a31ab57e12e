"""The state machine, sentence by sentence: limits, notes, alert output, collection, weak battery, switching off."""

from __future__ import annotations

import pytest

from gateway.wire.messages import Birth, Command, Flag, Health, Result, Sampled
from tests.nodes import core_types as core
from tests.nodes.core_board import Node
from tests.nodes.core_machine import (
    ACKNOWLEDGE,
    COLLECT,
    DEFERRED,
    DONE,
    NO_ANSWER,
    RESTART,
    STORAGE,
    STUCK,
    command,
    louder,
    machine,
    watching,
)

# --- slow sensors


def test_fixed_limits_of_a_slow_sensor(library, board, gateway):
    board.window = lambda n: [2150 + i % 2 for i in range(n)]
    node = Node(library, board, limits=(1000, 4000))
    for _ in range(3):
        node.step()
    for level, why in ((4500, 2), (900, 3)):
        board.window = lambda n, level=level: [level + i % 2 for i in range(n)]
        node.step()
        assert gateway.of(Flag)[-1].why == why
        assert gateway.of(Flag)[-1].features.feature_set == 3
        board.window = lambda n: [2150 + i % 2 for i in range(n)]
        node.step()


# --- what outlives a reset


def test_counts_and_the_clocks_error_outlive_a_reset(library, board, gateway):
    node = Node(library, board, heartbeat_ms=60_000)
    board.window = lambda n: [5] * n
    node.step()
    board.window = machine()
    epoch_ms = 1790000000000

    def drifting(_frame: bytes) -> None:
        gateway.ack["time_ms"] = epoch_ms + board.now_ms * 100 // 101  # the node's clock is 1 % fast

    taken = board.on_send
    board.on_send = lambda frame: (drifting(frame), taken(frame))
    while board.now_ms < 2 * 3_700_000:
        node.step()
    assert board.events.count(("sensor_fault", STUCK)) == 1
    for restarts in (2, 3):
        node.reboot()
        started = board.now_ms
        node.step()
        assert gateway.of(Health)[-1].more.restarts == restarts
        assert 10_050 <= board.now_ms - started - 100 + 100 <= 10_150, "a wake of the gateway's 10 s, at once"
    library.notes_open.restype = None
    notes = (core.c_uint32 * 7)()
    library.notes_open(notes, core.ctypes.byref(board.port))
    assert list(notes)[4] == 1, "faults"


def test_notes_are_written_rarely(library, board, gateway):
    node = Node(library, board, wake_ms=1000, heartbeat_ms=1000)
    node.step()
    slots = list(board.flash.slots[2:])
    for _ in range(600):
        node.step()
    assert board.flash.slots[2:] == slots, "once in an hour"


@pytest.mark.parametrize("slot", [2, 3])
def test_a_torn_note_leaves_the_one_before(library, board, gateway, slot):
    node = Node(library, board)
    for _ in range(3):
        node.step()
        node.stop()
        node.reboot()
    board.flash.slots[slot] = b"\xa5" * core.RECORD_SIZE
    node.reboot()
    node.step()
    assert gateway.of(Health)[-1].more.restarts in (4, 5)


# --- the alert output


def anomalies(library, board, gateway, **policy: object) -> Node:
    node = watching(library, board, gateway, alert=core.AlertPolicy(**policy))
    board.window = louder(3)
    return node


def test_the_alert_output_has_its_own_policy(library, board, gateway):
    node = anomalies(library, board, gateway, raise_after=3, clear_after=2)
    while not gateway.of(Flag):
        node.step()
    assert board.alerts == [], "flagged already, but not long enough for the output"
    node.step()
    node.step()
    assert board.alerts == [True]
    board.window = machine(5)
    for _ in range(30):
        node.step()
    assert board.alerts == [True, False]


def test_an_alert_without_an_end_waits_for_somebody(library, board, gateway):
    node = anomalies(library, board, gateway, raise_after=1, clear_after=0)
    for _ in range(6):
        node.step()
    board.window = machine(5)
    for _ in range(30):
        node.step()
    assert board.alerts == [True]
    assert command(node, gateway, ACKNOWLEDGE) == DONE
    assert board.alerts == [True, False]


def test_an_acknowledged_alert_stays_off_until_it_was_normal(library, board, gateway):
    node = anomalies(library, board, gateway, raise_after=1, clear_after=0)
    for _ in range(6):
        node.step()
    assert command(node, gateway, ACKNOWLEDGE, wakes=5) == DONE
    assert board.alerts == [True, False]


@pytest.mark.parametrize(("on_fault", "alerts"), [(False, []), (True, [True])])
def test_a_fault_raises_the_alert_only_where_it_is_wanted(library, board, gateway, on_fault, alerts):
    node = Node(library, board, alert=core.AlertPolicy(raise_after=1, clear_after=1, on_fault=on_fault))
    board.window = lambda n: NO_ANSWER
    for _ in range(3):
        node.step()
    assert board.alerts == alerts


# --- collection


def collected(gateway) -> dict[int, list[int]]:
    """Samples by the number of their window, of those that are whole."""
    windows: dict[int, dict[int, Sampled]] = {}
    for part in gateway.of(Sampled):
        windows.setdefault(part.window_number, {})[part.part] = part
    whole = {}
    for number, parts in windows.items():
        if len(parts) == parts[0].parts:
            data = b"".join(parts[i].data for i in range(len(parts)))
            whole[number] = [int.from_bytes(data[i : i + 2], "little", signed=True) for i in range(0, len(data), 2)]
    return whole


def test_raw_windows_are_streamed_whole_and_acknowledged_within_their_wake(library, board, gateway):
    given: list[list[int]] = []
    source = machine()
    board.window = lambda n: given.append(source(n)) or given[-1]
    node = Node(library, board, samples=1024, channels=3, rate_millihz=1_600_000)
    node.step()
    assert command(node, gateway, COLLECT, 2) == DONE
    given.clear()
    for _ in range(3):
        node.step()
    windows = collected(gateway)
    assert list(windows.values()) == given[: len(windows)] and len(windows) == 2
    part = gateway.of(Sampled)[0]
    assert (part.channels, part.rate_millihz, part.parts, part.age) == (3, 1_600_000, 16, 0)
    assert not [event for event in board.events if event[0] == "message_lost"], "nothing was pushed out for it"
    assert [value for name, value in board.events if name == "collected"] == [1, 2]
    assert node.flush() == 0


def test_a_gateway_that_does_not_answer_ends_it_and_loses_no_flag(library, board, gateway):
    node = Node(library, board, samples=1024, channels=3)
    node.step()
    assert command(node, gateway, COLLECT, 5) == DONE
    gateway.answers = False
    board.window = lambda n: NO_ANSWER
    node.step()
    board.window = machine()
    for _ in range(4):
        node.step()
    gateway.answers = True
    gateway.received.clear()
    while node.flush():
        pass
    assert [flag.why for flag in gateway.of(Flag)] == [NO_ANSWER]
    assert len(gateway.of(Sampled)) < 16


# --- a weak battery


def weak(library, board, gateway, **config: object) -> Node:
    node = Node(library, board, radio_min_mv=2500, **config)
    node.step()
    board.load_mv = 2400
    return node


def test_below_the_radios_voltage_nothing_is_sent_and_the_flag_is_kept(library, board, gateway):
    node = weak(library, board, gateway, heartbeat_ms=10_000, window_every=1)
    sent, listened = len(board.sent), board.listened_ms
    board.window = lambda n: NO_ANSWER
    for _ in range(500):
        node.step()
    assert (len(board.sent), board.listened_ms) == (sent, listened)
    assert not [event for event in board.events if event[0] == "message_lost"]
    board.load_mv = 2900
    gateway.received.clear()
    node.step()
    assert [flag.why for flag in gateway.of(Flag)][:2] == [NO_ANSWER, DEFERRED]
    assert gateway.of(Flag)[0].age > 100, "as old as it is"
    node.step()
    health = gateway.of(Health)[-1]
    assert (health.more.battery_load_mv, health.more.deferred) == (2900, 500)
    assert health.battery_mv == 3012, "at rest it looked well"


def test_each_time_it_is_told_once(library, board, gateway):
    node = weak(library, board, gateway, heartbeat_ms=10_000)
    board.window = lambda n: [5] * n
    for _ in range(3):
        for load_mv in (2400, 2400, 2400, 2900, 2900):
            board.load_mv = load_mv
            node.step()
    assert [flag.why for flag in gateway.of(Flag)].count(DEFERRED) == 3


def test_a_birth_waits_too(library, board, gateway):
    board.load_mv = 2400
    node = Node(library, board, radio_min_mv=2500)
    node.step()
    assert board.sent == []
    board.load_mv = 2600
    node.step()
    assert isinstance(gateway.received[0], Birth)


# --- switched off by command


@pytest.mark.parametrize(("kind", "what"), [(STORAGE, "storage"), (RESTART, "restart")])
def test_it_is_switched_off_when_the_gateway_knows(library, board, gateway, kind, what):
    node = Node(library, board)
    node.step()
    gateway.mail = [Command(1, kind)]
    gateway.ack = {"next_s": 1}
    while not gateway.of(Result):
        assert board.ended == []
        node.step()
    for _ in range(3):
        node.step()
    assert board.ended == [what]
    assert node.step() == core.NEVER
    gateway.ack = {}
    gateway.received.clear()
    node.reboot()
    node.step()
    assert gateway.of(Birth)[0].skipped == 0, "an orderly stop"
