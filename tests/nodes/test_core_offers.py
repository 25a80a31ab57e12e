"""An image that comes through the node: offered, sent in chunks, verified, used after a restart."""

from __future__ import annotations

import ctypes
import hashlib

import pytest

from gateway.wire import image
from gateway.wire.messages import Chunk, Offer, Result
from tests.nodes import core_types as core
from tests.nodes import slot_flash
from tests.nodes.core_board import Node

DONE, REFUSED, FAILED, GO_ON = 0, 2, 3, 4
PAYLOAD = bytes(i * 7 % 251 for i in range(1000))
FILE = slot_flash.manifest(PAYLOAD, 5) + PAYLOAD
OFFER = Offer(9, slot_flash.FIRMWARE, len(PAYLOAD), hashlib.sha256(PAYLOAD).digest(), 5)


@pytest.fixture
def flash(board) -> slot_flash.Flash:
    flash = slot_flash.Flash()
    board.port.store = ctypes.addressof(flash.port)
    return flash


@pytest.fixture
def node(library, board, gateway, flash) -> Node:
    verify = ctypes.cast(library.ed25519_verify, ctypes.c_void_p)
    rules = core.ImageRules(board=slot_flash.BOARD, public_key=slot_flash.PUBLIC, verify=verify, running=-1)
    updates = ctypes.addressof(ctypes.c_char.in_dll(library, "NODE_UPDATES"))
    node = Node(library, board, heartbeat_ms=1, rules=ctypes.pointer(rules), updates=updates)
    node.step()
    return node


def say(node: Node, gateway, message: Offer | Chunk) -> tuple[int, int, int | None]:
    """Id, code and detail of the Result to it."""
    before = len(gateway.of(Result))
    gateway.send(message)
    while len(gateway.of(Result)) == before:
        node.step()
    result = gateway.of(Result)[before]
    return result.id, result.code, result.detail


def send(node: Node, gateway, file: bytes, wanted: int, end: int | None = None) -> tuple[int, int | None]:
    code, detail = GO_ON, wanted
    while code == GO_ON and detail is not None and detail < (end or len(file)):
        _, code, detail = say(node, gateway, Chunk(9, detail, file[detail : detail + 384]))
    return code, detail


def test_an_image_is_taken_and_used_after_a_restart_that_the_gateway_knows_of(library, board, gateway, flash, node):
    assert say(node, gateway, OFFER) == (9, GO_ON, 0)
    assert send(node, gateway, FILE, 0) == (DONE, None)
    while not board.ended:
        node.step()
    assert board.ended == ["restart"]
    assert slot_flash.Node(library, flash).boot() == 0
    node.reboot()
    node.step()
    assert gateway.received[-1] is not None
    assert node.state == 0


def test_after_a_reset_the_same_offer_goes_on_where_it_stopped(library, board, gateway, flash, node):
    say(node, gateway, OFFER)
    send(node, gateway, FILE, 0, end=400)
    node.reboot()
    assert say(node, gateway, Chunk(9, 768, FILE[768:]))[1:] == (REFUSED, None), "it does not remember the offer"
    _, code, wanted = say(node, gateway, OFFER)
    assert code == GO_ON and wanted is not None and wanted >= 384
    assert send(node, gateway, FILE, wanted) == (DONE, None)


def test_a_chunk_that_is_not_wanted_changes_nothing(library, board, gateway, flash, node):
    say(node, gateway, OFFER)
    assert say(node, gateway, Chunk(9, 384, FILE[384:768]))[1:] == (GO_ON, 0)
    assert say(node, gateway, Chunk(8, 0, FILE[:384])) == (8, REFUSED, None)
    assert send(node, gateway, FILE, 0) == (DONE, None)


def test_an_image_that_was_tampered_with_is_not_used(library, board, gateway, flash, node):
    say(node, gateway, OFFER)
    code, why = send(node, gateway, FILE[:-1] + b"\0", 0)
    assert (code, slot_flash.REPLIES[why or 0]) == (FAILED, "hash")
    assert board.ended == []
    assert slot_flash.Node(library, flash).boot() == -1


def test_an_image_whose_last_mark_was_cut_off_needs_no_piece_more(library, board, gateway, flash, node):
    say(node, gateway, OFFER)
    assert send(node, gateway, FILE, 0, end=768) == (GO_ON, 768)
    flash.power_up()
    flash.cut = slot_flash.TORN["not begun"]
    flash.cut_at = len(FILE[768:]) // 8 + 1  # the words that are left, and "complete"; then comes "active"
    _, code, why = say(node, gateway, Chunk(9, 768, FILE[768:]))
    assert (code, slot_flash.REPLIES[why or 0]) == (FAILED, "flash")
    flash.power_up()
    node.reboot()
    assert say(node, gateway, OFFER) == (9, DONE, None)
    assert slot_flash.Node(library, flash).boot() == 0


def test_an_old_offer_is_refused(library, board, gateway, flash, node):
    say(node, gateway, OFFER)
    assert say(node, gateway, OFFER._replace(id=1)) == (1, REFUSED, None)


def test_a_board_without_slots_or_rules_refuses(library, board, gateway):
    node = Node(library, board, heartbeat_ms=1)
    assert say(node, gateway, OFFER) == (9, REFUSED, None)
    assert say(node, gateway, Chunk(9, 0, b"x")) == (9, REFUSED, None)


def test_the_gateway_has_the_nodes_words_for_it():
    assert [reply.name.lower() for reply in image.Reply] == list(slot_flash.REPLIES)
    ours = image.manifest_for(slot_flash.BOARD.decode(), slot_flash.FIRMWARE, PAYLOAD, 5)
    assert ours.pack() == slot_flash.manifest(PAYLOAD, 5, key=None)
    assert image.Manifest.parse(FILE) == ours._replace(signature=FILE[64:128])
