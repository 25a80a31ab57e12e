"""Records and slots in the flash of the L4 port, with the power cut at every write: the record that stands is the old
one or the new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from ctypes import c_uint32, create_string_buffer

import pytest

from tests.nodes.stm32_bench import POWER_CUT, Bench

FLASH, PAGE, RECORD = 0x0800_0000, 0x800, 40
NO_CUT = 0xFFFF_FFFF
STORES = {0: 0x10000, 1: 0x1000, 2: 0x2000, 3: 0x58000}  # model, configuration, learner, firmware
SLOTS = [(store, slot) for store in STORES for slot in (0, 1)]


@pytest.fixture
def bench(node_build) -> Iterator[Bench]:
    bench = Bench(node_build)
    yield bench.start()
    bench.close()


def rebooted(bench: Bench) -> Bench:
    bench.fault("cut", NO_CUT)
    return bench.reset(1 << 27).start()


def cut_at(bench: Bench, operation: int, seed: int) -> None:
    """The power goes in the midst of an operation of the flash, counted from here."""
    bench.fault("cut", operation)
    bench.fault("seed", seed)


@pytest.mark.parametrize("seed", range(12))
def test_a_record_is_the_old_or_the_new_one_wherever_the_power_goes(bench: Bench, seed: int) -> None:
    assert bench.call("ceiling_provision") == 1
    standing, cuts, survived = 0, 0, {"old": 0, "new": 0}
    for number in range(1, 400):  # a page takes 51 records: every slot is erased on the way, in the midst of cuts
        cut_at(bench, (number * 7 + seed) % 8, seed * 1000 + number)
        result = bench.call("ceiling_keep", number)
        if result == POWER_CUT:
            cuts += 1
            found = rebooted(bench).call("ceiling_open")
            assert found in (standing, number)
            survived["new" if found == number else "old"] += 1
            standing = found
        else:
            assert result == 1
            standing = number
        assert bench.call("ceiling_open") == standing
    assert cuts > 50
    assert min(survived.values()) > 5
    assert bench.seen("erases") > 4


def test_a_provisioning_that_is_cut_short_leaves_no_record_or_a_first_one(bench: Bench) -> None:
    for operation in range(10):
        for seed in range(6):
            for page in (0x7F000, 0xFF000):
                assert bench.call("record_erase", c_uint32(FLASH + page)) == 1
            cut_at(bench, operation, seed)
            assert bench.call("ceiling_provision") == POWER_CUT
            assert rebooted(bench).call("ceiling_open") in (-1, 0)
            assert bench.call("ceiling_provision") == 1
            assert bench.call("ceiling_open") == 0


def test_records_are_appended_and_a_full_page_is_erased(bench: Bench) -> None:
    out = create_string_buffer(RECORD)
    for number in range(200):
        record = bytes([number, *range(1, RECORD)])
        assert bench.call("record_write", number % 2, record) == 1
        assert bench.call("record_read", number % 2, out) == 1
        assert out.raw == record
    assert bench.seen("erases") == 2  # 51 in a page, 100 in each slot
    assert bench.seen("programs") == 200 * RECORD // 8
    assert bench.seen("program_errors") == 0


def test_a_slot_never_written_has_no_record(bench: Bench) -> None:
    out = create_string_buffer(b"x" * RECORD, RECORD)
    assert bench.call("record_read", 1, out) == 1
    assert out.raw == bytes(RECORD)


def test_a_torn_word_is_an_interrupt_and_then_a_failed_read(bench: Bench) -> None:
    torn = 0
    for seed in range(20):
        assert bench.call("store_erase", 1, 0) == 1
        cut_at(bench, 2, seed)
        assert bench.call("store_write", 1, 0, 64, bytes(range(40)), 40) == POWER_CUT
        rebooted(bench)
        assert bench.store_read(1, 0, 64, 16) == bytes(range(16))
        assert bench.store_read(1, 0, 88, 16) == b"\xff" * 16
        before = bench.seen("ecc_errors")
        word = bench.store_read(1, 0, 80, 8)
        assert word in (None, b"\xff" * 8, bytes(range(16, 24)))
        assert (word is None) == (bench.seen("ecc_errors") > before)
        if word is None:
            torn += 1
            assert bench.call("store_write", 1, 0, 80, bytes(range(1, 9)), 8) == 0  # it takes no second write
    assert torn > 3
    assert bench.seen("unhandled") == 0
    assert bench.call("store_erase", 1, 0) == 1
    assert bench.store_read(1, 0, 0, 256) == b"\xff" * 256


def test_a_word_is_written_once_and_whole(bench: Bench) -> None:
    assert bench.call("store_write", 2, 1, 8, b"abcdefgh", 8) == 1
    assert bench.call("store_write", 2, 1, 8, b"ABCDEFGH", 8) == 0
    assert bench.call("store_write", 2, 1, 12, b"ABCDEFGH", 8) == 0
    assert bench.call("store_write", 2, 1, 16, b"ABCD", 4) == 0
    assert bench.store_read(2, 1, 0, 24) == b"\xff" * 8 + b"abcdefgh" + b"\xff" * 8
    assert bench.call("store_write", 2, 1, 16, b"IJKLMNOP", 8) == 1  # an error of before is forgotten


def test_no_slot_lies_in_another_or_in_the_records(bench: Bench) -> None:
    record = bytes(range(RECORD))
    for slot in range(2):
        assert bench.call("record_write", slot, record) == 1
    for number, (store, slot) in enumerate(SLOTS):
        size, pattern = STORES[store], bytes([number]) * 8
        for at in (0, size // 2, size - 8):
            assert bench.call("store_write", store, slot, at, pattern, 8) == 1
        assert bench.call("store_write", store, slot, size, pattern, 8) == 0
        assert bench.call("store_write", store, slot, size - 8, pattern * 2, 16) == 0
    for number, (store, slot) in enumerate(SLOTS):
        size = STORES[store]
        for at in (0, size // 2, size - 8):
            assert bench.store_read(store, slot, at, 8) == bytes([number]) * 8
        assert bench.store_read(store, slot, size - 8, 16) is None
        assert bench.call("store_erase", store, slot) == 1
        assert bench.store_read(store, slot, 0, size) == b"\xff" * size
    out = create_string_buffer(RECORD)
    for slot in range(2):
        assert bench.call("record_read", slot, out) == 1
        assert out.raw == record
