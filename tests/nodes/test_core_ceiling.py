"""Numbers that never repeat: through power cuts at every write, torn writes, rot, and reboots without memory."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_uint32

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.nodes import core_types as core
from tests.nodes.core_board import Board, Flash

TEARS = {
    "nothing of it": lambda old, new: old,
    "the first half": lambda old, new: new[:20] + old[20:],
    "all but a byte": lambda old, new: new[:-1] + old[-1:],
    "garbage": lambda old, new: b"\xa5" * len(new),
    "erased": lambda old, new: b"\xff" * len(new),
    "all of it, unreported": lambda old, new: new,
}


class Numbers:
    """A ceiling and the flash below it; remembers every number it was ever given."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library
        for name in ("provision", "open", "take_partial_iv", "take_seq", "exhausted", "keep", "settle"):
            getattr(library, f"ceiling_{name}").restype = ctypes.c_bool
        self.flash = Flash()
        self.board = Board(self.flash)
        self.ceiling = core.Ceiling()
        self.partial_ivs: list[int] = []
        self.seqs: list[int] = []
        self.covered: set[int] = set()  # message numbers used, or said to be skipped
        self.port = byref(self.board.port)
        assert library.ceiling_provision(self.port)

    def boot(self) -> bool:
        self.flash.cut = None
        self.ceiling = core.Ceiling()
        if not self.library.ceiling_open(byref(self.ceiling), self.port):
            return False
        first = self.ceiling.next_seq
        self.covered.update(range(first - self.ceiling.skipped, first))
        return True

    def take(self, n: int) -> bool:
        number = c_uint32()
        for _ in range(n):
            if not self.library.ceiling_take_partial_iv(byref(self.ceiling), self.port, byref(number)):
                return False
            self.partial_ivs.append(number.value)
            if not self.library.ceiling_take_seq(byref(self.ceiling), self.port, byref(number)):
                return False
            self.seqs.append(number.value)
            self.covered.add(number.value)
        return True

    def keep(self, **fields: int) -> bool:
        record = core.Record.from_buffer_copy(self.ceiling.record)
        for name, value in fields.items():
            setattr(record, name, value)
        self.library.ceiling_keep.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(core.Record)]
        return self.library.ceiling_keep(ctypes.addressof(self.ceiling), self.port, byref(record))

    def settle(self) -> bool:
        return self.library.ceiling_settle(byref(self.ceiling), self.port)

    def check(self) -> None:
        assert all(a < b for a, b in zip(self.partial_ivs, self.partial_ivs[1:], strict=False))
        assert all(a < b for a, b in zip(self.seqs, self.seqs[1:], strict=False))
        if self.seqs:
            assert self.covered >= set(range(self.seqs[-1])), "a number is missing that no Birth explains"


def test_the_first_number_is_0_and_is_durable_before_it_is_given(library):
    numbers = Numbers(library)
    assert numbers.boot()
    writes = numbers.flash.writes
    assert numbers.take(1)
    assert (numbers.partial_ivs, numbers.seqs) == ([0], [0])
    assert numbers.flash.writes == writes + 1
    assert numbers.ceiling.record.partial_iv_ceiling == core.BLOCK


def test_a_reboot_starts_at_the_ceiling_and_says_what_it_skipped(library):
    numbers = Numbers(library)
    numbers.boot()
    numbers.take(5)
    numbers.boot()
    assert numbers.ceiling.skipped == core.BLOCK
    numbers.take(1)
    assert (numbers.partial_ivs[-1], numbers.seqs[-1]) == (core.BLOCK, core.BLOCK)


def test_an_orderly_stop_skips_nothing(library):
    numbers = Numbers(library)
    numbers.boot()
    numbers.take(5)
    assert numbers.settle()
    assert numbers.boot()
    assert numbers.ceiling.skipped == 0
    numbers.take(1)
    assert numbers.seqs == [0, 1, 2, 3, 4, 5]
    numbers.check()


@pytest.mark.parametrize("tear", TEARS.values(), ids=TEARS)
@pytest.mark.parametrize("used", [0, 1, 1023, 1024, 1025, 3000])
def test_a_cut_in_any_write_repeats_nothing(library, used, tear):
    numbers = Numbers(library)
    numbers.boot()
    numbers.take(used)
    numbers.flash.cut = tear
    assert not numbers.take(core.BLOCK + 1), "a number was given although its ceiling could not be kept"
    assert numbers.boot(), "the other slot must still be valid"
    numbers.take(10)
    numbers.check()


