"""core/update.c: an image in pieces. What is refused, by name; and power that fails at every single word."""

from __future__ import annotations

import ctypes

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.nodes.slot_flash import (
    ACCEPT,
    BAD,
    BLANK,
    COMPLETE,
    CONFIG,
    FIRMWARE,
    LEARNER,
    MODEL,
    PAGE,
    PUBLIC,
    REPLIES,
    SIZE,
    TORN,
    WORD,
    Flash,
    Node,
    manifest,
)  # fmt: skip

OLD = b"the image in use " * 9
NEW = bytes(range(256)) + b"\xff" * 40 + b"tail of it"
FILE = manifest(NEW, 8) + NEW


@pytest.fixture
def node(library) -> Node:
    node = Node(library, Flash())
    node.install(OLD, 7)
    return node


def untouched(node: Node) -> bool:
    """The slot that is not in use is as blank as before."""
    return all(word == BLANK for word in node.flash.words[node.slots.store, 1])


FORGER = Ed25519PrivateKey.from_private_bytes(bytes(32))
REFUSED = {
    "signature": manifest(NEW, 8, key=FORGER),
    "not_signed": manifest(NEW, 8, key=None),
    "other_board": manifest(NEW, 8, board=b"b-l475e-iot01b"),
    "other_slot": manifest(NEW, 8, slot=0),
    "other_store": manifest(NEW, 8, store=MODEL),
    "no_manifest": b"\x7fELF" + bytes(124),
}


@pytest.mark.parametrize("reply", REFUSED)
def test_refused_by_name_before_a_byte_is_erased(node, reply):
    assert node.send(REFUSED[reply] + NEW, 8) == reply
    assert untouched(node)
    assert node.boot() == 0


