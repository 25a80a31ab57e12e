"""Reload in the middle of a storm."""

from __future__ import annotations

from pathlib import Path

from tests.faults.reloading import in_the_middle


async def test_a_reload_in_the_middle_of_a_storm_loses_nothing_and_leaves_open_what_it_need_not_touch(
    tmp_path: Path,
) -> None:
    account, subscriptions = await in_the_middle(tmp_path)
    assert account.is_clean, account
    assert subscriptions == 1  # another rule changes nothing of what OPC UA shows
