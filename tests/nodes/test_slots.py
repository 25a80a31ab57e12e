"""core/slots.c: two slots that take turns, through power cuts at every word."""

from __future__ import annotations

from ctypes import byref

import pytest

from tests.nodes.slot_flash import (
    ACTIVE,
    BAD,
    COMPLETE,
    CONFIRMED,
    FIRMWARE,
    LEARNER,
    MODEL,
    PAGE,
    TORN,
    WORD,
    Flash,
    Node,
    manifest,
)  # fmt: skip

OLD = b"the image in use " * 9
NEW = b"the image that is to come" * 11


@pytest.fixture
def node(library) -> Node:
    return Node(library, Flash())


def staged(node: Node, payload: bytes = NEW, counter: int = 8) -> int:
    """A newer image is complete and active, and not yet booted."""
    assert node.send(manifest(payload, counter, store=node.slots.store) + payload, counter) == "ok"
    assert node.activate(node.update.slot)
    return node.update.slot


def test_an_empty_store_has_nothing_to_take(node):
    assert node.active() == -1
    assert node.boot() == -1
    assert not node.roll_back()
    assert node.floor() == 0


def test_images_take_turns_and_the_newest_is_in_use(node):
    slots = [node.install(bytes([counter]) * 100, counter) for counter in (3, 4, 9)]
    assert slots == [0, 1, 0]
    assert node.active() == node.boot() == 0
    assert node.floor() == 9
    assert node.flash.second_writes == 0


def test_one_image_alone_is_never_given_up_however_often_it_boots(node):
    payload = b"alone"
    assert node.send(manifest(payload, 1) + payload, 1) == "ok"
    assert node.boot() == -1, "complete is not active"
    assert node.activate(0)
    assert [node.boot() for _ in range(8)] == [0] * 8
    assert BAD not in node.marks(0)


