"""A bit of the journal flips: it is named, and what comes after it is not lost."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from gateway.store.audit import audit
from tests.faults.scene import scene
from tests.faults.tampering import flip
from tests.system.plants import stethos

FIRST, LAST = 0, -1
BEHIND = 60  # events before the flip
PASSED_OVER = "a damaged journal entry is passed over"


@pytest.mark.parametrize(("how", "place"), [(signal.SIGTERM, FIRST), (signal.SIGKILL, LAST)], ids=["old", "tail"])
async def test_a_flipped_bit_is_named_and_the_tail_goes_on(tmp_path: Path, how: signal.Signals, place: int) -> None:
    """In what a snapshot covers, and in what is decided again at the next start."""
    async with scene(tmp_path) as stage:
        await stage.events(BEHIND)
        await stage.gateway.end(how)
        stage.remember()
        assert stage.earlier
        broken = sorted(stage.earlier.messages)[len(stage.earlier.messages) // 2]
        flip(stage.gateway.state_dir, broken, place)
        printed = await stethos(stage.gateway.config, "audit", ok=(1,))
        assert f"entry {broken} does not match the chain" in printed
        await stage.gateway.start()
        account = await stage.settle()
        assert account.is_clean, account
    report = audit(stage.gateway.state_dir)
    assert [fault.entry for fault in report.faults] == [broken]
    assert report.verified_after > BEHIND


async def test_an_entry_behind_the_newest_snapshot_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    """The start goes on with what follows it. What it alone decided may be said once more: nobody knows it now."""
    async with scene(tmp_path) as stage:
        await stage.events(BEHIND)
        await stage.gateway.end(signal.SIGKILL)
        stage.remember()
        assert stage.earlier
        broken = sorted(stage.earlier.messages)[-BEHIND // 2]
        flip(stage.gateway.state_dir, broken, FIRST)
        await stage.gateway.start()
        await stage.hearing()
        assert await stage.gateway.metric("stethos_events_total", "entry_damaged") == 1
        told = [json.loads(line) for line in stage.gateway.log.read_text().splitlines() if PASSED_OVER in line]
        assert [line["entry"] for line in told] == [broken]
        account = await stage.settle()
        alarm = f"node/{stage.earlier.messages[broken][0]}/sensor_fault"
        again = account.doubled.pop("engine")
        assert {str(stage.earlier.alarms[event].alarm) for event in again} <= {alarm} and len(again) <= 1
        assert account.is_clean, account
    assert [fault.entry for fault in audit(stage.gateway.state_dir).faults] == [broken]
