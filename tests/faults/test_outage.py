"""A broker goes away, in every manner: the MQTT output's, or the nodes'."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import outage

KEEP_EVENTS = 1000  # the least that may be configured


async def test_a_broker_that_is_killed_again_and_again_is_told_everything_once_it_is_back(tmp_path: Path) -> None:
    account = await outage.killed(tmp_path, times=3)
    assert account.is_clean, account


async def test_a_broker_that_holds_the_connection_and_does_nothing_is_told_everything_later(tmp_path: Path) -> None:
    account = await outage.holding(tmp_path)
    assert account.is_clean, account


async def test_a_broker_between_nodes_and_gateway_may_be_killed_and_stay_away(tmp_path: Path) -> None:
    account = await outage.of_the_nodes(tmp_path, times=2)
    assert account.is_clean, account


@pytest.mark.timeout(180)
async def test_alarm_events_outlive_the_entries_that_the_journal_lets_go_meanwhile(tmp_path: Path) -> None:
    account, given_up = await outage.longer_than_the_disk(tmp_path)
    assert account.is_clean, account
    assert given_up == 0


@pytest.mark.timeout(180)
async def test_what_goes_beyond_the_bound_on_events_is_given_up_with_its_numbers(tmp_path: Path) -> None:
    account, given_up = await outage.longer_than_the_disk(tmp_path, keep_events=KEEP_EVENTS)
    assert account.is_clean, account
    assert given_up > 0