@pytest.mark.parametrize("bit", range(0, 512, 7))
def test_no_bit_of_what_is_signed_can_be_changed(node, bit):
    forged = bytearray(FILE)
    forged[bit // 8] ^= 1 << bit % 8
    assert node.send(bytes(forged), 8) in {*REFUSED, "too_large"}
    assert untouched(node)


def test_a_board_without_a_key_takes_nothing_signed(library):
    node = Node(library, Flash(), public_key=None)
    assert node.send(FILE, 8) == "signature"


@pytest.mark.parametrize("counter", [0, 6, 7])
def test_a_counter_that_is_not_higher_is_refused_with_the_offer(node, counter):
    assert node.offer(NEW, counter) == "counter"
    assert node.write(0, FILE[:200]) == "not_open"


def test_a_higher_counter_in_the_offer_than_in_the_manifest_is_no_way_round(node):
    assert node.offer(NEW, 9) == "ok"
    assert node.write(0, (manifest(NEW, 6) + NEW)[:200]) == "no_manifest"
    assert untouched(node)


def test_too_large_is_refused_with_the_offer_and_exactly_full_is_taken(library):
    room = SIZE - PAGE
    node = Node(library, Flash())
    assert node.offer(bytes(room + 1), 1) == "too_large"
    assert node.install(bytes(range(256)) * (room // 256), 1) == 0


def test_a_board_without_the_store_says_so(library):
    node = Node(library, Flash((FIRMWARE,)), CONFIG)
    assert node.offer(NEW, 8) == "no_store"


def test_truncated_is_refused(node):
    assert node.offer(NEW, 8) == "ok"
    assert node.finish() == "truncated"
    assert node.write(0, FILE[:-1]) == "ok"
    assert node.finish() == "truncated"
    assert not node.activate(1)


def test_other_bytes_than_were_signed_are_refused_and_erased(node):
    file = bytearray(FILE)
    file[300] ^= 1
    assert node.send(bytes(file), 8, offered=NEW) == "hash"
    assert untouched(node)
    assert node.send(FILE, 8) == "ok"


def test_the_board_has_the_last_word(library):
    asked = []

    def accept(_context, store, slot):
        asked.append((store, slot))
        return False

    node = Node(library, Flash(), MODEL, accept=ACCEPT(accept))
    assert node.send(manifest(NEW, 8, store=MODEL) + NEW, 8) == "self_test"
    assert asked == [(MODEL, 0)]
    assert COMPLETE not in node.marks(0)


def test_while_an_image_is_on_trial_no_other_is_taken(node):
    assert node.send(FILE, 8) == "ok"
    assert node.activate(1)
    assert node.offer(NEW, 9) == "unconfirmed"
    assert node.boot() == 1
    assert node.offer(NEW, 9) == "unconfirmed"
    assert node.confirm(1)
    assert node.offer(NEW, 9) == "ok"
    assert node.update.slot == 0


def test_bytes_that_are_not_wanted_next_change_nothing(node):
    assert node.offer(NEW, 8) == "ok"
    assert node.write(8, FILE[8:208]) == "offset"
    assert node.write(0, FILE[:100]) == "no_manifest", "the first piece holds the manifest whole"
    assert node.write(0, FILE[:200]) == "ok"
    assert node.update.wanted == 200
    assert node.write(0, FILE[:200]) == "offset", "said twice by a link that repeats"
    assert node.write(200, FILE[200:] + b"x") == "offset", "more than was offered"
    assert node.update.wanted == 200
    assert node.write(200, FILE[200:]) == "ok"
    assert node.finish() == "ok"


@given(pieces=st.lists(st.integers(8, 384), min_size=1, max_size=60), n=st.integers(1, 900))
@settings(max_examples=60)
def test_any_pieces_make_the_same_image(library, pieces, n):
    payload = bytes((i * 37 >> 2) & 255 for i in range(n))
    node = Node(library, Flash())
    file = manifest(payload, 1) + payload
    assert node.offer(payload, 1) == "ok"
    assert node.write(0, file[:130]) == "ok"
    turn = 0
    while node.update.wanted < len(file):
        wanted = node.update.wanted
        assert node.write(wanted, file[wanted : wanted + pieces[turn % len(pieces)]]) == "ok"
        assert node.update.wanted > wanted
        turn += 1
    assert node.finish() == "ok"
    assert b"".join(node.flash.words[FIRMWARE, 0][PAGE // WORD :])[:n] == payload


def test_a_transfer_goes_on_after_a_reset(node):
    assert node.offer(NEW, 8) == "ok"
    assert node.write(0, FILE[:248]) == "ok"
    again = Node(node.library, node.flash, running=0)
    assert again.offer(NEW, 8) == "ok"
    assert again.update.wanted == 240, "the last word that is there is asked for again"
    assert again.write(240, FILE[240:]) == "ok"
    assert again.finish() == "ok"


def test_another_offer_does_not_go_on_with_what_is_there(node):
    assert node.offer(NEW, 8) == "ok"
    assert node.write(0, FILE[:248]) == "ok"
    assert node.offer(NEW, 9) == "ok"
    assert node.update.wanted == 0
    other = manifest(NEW, 9) + NEW
    assert node.send(other, 9) == "ok"
    assert node.state(1).counter == 9


def test_a_complete_image_is_not_sent_twice(node):
    assert node.send(FILE, 8) == "ok"
    assert node.offer(NEW, 8) == "ok"
    assert node.update.wanted == len(FILE)
    assert node.finish() == "ok"
    assert node.flash.second_writes == 0


def attempt(node: Node) -> bool:
    """One life of the board: boot, and what is left to do for the new image. False: power has failed."""
    slot = node.boot()
    if node.flash.dead:
        return False
    assert slot >= 0, f"nothing to boot: {node.why}"
    if node.state(slot).counter == 8:
        return node.confirm(slot)
    if node.send(FILE, 8) != "ok" or not node.activate(node.update.slot):
        return False
    slot = node.boot()
    return not node.flash.dead and node.confirm(slot)


@pytest.mark.parametrize("torn", TORN)
def test_power_that_fails_at_any_word_leaves_an_image_that_boots(library, torn):
    """From the first erasure to the confirmation, at each word: afterwards a confirmed image boots, and the update
    comes to its end without anything written twice."""
    cut_at = 0
    while True:
        node = Node(library, Flash())
        node.install(b"before that", 6)
        node.install(OLD, 7)  # so that the slot that is written has to be erased
        node.flash.cut = TORN[torn]
        node.flash.power_up()
        node.flash.cut_at = cut_at
        if attempt(node):
            break  # there was no such word any more
        node.flash.power_up()
        assert node.proven(1) or node.proven(0), f"cut at {cut_at}"
        fresh = Node(library, node.flash)
        assert attempt(fresh), f"cut at {cut_at}: {fresh.why}"
        assert fresh.boot() == 0
        assert fresh.floor() == 8
        assert node.flash.second_writes == 0
        cut_at += 1
    assert cut_at > 50


@given(cuts=st.lists(st.tuples(st.integers(0, 70), st.sampled_from(sorted(TORN))), max_size=6))
@settings(max_examples=40, deadline=None)
def test_any_row_of_power_failures_ends_in_an_image_that_boots(library, cuts):
    flash = Flash()
    Node(library, flash).install(OLD, 7)
    for cut_at, torn in cuts:
        flash.power_up()
        flash.cut_at, flash.cut = cut_at, TORN[torn]
        attempt(Node(library, flash))
        flash.power_up()
        node = Node(library, flash)
        assert node.proven(0) or node.proven(1)
    node = Node(library, flash)
    for _ in range(4):  # spoilt words may make a trial fail; then the old one is in use
        if attempt(node):
            break
    assert node.boot() >= 0
    assert node.proven(node.boot())


@given(writes=st.lists(st.tuples(st.integers(0, 600), st.binary(max_size=200)), max_size=8), n=st.integers(0, 2000))
def test_hostile_pieces_never_make_an_image(library, writes, n):
    node = Node(library, Flash())
    node.offer(bytes(n), 1)
    for offset, data in writes:
        node.write(offset, data)
    assert node.finish() != "ok"
    assert node.boot() == -1


def test_every_reply_has_a_sentence_of_its_own(library):
    library.image_reply_text.restype = ctypes.c_char_p
    texts = {library.image_reply_text(code) for code in range(len(REPLIES))}
    assert len(texts) == len(REPLIES) and None not in texts
    assert library.image_reply_text(len(REPLIES)) == b"?"


def test_the_learner_may_keep_its_own_state_without_a_signature(library):
    node = Node(library, Flash(), LEARNER, unsigned_stores=1 << LEARNER, public_key=PUBLIC)
    assert node.install(b"state of the learner", 1, key=None) == 0
    assert node.install(b"and an hour later", 2, key=None) == 1
    assert BAD not in node.marks(0)