@pytest.mark.parametrize("slot", [0, 1])
@pytest.mark.parametrize("settled", [False, True])
def test_a_slot_that_rots_repeats_nothing(library, slot, settled):
    numbers = Numbers(library)
    for _ in range(4):
        assert numbers.boot()
        numbers.take(1500)
        if settled:
            numbers.settle()
        rotten = bytearray(numbers.flash.slots[slot])
        rotten[7] ^= 0x10
        numbers.flash.slots[slot] = bytes(rotten)
    numbers.check()


@pytest.mark.parametrize("rotten", [0, 1])
@pytest.mark.parametrize("tear", TEARS.values(), ids=TEARS)
@pytest.mark.parametrize("used", [1, 1100])
def test_a_torn_write_and_later_rot_repeat_nothing(library, used, tear, rotten):
    numbers = Numbers(library)
    numbers.boot()
    numbers.take(used)
    numbers.flash.cut = tear
    numbers.take(core.BLOCK + 1)
    numbers.boot()
    numbers.take(10)
    numbers.flash.slots[rotten] = b"\xa5" * core.RECORD_SIZE
    assert numbers.boot()
    numbers.take(10)
    numbers.check()


@pytest.mark.parametrize("content", [bytes(40), b"\xff" * 40, b"\xa5" * 40])
def test_without_a_valid_slot_there_are_no_numbers(library, content):
    numbers = Numbers(library)
    numbers.flash.slots = [content, content]
    assert not numbers.boot()


def test_a_record_of_another_version_is_not_read(library):
    numbers = Numbers(library)
    for slot, record in enumerate(numbers.flash.slots):
        body = record[:31] + b"\x02" + record[32:36]
        library.crc32.restype = c_uint32
        numbers.flash.slots[slot] = body + library.crc32(body, ctypes.c_size_t(36)).to_bytes(4, "little")
    assert not numbers.boot()


def test_the_last_number_is_the_end(library):
    numbers = Numbers(library)
    numbers.boot()
    numbers.ceiling.next_partial_iv = numbers.ceiling.next_seq = 0xFFFF_FFFD
    numbers.ceiling.record.partial_iv_ceiling = numbers.ceiling.record.seq_ceiling = 0xFFFF_FFFD
    assert numbers.take(1)
    assert not numbers.take(1)
    assert library.ceiling_exhausted(byref(numbers.ceiling))
    assert numbers.boot()
    assert not numbers.take(1)


OPERATIONS = st.one_of(
    st.tuples(st.just("take"), st.integers(1, 1500)),
    st.tuples(st.just("keep"), st.integers(1, 2**32 - 1)),
    st.tuples(st.sampled_from(["boot", "settle and boot"]), st.just(0)),
    st.tuples(st.just("cut"), st.sampled_from(sorted(TEARS))),
    st.tuples(st.just("rot, then boot"), st.integers(0, 1)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(OPERATIONS, max_size=12))
@example([("take", 1), ("rot, then boot", 0), ("cut", "erased"), ("take", 1), ("take", 1)])
def test_nothing_repeats_whatever_happens(library, operations):
    numbers = Numbers(library)
    numbers.boot()
    kept = 0
    for name, argument in operations:
        match name:
            case "take":
                alive = numbers.take(argument)
            case "keep":
                alive = numbers.keep(last_command=argument)
                kept = argument if alive else numbers.ceiling.record.last_command
            case "settle and boot":
                alive = numbers.settle() and numbers.boot()
            case "cut":
                numbers.flash.cut = TEARS[argument]
                alive = True
            case "rot, then boot":
                numbers.flash.slots[argument] = b"\xa5" * 40
                alive = numbers.boot()
                kept = numbers.ceiling.record.last_command
            case _:
                alive = numbers.boot()
        if not alive and not numbers.boot():
            return  # both slots gone: it refuses, for good
        if numbers.flash.cut is None and alive:
            assert numbers.ceiling.record.last_command == kept
        kept = numbers.ceiling.record.last_command
    numbers.check()