def test_one_image_alone_that_cannot_be_read_for_once_is_not_given_up(node):
    payload = b"alone"
    assert node.send(manifest(payload, 1) + payload, 1) == "ok"
    assert node.activate(0)
    words = node.flash.words[FIRMWARE, 0]
    there, words[PAGE // WORD] = words[PAGE // WORD], None
    assert node.boot() == -1
    assert node.why[0] == "hash"
    words[PAGE // WORD] = there
    assert node.boot() == 0


def test_an_image_that_is_not_confirmed_has_three_tries(node):
    old = node.install(OLD, 7)
    new = staged(node)
    assert [node.boot() for _ in range(3)] == [new] * 3
    assert node.boot() == old
    assert node.why[new] == "unconfirmed"
    assert BAD in node.marks(new)
    assert node.floor() == 7, "what was never confirmed burns no counter"


def test_a_confirmed_image_has_boots_without_end(node):
    node.install(OLD, 7)
    new = staged(node)
    assert node.boot() == new and node.confirm(new)
    assert [node.boot() for _ in range(10)] == [new] * 10


def test_a_confirmed_image_that_has_rotted_gives_way_to_the_other(node):
    old = node.install(OLD, 7)
    new = node.install(NEW, 8)
    node.flash.words[FIRMWARE, new][PAGE // WORD] = b"\0" * 8
    assert node.boot() == old
    assert node.why[new] == "hash"
    assert node.send(manifest(NEW, 9) + NEW, 9) == "ok", "and is written over by the next one"
    assert node.update.slot == new


def test_rolled_back_is_the_other_one_and_the_counter_stays_burnt(node):
    old = node.install(OLD, 7)
    node.install(NEW, 8)
    assert node.roll_back()
    assert node.boot() == old
    assert node.floor() == 8
    assert not node.roll_back(), "there is nothing behind it"
    assert node.offer(b"again", 8) == "counter"


def test_the_floor_outlives_the_slot_that_it_stood_in(node):
    node.install(OLD, 7)
    new = node.install(NEW, 8)
    assert node.roll_back() and node.boot() != new
    file = manifest(b"half of it" * 20, 9) + b"half of it" * 20
    assert node.offer(file[128:], 9) == "ok"
    assert node.write(0, file[:160]) == "ok"  # slot `new` is erased by now, with its counter 8
    assert not node.state(new).marked[CONFIRMED]
    assert node.floor() == 8
    assert node.offer(NEW, 8) == "counter"


def test_between_a_roll_back_and_its_restart_the_only_good_image_is_not_written_over(node):
    node.install(OLD, 7)
    node.install(NEW, 8)
    assert node.roll_back()
    assert node.offer(b"newer", 9) == "unconfirmed"
    assert node.boot() == 0
    assert node.offer(b"newer", 9) == "ok"
    assert node.update.slot == 1


def test_confirming_what_was_never_activated_means_nothing(node):
    payload = b"idle"
    assert node.send(manifest(payload, 1) + payload, 1) == "ok"
    assert not node.confirm(0)
    assert not node.confirm(1)
    assert not node.activate(1)


def test_an_older_image_is_not_activated_over_a_newer_one(node):
    old = node.install(OLD, 7)
    node.install(NEW, 8)
    node.library.slots_erase(byref(node.slots), old)
    file = manifest(OLD, 7) + OLD
    assert node.library.slots_write_manifest(byref(node.slots), old, file[:128])
    assert node.library.slots_mark(byref(node.slots), old, COMPLETE)
    assert not node.activate(old)


@pytest.mark.parametrize("torn", TORN)
@pytest.mark.parametrize("mark", [ACTIVE, CONFIRMED, BAD, COMPLETE])
def test_a_torn_mark_is_not_said_or_said_and_can_be_said_again(node, torn, mark):
    node.flash.cut = TORN[torn]
    done = torn == "done, and not told"
    for spoiled in range(3):  # one spare word after the other
        node.flash.power_up()
        node.flash.cut_at = 0
        assert node.library.slots_mark(byref(node.slots), 1, mark) == (done and spoiled > 0)
        node.flash.power_up()
        assert (mark in node.marks(1)) == done
    assert node.library.slots_mark(byref(node.slots), 1, mark)
    assert node.marks(1) == {mark}
    assert node.flash.second_writes == 0


@pytest.mark.parametrize("torn", TORN)
def test_power_that_fails_at_any_word_of_a_boot_leaves_a_way_on(library, torn):
    """The tries of an image, cut off at each of its words, end: the old image is in use, or the new one is."""
    for cut_at in range(4):
        node = Node(library, Flash())
        old = node.install(OLD, 7)
        staged(node)
        node.flash.cut = TORN[torn]
        node.flash.power_up()
        node.flash.cut_at = cut_at
        for _ in range(8):
            node.boot()
            if node.flash.dead:
                node.flash.power_up()
                assert node.proven(old)
        assert node.boot() == old
        assert node.flash.second_writes == 0


def test_a_flash_that_takes_no_try_is_not_left_trying(node):
    """The try could not be counted: the boot goes to the confirmed image rather than round and round."""
    old = node.install(OLD, 7)
    staged(node)
    node.flash.cut_at = node.flash.operations
    assert node.flash.port.write  # it fails from here on, reading goes on
    node.flash._fails = lambda: True
    assert node.boot() == old


@pytest.mark.parametrize("store", [MODEL, LEARNER])
def test_stores_are_apart(library, store):
    flash = Flash()
    one = Node(library, flash, store)
    other = Node(library, flash, FIRMWARE)
    one.install(OLD, 5)
    assert other.active() == -1 and other.floor() == 0


def test_a_store_that_takes_unsigned_images_takes_them_and_firmware_never(library):
    flash = Flash()
    unsigned = manifest(OLD, 5, store=LEARNER, key=None) + OLD
    assert Node(library, flash, LEARNER, unsigned_stores=0xFF).send(unsigned, 5) == "ok"
    assert Node(library, flash, LEARNER, unsigned_stores=0).send(unsigned, 6) != "ok"
    firmware = manifest(OLD, 5, key=None) + OLD
    assert Node(library, flash, FIRMWARE, unsigned_stores=0xFF).send(firmware, 5) == "not_signed"


def test_an_image_that_is_not_confirmed_in_time_is_overdue(node):
    node.install(OLD, 7)
    assert not node.overdue(10**9, 600_000), "what is confirmed has all the time there is"
    new = staged(node)
    assert node.boot() == new
    assert not node.overdue(600_000, 600_000)
    assert node.overdue(600_001, 600_000)
    assert node.confirm(new)
    assert not node.overdue(600_001, 600_000)
