"""Killed at random moments under a storm of alarms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import accountant
from tests.faults.kill9 import kill_again_and_again

KILLS = 20


@pytest.mark.timeout(300)
async def test_a_killed_gateway_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    account = await kill_again_and_again(tmp_path, KILLS)
    assert account.is_clean, account
    assert account.messages > 20 * KILLS
    assert account.events > 10 * KILLS
    assert account.incidents > KILLS / 2
    assert account.scores > 2 * KILLS
    assert accountant.first_entry(tmp_path / "state") > 1  # entries were let go meanwhile
