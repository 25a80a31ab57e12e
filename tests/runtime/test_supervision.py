import asyncio
from collections import Counter

import pytest
import structlog

from gateway.links import LinkFailed
from gateway.runtime.supervision import keep_going
from tests.runtime.house import until


async def test_what_the_world_lets_down_is_opened_again_and_counted() -> None:
    outcomes: list[Exception | None] = [LinkFailed("unplugged"), LinkFailed("still unplugged"), None]
    counts: Counter[str] = Counter()

    async def session() -> None:
        if outcome := outcomes.pop(0):
            raise outcome

    with structlog.testing.capture_logs() as lines:
        await asyncio.wait_for(keep_going("link", "rs485", session, LinkFailed, lambda n: counts.update([n])), 10)
    assert not outcomes and counts == {"failed": 2}
    assert [(line["event"], line["link"], line["reason"]) for line in lines] == [
        ("link down", "rs485", "unplugged"), ("link down", "rs485", "still unplugged"),
    ]  # fmt: skip


async def test_what_is_ours_escapes() -> None:
    async def session() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await keep_going("link", "rs485", session, LinkFailed, lambda name: None)


async def test_a_failure_while_it_is_cancelled_ends_it_all_the_same() -> None:
    began = 0

    async def session() -> None:
        nonlocal began
        began += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise LinkFailed("fell over while it was closed") from None

    task = asyncio.create_task(keep_going("link", "rs485", session, LinkFailed, lambda name: None))
    await until(lambda: began == 1)
    task.cancel()
    await asyncio.wait([task], timeout=10)
    assert task.cancelled() and began == 1
