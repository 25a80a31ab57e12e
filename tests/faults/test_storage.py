"""A disk that is full, takes no writes, or is slow: nodes keep, nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import storage


async def test_a_full_disk_is_told_before_it_is_full_then_accepts_nothing_and_loses_nothing(tmp_path: Path) -> None:
    try:
        account = await storage.full(tmp_path)
    except PermissionError as error:
        pytest.skip(str(error))
    assert account.is_clean, account


async def test_a_disk_that_has_become_read_only_accepts_nothing_and_loses_nothing(tmp_path: Path) -> None:
    account = await storage.read_only(tmp_path)
    assert account.is_clean, account


async def test_syncs_of_two_seconds_lose_nothing(tmp_path: Path) -> None:
    account = await storage.slow(tmp_path, syncs=3)
    assert account.is_clean, account
