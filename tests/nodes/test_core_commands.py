"""What the gateway says to the node: commands, wishes, epochs."""

from __future__ import annotations

import pytest

from gateway.wire.messages import Birth, Command, Result
from tests.nodes import core_types as core
from tests.nodes.core_board import Node

IDENTIFY, SEND_BIRTH, SET_HEARTBEAT, SET_WAKE = 1, 2, 3, 4
DONE, UNKNOWN_KIND, REFUSED = 0, 1, 2


def run_command(node, gateway, command) -> list:
    before = len(gateway.received)
    gateway.mail = [command]
    gateway.ack = {"next_s": 1}
    for _ in range(3):
        gateway.handed_out.clear()
        node.step()
    gateway.ack = {}
    return gateway.received[before:]


@pytest.mark.parametrize(
    ("kind", "argument", "code"),
    [
        (IDENTIFY, None, DONE), (SEND_BIRTH, None, DONE), (SET_HEARTBEAT, 120, DONE), (SET_WAKE, 5000, DONE),
        (SET_HEARTBEAT, None, REFUSED), (SET_HEARTBEAT, 0, REFUSED), (SET_HEARTBEAT, 4294968, REFUSED),
        (SET_WAKE, 99, REFUSED), (SET_WAKE, 86400001, REFUSED), (255, 1, UNKNOWN_KIND),
        (0, None, UNKNOWN_KIND), (15, None, UNKNOWN_KIND), (10, 1001, REFUSED), (10, 0, DONE), (11, None, DONE),
        *((kind, None, REFUSED) for kind in (5, 6, 7, 8, 9, 12)),  # no learner
    ],
)  # fmt: skip
def test_a_command_is_answered(library, board, gateway, kind, argument, code):
    node = Node(library, board)
    run_command(node, gateway, Command(id=7, kind=kind, argument=argument))
    (result,) = gateway.of(Result)
    assert (result.id, result.code, result.detail) == (7, code, None)


def test_identify_and_birth_are_done_once(library, board, gateway):
    node = Node(library, board)
    run_command(node, gateway, Command(id=1, kind=IDENTIFY))
    run_command(node, gateway, Command(id=2, kind=SEND_BIRTH))
    assert board.identified == 1
    assert [b.last_command for b in gateway.of(Birth)] == [0, 2]


@pytest.mark.parametrize("reboot", [False, True])
def test_a_command_that_was_seen_is_answered_again_and_not_done_again(library, board, gateway, reboot):
    node = Node(library, board)
    run_command(node, gateway, Command(id=1, kind=99))
    run_command(node, gateway, Command(id=2, kind=IDENTIFY))
    if reboot:
        node.reboot()
    run_command(node, gateway, Command(id=2, kind=IDENTIFY))
    run_command(node, gateway, Command(id=1, kind=IDENTIFY))
    assert board.identified == 1
    assert [r.id for r in gateway.of(Result)] == [1, 2, 2, 1]
    assert gateway.of(Result)[2].code == DONE


def test_a_new_schedule_is_kept_announced_and_survives_a_reset(library, board, gateway):
    node = Node(library, board)
    run_command(node, gateway, Command(id=1, kind=SET_WAKE, argument=2000))
    run_command(node, gateway, Command(id=2, kind=SET_HEARTBEAT, argument=30))
    node.reboot()
    node.step()
    for birth in gateway.of(Birth)[-2:]:
        assert (birth.wake_ms, birth.heartbeat_ms, birth.last_command) == (2000, 30000, 2)
    assert node.step() <= 2000


def test_a_command_that_cannot_be_kept_is_not_done(library, board, gateway):
    node = Node(library, board, window_every=1)
    node.step()
    board.flash.cut = lambda old, new: old
    run_command(node, gateway, Command(id=1, kind=IDENTIFY))
    assert (board.identified, gateway.of(Result)) == (0, [])
    board.flash.cut = None
    run_command(node, gateway, Command(id=1, kind=IDENTIFY))
    assert (board.identified, len(gateway.of(Result))) == (1, 1)


def test_a_birth_is_sent_when_the_gateway_wants_one(library, board, gateway):
    node = Node(library, board, window_every=1)
    node.step()
    gateway.ack = {"birth_wanted": True}
    node.step()
    assert len(gateway.of(Birth)) == 2, "one more in the same wake, and not one for each Ack"


def test_a_higher_epoch_is_kept_before_anything_is_done_under_it(library, board, gateway):
    node = Node(library, board, window_every=1)
    node.step()
    gateway.epoch = 3
    board.flash.cut = lambda old, new: old
    run_command(node, gateway, Command(id=1, kind=IDENTIFY))
    assert (board.identified, gateway.of(Result)) == (0, []), "it could not be kept"
    board.flash.cut = None
    run_command(node, gateway, Command(id=1, kind=IDENTIFY))
    assert ("epoch", 3) in board.events
    assert board.identified == 1
    node.reboot()
    node.step()
    assert gateway.of(Birth)[-1].epoch == 3


def test_a_lower_epoch_is_refused_after_a_reboot_too(library, board, gateway):
    gateway.epoch = 2
    node = Node(library, board)
    node.step()
    node.reboot()
    gateway.epoch = 1
    board.events.clear()
    node.step()
    assert "acknowledged" not in [name for name, _ in board.events]
    assert ("refused", core.VERDICTS.index("bad_tag")) in board.events
