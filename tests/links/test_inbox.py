import asyncio
from collections import Counter

import pytest

from gateway.links import MAX_FRAME_BYTES, LinkFailed
from gateway.links.inbox import Inbox


@pytest.fixture
def counts() -> Counter[str]:
    return Counter()


@pytest.fixture
def inbox(counts: Counter[str]) -> Inbox:
    opened = Inbox(3, lambda name: counts.update([name]))
    opened.open()
    return opened


async def test_full_it_keeps_the_oldest_and_counts_the_rest(inbox: Inbox, counts: Counter[str]) -> None:
    for i in range(5):
        inbox.put(bytes([i]), "peer")
    assert [frame.data for frame in await inbox.receive()] == [b"\0", b"\1", b"\2"]
    assert counts == {"received": 3, "overflow": 2}
    inbox.put(b"again", "peer")
    assert [frame.data for frame in await inbox.receive()] == [b"again"]


async def test_the_longest_frame_passes_and_one_byte_more_is_counted(inbox: Inbox, counts: Counter[str]) -> None:
    inbox.put(bytes(MAX_FRAME_BYTES), "peer")
    inbox.put(bytes(MAX_FRAME_BYTES + 1), "peer")
    assert [len(frame.data) for frame in await inbox.receive()] == [MAX_FRAME_BYTES]
    assert counts == {"received": 1, "oversize": 1}


async def test_a_failure_comes_after_the_frames_and_the_first_reason_stands(inbox: Inbox) -> None:
    inbox.put(b"last", "peer")
    inbox.fail("unplugged")
    inbox.fail("closed")
    assert [frame.data for frame in await inbox.receive()] == [b"last"]
    for _ in range(2):
        with pytest.raises(LinkFailed, match="unplugged"):
            await inbox.receive()


async def test_a_failure_wakes_the_receiver(inbox: Inbox) -> None:
    waiting = asyncio.create_task(inbox.receive())
    await asyncio.sleep(0)
    inbox.fail("gone")
    with pytest.raises(LinkFailed, match="gone"):
        await waiting


async def test_open_forgets_frames_and_failure(inbox: Inbox) -> None:
    inbox.put(b"old", "peer")
    inbox.fail("gone")
    inbox.open()
    inbox.put(b"new", "peer")
    assert [frame.data for frame in await inbox.receive()] == [b"new"]


async def test_a_cancelled_receiver_loses_nothing(inbox: Inbox) -> None:
    waiting = asyncio.create_task(inbox.receive())
    await asyncio.sleep(0)
    inbox.put(b"kept", "peer")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert [frame.data for frame in await inbox.receive()] == [b"kept"]
