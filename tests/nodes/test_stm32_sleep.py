"""Stop 2, Shutdown, clocks, time and watchdog of the L4 port, on the fake of its registers.

What the fake was read against once more, section by section of RM0351, and does as it says there:

- PWR: LPMS (Stop 0 to 2, Standby, Shutdown), LPR and REGLPF, which lags behind it, VOS with its forbidden values and
  the wait states of either range; WUF and SCR; which clock runs after Stop 2; PVD.
- RCC: reset flags and RMVF, OBL and power resets; ready flags; clocks of peripherals; the backup domain and its reset.
- RTC: keys, and what they do not protect (flags, backup registers); INITF and WUTWF two cycles late; WUTR and WUCKSEL
  only while WUTWF is up; WUCKSEL 1xx on the calendar's beat, 11x with 2^16; shadow registers and BYPSHAD.
- EXTI: line 20 rises with WUTF, which must fall before it rises again; direct lines in IMR.
- FLASH: keys, and the lock that a wrong one leaves; 64 bits a word, once, or all zeros; PROGERR, PGAERR, PGSERR, and
  that an error stands in the way of the next operation; page and bank; option bytes; ECC and its interrupt. SIZERR
  cannot come about: registers are written by words here.
- DMA: CSELR, the direction and sizes of a channel, MINC, and that a channel that is on takes no new address or count.
- I2C: AUTOEND, repeated START, NACK of address or byte with the STOP behind it, TIMEOUTR, TIMINGR before PE.
- USART, LPUART: what each makes of BRR, and what is heard at another rate; overrun and framing errors.
- IWDG: its key, PVU and RVU, what it counts before PR is set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.nodes import stm32_bench
from tests.nodes.stm32_bench import COMPUTE, OPTIONS_LOADED, RADIO, REASONS, SENSE, SHUT_DOWN, WATCHDOG, Bench

RCC, PWR, RTC, EXTI, DMA1, USART1 = 0x40021000, 0x40007000, 0x40002800, 0x40010400, 0x40020000, 0x40013800
DBGMCU_CR, OPTR = 0xE0042004, 0x40022020
BACKUP = RTC + 0x50  # stored, refused, last refusal


@pytest.fixture
def bench(node_build) -> Iterator[Bench]:
    bench = Bench(node_build)
    yield bench
    bench.close()


def test_stop_2_lasts_as_long_as_asked_and_leaves_nothing_that_would_prevent_the_next(bench: Bench) -> None:
    bench.start()
    for ms in (100, 1000, 25_000, 100, 10):
        began = bench.now_us
        assert bench.stop2(ms) == "entered"
        assert bench.now_us - began == pytest.approx(ms * 1000, abs=1000)
    assert bench.seen("stop2") == 5
    assert bench.seen("stop1") == bench.seen("stop_ignored") == bench.seen("unhandled") == 0


def still_sending(bench: Bench) -> None:
    bench.poke(USART1, 1 | 1 << 3)
    bench.poke(RCC, bench.peek(RCC) & ~(1 << 8))  # its clock stops with bits still to go
    bench.poke(USART1 + 0x28, 0x55)


HINDRANCES: dict[str, Callable[[Bench], object]] = {
    "low_power_run": lambda bench: bench.call("pace", SENSE),
    "exti_pending": lambda bench: bench.call("exti", 1 << 13),
    "wake_flag": lambda bench: bench.call("rtc_flags", 1 << 8),
    "interrupt": lambda bench: bench.call("nvic", 60),
    "rtc_busy": lambda bench: bench.call("rtc_flags", 1 << 3),
    "no_wake": lambda bench: bench.poke(EXTI, 0),
    "debug": lambda bench: bench.poke(DBGMCU_CR, 2),
    "flash_busy": lambda bench: bench.call("flash_busy", 50_000),
    "dma": lambda bench: bench.poke(DMA1 + 8 + 20 * 2, 1),
    "transmitting": still_sending,
    "measuring": lambda bench: bench.poke(RCC + 0x4C, bench.peek(RCC + 0x4C) | 1 << 13),
    "is_reset": lambda bench: bench.fault("options", 1 << 12),
    "clock_kept": lambda bench: bench.poke(RCC, bench.peek(RCC) | 1 << 9),
    "sleepdeep_lost": lambda bench: bench.fault("sleepdeep"),
    "ignored": lambda bench: bench.fault("late lines", 1 << 5),
}
BEYOND_CURE = {"rtc_busy", "transmitting", "is_reset", "sleepdeep_lost"}  # as they are provoked here
CURED_BEFORE = {"low_power_run"}  # time_sleep changes the core's clock


def test_every_refusal_is_provoked_here() -> None:
    assert {"entered", *HINDRANCES} == set(REASONS)


@pytest.mark.parametrize("reason", HINDRANCES)
def test_what_prevents_stop_2_is_refused_by_name_and_counted(bench: Bench, reason: str) -> None:
    bench.start()
    HINDRANCES[reason](bench)
    began = bench.now_us
    assert bench.stop2(1000) == reason
    assert bench.now_us - began < 10_000
    assert bench.seen("stop2") == bench.seen("stop1") == bench.seen("stop_debug") == 0
    assert (bench.peek(BACKUP + 4), bench.peek(BACKUP + 8)) == (1, REASONS.index(reason))
    if reason not in BEYOND_CURE:
        bench.call("cure", REASONS.index(reason))
        again = bench.stop2(1000)
        if reason == "ignored":  # what it was has a name by now
            assert again == "exti_pending"
            bench.call("cure", REASONS.index(again))
            again = bench.stop2(1000)
        assert again == "entered"


def test_a_wake_up_pins_flag_is_a_wake_flag(bench: Bench) -> None:
    bench.start()
    bench.poke(PWR + 0x10, 1)
    assert bench.stop2(1000) == "wake_flag"
    bench.call("cure", REASONS.index("wake_flag"))
    assert bench.stop2(1000) == "entered"


def test_the_chip_itself_passes_over_a_stop_with_a_line_pending_and_says_nothing(bench: Bench) -> None:
    """The fake does, as the manual says; the port's own look before is what this stands against."""
    bench.start()
    bench.call("exti", 1 << 13)
    began = bench.now_us
    assert bench.call("wfi") == 0
    assert (bench.seen("stop_ignored"), bench.seen("stop2")) == (1, 0)
    assert bench.now_us - began < 10
    bench.poke(EXTI + 0x14, 1 << 13)
    bench.poke(PWR, bench.peek(PWR) | 1 << 14)
    bench.poke(RTC + 0x24, 0xCA)
    bench.poke(RTC + 0x24, 0x53)
    bench.poke(RTC + 0x14, 2047)
    bench.poke(RTC + 8, 1 << 10 | 1 << 14)
    assert bench.call("wfi") == 0
    assert (bench.seen("stop1"), bench.seen("stop2")) == (1, 0)


