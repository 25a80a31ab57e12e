"""The gateway's clock is stepped under a storm."""

from __future__ import annotations

from pathlib import Path

from tests.faults.clocks import HOUR_S, steps


async def test_a_clock_that_is_stepped_loses_nothing_and_never_falls(tmp_path: Path) -> None:
    account, times_ms = await steps(tmp_path, [2 * HOUR_S, -5 * HOUR_S, 0])
    assert account.is_clean, account
    assert times_ms == sorted(times_ms)
    assert times_ms[-1] - times_ms[0] > 2 * HOUR_S * 1000  # the step forward was seen
