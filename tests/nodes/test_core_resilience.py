"""What a node does when much goes wrong at once: replay after a reset, a new key, long silence, floods, drift."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gateway.wire import age
from gateway.wire.messages import Ack, Birth, Health, Window
from tests.nodes import core_types as core
from tests.nodes.core_board import Node

REPLAYED = core.VERDICTS.index("replayed")


def ack_of(seq: int) -> Ack:
    return Ack(base=seq % 2**16, bitmap=0, time_ms=1, next_s=0, mail=0, birth_wanted=False)


@pytest.mark.parametrize("orderly", [False, True])
def test_an_ack_of_before_a_reset_acknowledges_nothing_after_it(library, board, gateway, orderly):
    """65536 numbers later the same 16 bits come again: whoever has kept an old Ack must not be able to use it."""
    gateway.partial_iv = 40
    node = Node(library, board, window_every=1)
    gateway.answers = False
    recorded = gateway.seal(ack_of(core.BLOCK if not orderly else 3))
    gateway.answers = True
    for _ in range(core.BLOCK if not orderly else 1):
        node.step()
    if orderly:
        node.stop()
    node.reboot()
    gateway.answers = False
    board.events.clear()
    board.inbox.append(recorded)
    node.step()
    assert ("refused", REPLAYED) in board.events
    assert [name for name, _ in board.events].count("acknowledged") == 0


def test_the_downward_window_of_a_new_epoch_starts_anew_and_is_kept(library, board, gateway):
    node = Node(library, board, window_every=1)
    gateway.partial_iv = 1000
    node.step()
    gateway.epoch, gateway.partial_iv = 1, 0
    node.step()
    node.stop()
    node.reboot()
    board.events.clear()
    node.step()
    assert "acknowledged" in [name for name, _ in board.events]
    assert gateway.partial_iv < 1000


def test_memory_that_was_kept_under_another_key_is_not_gone_on_with(library, board, gateway):
    node = Node(library, board)
    node.step()
    node.config.secret[:] = list(range(16, 32))
    assert library.ceiling_provision(core.ctypes.byref(board.port))
    writes = board.flash.writes
    board.on_send = lambda frame: None
    node.reboot(retained=True)
    node.step()
    assert board.flash.writes > writes, "numbers under the new key were not taken from its flash"


def test_after_a_long_silence_a_birth_goes_before_the_rest(library, board, gateway):
    """The gateway extends 16 bits to the nearest number: after half of them have passed unheard it would take new
    messages for old ones, acknowledge them, and drop them.
    """
    node = Node(library, board, window_every=1, channels=3)
    node.step()
    gateway.answers = False
    for _ in range(100):
        node.step()
    for moment in range(8):  # whichever wake it comes back in, resends or fresh news alone
        gateway.received.clear()
        node.step()
        assert isinstance(gateway.received[0], Birth), moment
        assert isinstance(gateway.received[-1], Window)
    gateway.answers = True
    while node.flush():
        pass
    gateway.received.clear()
    node.step()
    assert [type(message) for message in gateway.received] == [Window]


def test_what_the_gateway_cannot_place_goes_out_again_behind_a_birth_in_the_same_wake(library, board, gateway):
    node = Node(library, board, window_every=1)
    node.step()
    gateway.answers = False
    for _ in range(3):
        node.step()
    waiting = {message.seq for message in gateway.received if isinstance(message, Window)} - {1}
    gateway.received.clear()

    def place(frame: bytes) -> None:
        gateway.take(frame)
        message = gateway.received[-1]
        born = bool(gateway.of(Birth))
        gateway.ack = {"birth_wanted": not born}
        gateway.acknowledge(message.seq if born else None)

    board.on_send = place
    node.step()
    first, again = gateway.received[0], gateway.received[-len(waiting) - 1 :]
    assert isinstance(first, Window), "nothing said that a Birth was wanted"
    assert len(gateway.of(Birth)) == 1
    assert waiting < {message.seq for message in again}
    assert node.flush() == 0


def test_a_gateway_that_can_never_place_it_costs_one_birth_and_one_resend_a_wake(library, board, gateway):
    node = Node(library, board, window_every=1)
    node.step()
    gateway.answers = False
    gateway.ack = {"birth_wanted": True}
    board.on_send = lambda frame: (gateway.take(frame), gateway.acknowledge(None))
    for _ in range(4):
        gateway.received.clear()
        node.step()
        assert len(gateway.of(Birth)) <= 2, "the one that waits, and once more in front of the resend"
        assert len(gateway.of(Window)) <= 2 * (node.flush() - 1)
        board.inbox.clear()


def test_a_base_of_nil_acknowledges_nothing_whatever_the_bitmap_says(library, board, gateway):
    gateway.answers = False
    node = Node(library, board)
    board.on_send = lambda frame: gateway.acknowledge(None, 2**32 - 1)
    node.step()
    board.on_send = lambda frame: None
    board.inbox.clear()
    assert node.flush() == 2


def test_a_flood_of_frames_keeps_nobody_awake(library, board, gateway):
    class Flood:
        frames = 0

        def __bool__(self) -> bool:
            return self.frames < 5000

        def popleft(self) -> bytes:
            self.frames += 1
            board.now_ms += self.frames % 2  # half a millisecond each: nothing, for a port that counts whole ones
            return b"\x83"

    node = Node(library, board, listen_ms=500, window_every=1)
    node.step()
    gateway.answers = False
    flood = board.inbox = Flood()
    node.step()
    assert flood.frames <= 1001


@pytest.mark.parametrize("fast", [-0.08, 0.08])
def test_a_node_whose_clock_is_off_keeps_its_schedule_in_the_gateways_time(library, board, gateway, fast):
    def gateway_ms() -> float:
        return board.now_ms / (1 + fast)

    node = Node(library, board, window_every=1, wake_ms=10000, heartbeat_ms=60000)
    wakes: list[float] = []
    beats: list[float] = []
    while gateway_ms() < 3_600_000:
        gateway.received.clear()
        gateway.ack = {"time_ms": 1790000000000 + int(gateway_ms())}
        wakes.append(gateway_ms())
        node.step()
        if gateway.of(Health):
            beats.append(wakes[-1])
    assert (wakes[-1] - wakes[-101]) / 100 == pytest.approx(10000, rel=0.01)
    assert (beats[-1] - beats[-11]) / 10 == pytest.approx(60000, rel=0.01)


def test_the_age_of_what_waited_is_in_the_gateways_time(library, board, gateway):
    node = Node(library, board, window_every=1)
    while board.now_ms < 1_800_000:
        gateway.ack = {"time_ms": 1790000000000 + board.now_ms * 100 // 109}
        node.step()
    gateway.answers = False
    gateway.received.clear()
    node.step()
    seq = gateway.received[0].seq
    board.now_ms += 1_090_000
    node.flush()
    resent = [message for message in gateway.received if message.seq == seq][-1]
    assert age.decode(resent.age) == pytest.approx(1_010_000, rel=0.035), "a step of the code is up to a sixteenth"


@pytest.mark.parametrize("jitter", [-40, 40])
def test_a_heartbeat_as_long_as_a_wake_comes_with_every_wake(library, board, gateway, jitter):
    node = Node(library, board, wake_ms=60000, heartbeat_ms=60000)
    for i in range(12):
        node.step()
        board.now_ms += jitter if i % 2 else -jitter
    uptimes = [health.uptime_s for health in gateway.of(Health)]
    assert max(b - a for a, b in pairwise(uptimes)) <= 61


def test_the_longest_sleep_is_not_taken_for_the_end(library, board, gateway):
    node = Node(library, board, wake_ms=core.NEVER - 1, listen_ms=0)
    gateway.answers = False
    for _ in range(2):
        assert node.step() < core.NEVER
    assert node.state == 0