@pytest.mark.parametrize("reason", HINDRANCES)
def test_a_sleep_lasts_whatever_stands_in_the_way_and_the_counters_name_it(bench: Bench, reason: str) -> None:
    bench.start()
    HINDRANCES[reason](bench)
    began, woken = bench.now_us, bench.seen("stop2")
    assert bench.call("sleep", 10_000) == 0
    assert (bench.stops(reason) > 0) == (reason not in CURED_BEFORE)
    assert bench.seen("stop2") - woken == bench.stops("entered")
    assert (bench.stops("entered") > 0) == (reason not in BEYOND_CURE)
    assert bench.now_us - began == pytest.approx(10_000_000, abs=5000)


def test_time_goes_on_in_sleep_through_leap_years_and_resets(bench: Bench) -> None:
    bench.fault("watchdog sleeps")
    bench.start()
    began, days = bench.now_us, 49
    for _ in range(5 * 366 // days):
        assert bench.call("sleep", days * 86_400_000) == 0
        assert bench.now_ms == pytest.approx((bench.now_us - began) / 1000, abs=3)
        bench.reset(1 << 28).start()
        assert bench.now_ms == pytest.approx((bench.now_us - began) / 1000, abs=3)
    assert bench.seen("stop2") < 60_000  # an hour at a time


def test_without_its_crystal_the_clock_runs_from_lsi(bench: Bench) -> None:
    bench.fault("crystal")
    bench.start()
    began, then = bench.now_us, bench.now_ms
    assert bench.call("sleep", 60_000) == 0
    assert bench.now_us - began == pytest.approx(60_000_000, abs=5000)
    assert bench.now_ms - then == pytest.approx(60_000, abs=5)


@pytest.mark.parametrize(("flag", "cause"), [(26, 1), (28, 2), (25, 2), (29, 3), (30, 3), (27, 4), (31, 5)])
def test_the_cause_of_a_reset_is_told_once(bench: Bench, flag: int, cause: int) -> None:
    assert bench.call("reset_cause") == 0  # power on
    assert bench.start().call("reset_cause") == 2  # options loaded anew
    assert bench.reset(1 << flag).call("reset_cause") == cause
    assert bench.reset(1 << 28).call("reset_cause") == 2


def test_who_wakes_a_board_from_storage_is_not_taken_for_a_fall_of_the_supply(bench: Bench) -> None:
    bench.start().call("reset_cause")
    assert bench.call("shutdown") == SHUT_DOWN
    assert bench.reset(1 << 27).call("reset_cause") == 1  # the way out of Shutdown is a power reset
    assert bench.reset(1 << 27).call("reset_cause") == 4


def test_the_watchdog_bites_who_hangs_and_nobody_who_sleeps(bench: Bench) -> None:
    bench.start()
    assert bench.call("sleep", 3_600_000) == 0
    assert bench.seen("stop2") == 3_600_000 // 13_000 + 1
    assert bench.call("passes", 13_000_000) == 0
    assert bench.call("passes", 25_000_000) == WATCHDOG


def test_storage_is_shutdown_and_the_backup_domain_knows(bench: Bench) -> None:
    bench.start()
    bench.poke(PWR + 0x10, 2)  # somebody has pressed the button before
    bench.call("pace", SENSE)
    assert bench.call("shutdown") == SHUT_DOWN
    assert bench.seen("shutdown") == 1
    assert bench.reset(1 << 26).peek(BACKUP) == int.from_bytes(b"STOR", "big")


def test_the_level_of_brown_out_is_written_once(bench: Bench) -> None:
    before = bench.peek(OPTR)
    assert bench.call("start") == OPTIONS_LOADED
    assert bench.reset().peek(OPTR) == (before & ~0x700) | 0x100
    assert bench.call("start") == 1
    assert bench.call("brown_out") == 1


def test_the_supply_is_measured_and_watched(bench: Bench) -> None:
    bench.start()
    for mv in (3300, 2900, 2100):
        bench.fault("supply", mv)
        assert bench.call("supply_mv") == pytest.approx(mv, abs=3)
        assert bench.call("supply_low") == (mv < 2200)


def test_the_core_runs_at_each_pace_from_each_other_and_never_too_fast(bench: Bench) -> None:
    bench.start()
    for pace in (COMPUTE, SENSE, COMPUTE, RADIO, SENSE, RADIO, COMPUTE, COMPUTE, SENSE, SENSE):
        bench.call("pace", pace)
        source, low_power = bench.peek(RCC + 8) >> 2 & 3, bench.peek(PWR) >> 14 & 1
        assert (source, low_power) == {SENSE: (0, 1), RADIO: (1, 0), COMPUTE: (3, 0)}[pace]
        assert bench.peek(RCC) >> 8 & 1  # HSI16, for line and bus
    assert bench.seen("too_fast") == bench.seen("unclocked") == bench.seen("protected") == 0


def test_the_fakes_names_are_those_of_the_header() -> None:
    header = (stm32_bench.FAKES / "l4.h").read_text()
    names = [line.split(",")[0].strip() for line in header.splitlines() if line.strip().startswith("SEEN_")]
    assert [name.removeprefix("SEEN_").lower() for name in names[:-1]] == list(stm32_bench.SEEN)
