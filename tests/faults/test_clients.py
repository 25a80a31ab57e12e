"""Clients that do not read and sockets that are half open take nothing from the others."""

from __future__ import annotations

from pathlib import Path

from tests.faults.clients import never_reading

GROWTH_MB = 48  # what the queues of those clients may hold, each of which has its own bound


async def test_clients_that_never_read_cost_little_and_hold_up_nobody(tmp_path: Path) -> None:
    account, grown_mb = await never_reading(tmp_path)
    assert account.is_clean, account
    assert grown_mb < GROWTH_MB
