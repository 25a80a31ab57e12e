"""What every Link owes to the host: one test each, run over all modules in gateway/links."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import pkgutil
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pydantic
import pytest

import gateway.links
from gateway.links import MAX_FRAME_BYTES, Frame, LinkFailed
from tests.links.harness import CARRIERS, Carrier

MODULES = {
    info.name: module
    for info in pkgutil.iter_modules(gateway.links.__path__)
    if hasattr(module := importlib.import_module(f"gateway.links.{info.name}"), "Link")
}
OWED = {"received", "sent", "oversize", "overflow"}


class Bench:
    """One Link, its counters, and the Carrier under it."""

    def __init__(self, module: Any, carrier: Carrier) -> None:
        self.module = module
        self.carrier = carrier
        self.counts: Counter[str] = Counter()

    def settings(self, **more: Any) -> pydantic.BaseModel:
        return self.module.Settings(**{**self.carrier.settings, **more})

    def link(self, **more: Any) -> Any:
        return self.module.Link(self.settings(**more), lambda name: self.counts.update([name]))


WAYS = [pytest.param((name, way), id=f"{name}-{i}") for name in MODULES for i, way in enumerate(CARRIERS[name])]


@pytest.fixture(params=WAYS)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    name, way = request.param
    async with way(tmp_path) as carrier:
        yield Bench(MODULES[name], carrier)


@asynccontextmanager
async def opened(link: Any) -> AsyncIterator[Any]:
    try:
        await link.open()
        yield link
    finally:
        await link.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def take(link: Any, number: int) -> list[Frame]:
    frames: list[Frame] = []
    async with asyncio.timeout(20):
        while len(frames) < number:
            got = await link.receive()
            assert got, "receive() returned without a frame"
            frames += got
    return frames


def payloads(number: int) -> list[bytes]:
    """Frames of all lengths, the shortest and the longest first, zeros and all."""
    random = Random(number)
    sizes = [1, MAX_FRAME_BYTES, *(random.randint(1, MAX_FRAME_BYTES) for _ in range(number - 2))]
    return [random.randbytes(size) if random.random() < 0.8 else bytes(size) for size in sizes]


def test_every_link_has_a_carrier() -> None:
    assert set(MODULES) == set(CARRIERS)
    assert MODULES


async def test_settings_are_strict_frozen_and_described(bench: Bench) -> None:
    settings = bench.settings()
    kinds = bench.module.Settings.model_fields
    assert list(kinds)[:2] == ["type", "name"]
    assert [name for name, kind in kinds.items() if name != "type" and not kind.description] == []
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        settings.name = "other"  # type: ignore[attr-defined]
    with pytest.raises(pydantic.ValidationError, match="no_such_key"):
        bench.settings(no_such_key=1)
    for wrong in ({"type": "other"}, {"queue": "16"}, {"queue": 0}, {"name": ""}, {"name": "a b"}):
        with pytest.raises(pydantic.ValidationError, match=next(iter(wrong))):
            bench.settings(**wrong)


async def test_open_and_close_may_be_called_twice_and_the_link_opens_again(bench: Bench) -> None:
    link = bench.link()
    await link.close()
    for round_ in range(3):
        async with opened(link):
            await link.open()
            async with bench.carrier.peers(link) as peers:
                await peers.send(0, bytes([round_]))
                assert [frame.data for frame in await take(link, 1)] == [bytes([round_])]
        await link.close()


async def test_not_open_it_neither_receives_nor_sends(bench: Bench) -> None:
    link = bench.link()
    for _ in range(2):
        with pytest.raises(LinkFailed):
            await link.receive()
        with pytest.raises(LinkFailed):
            await link.send("anybody", b"data")
        async with opened(link):
            pass


async def test_closing_wakes_a_receiver(bench: Bench) -> None:
    link = bench.link()
    async with opened(link):
        waiting = asyncio.create_task(link.receive())
        await asyncio.sleep(0)
    with pytest.raises(LinkFailed, match=bench.carrier.settings["name"]):
        await waiting


async def test_frames_arrive_whole_and_in_order(bench: Bench) -> None:
    sent = payloads(80)
    async with opened(bench.link()) as link, bench.carrier.peers(link) as peers:
        receiving = asyncio.create_task(take(link, len(sent)))
        for data in sent:
            await peers.send(0, data)
        frames = await receiving
    assert [frame.data for frame in frames] == sent
    assert all(a.received_ns <= b.received_ns for a, b in itertools.pairwise(frames))
    assert len({frame.address for frame in frames}) == 1
    assert bench.counts == {"received": len(sent)}


async def test_receive_returns_all_that_has_arrived(bench: Bench) -> None:
    sent = payloads(20)
    async with opened(bench.link()) as link, bench.carrier.peers(link) as peers:
        for data in sent:
            await peers.send(0, data)
        await until(lambda: bench.counts["received"] == len(sent))
        assert [frame.data for frame in await link.receive()] == sent


async def test_a_cancelled_receive_loses_nothing(bench: Bench) -> None:
    async with opened(bench.link()) as link, bench.carrier.peers(link) as peers:
        waiting = asyncio.create_task(link.receive())
        await asyncio.sleep(0)
        waiting.cancel()
        await peers.send(0, b"late")
        assert [frame.data for frame in await take(link, 1)] == [b"late"]


async def test_an_answer_reaches_the_node_it_is_for(bench: Bench) -> None:
    answers = [
        b"" if size == 1 else bytes([size % 251]) * (size - 1) for size in (1, MAX_FRAME_BYTES, 2, 100, 255, 256)
    ]
    async with opened(bench.link()) as link, bench.carrier.peers(link) as peers:
        addresses = {}
        for node in range(bench.carrier.nodes):
            await peers.send(node, bytes([node]))
            [frame] = await take(link, 1)
            assert frame.data == bytes([node])
            addresses[node] = frame.address
        assert len(set(addresses.values())) == bench.carrier.nodes
        for node, address in reversed(addresses.items()):
            for answer in answers:
                await link.send(address, answer + bytes([node]))
        async with asyncio.timeout(20):
            for node in addresses:
                assert [await peers.answer(node) for _ in answers] == [answer + bytes([node]) for answer in answers]
    assert bench.counts["sent"] == len(answers) * bench.carrier.nodes


async def test_a_frame_too_long_is_counted_and_not_delivered(bench: Bench) -> None:
    async with opened(bench.link()) as link, bench.carrier.peers(link) as peers:
        await peers.send(0, b"\x55" * (MAX_FRAME_BYTES + 1))
        await peers.send(0, bytes(4 * MAX_FRAME_BYTES))
        await peers.send(0, b"next")
        assert [frame.data for frame in await take(link, 1)] == [b"next"]
    assert bench.counts == {"received": 1, "oversize": 2}


async def test_a_full_queue_drops_the_newest_and_counts_it(bench: Bench) -> None:
    async with opened(bench.link(queue=8)) as link, bench.carrier.peers(link) as peers:
        for i in range(30):
            await peers.send(0, bytes([i]))
        await until(lambda: bench.counts.total() == 30)
        assert [frame.data for frame in await link.receive()] == [bytes([i]) for i in range(8)]
        assert bench.counts == {"received": 8, "overflow": 22}
        await peers.send(0, b"room again")
        assert [frame.data for frame in await take(link, 1)] == [b"room again"]


async def test_a_failed_open_names_what_failed_and_open_works_once_it_is_back(bench: Bench) -> None:
    link = bench.link()
    await bench.carrier.fail()
    for _ in range(2):
        with pytest.raises(LinkFailed) as failed:
            await link.open()
        assert bench.carrier.names in str(failed.value)
        assert bench.carrier.settings["name"] in str(failed.value)
        await link.close()
    await bench.carrier.restore()
    async with opened(link), bench.carrier.peers(link) as peers:
        await peers.send(0, b"back")
        assert [frame.data for frame in await take(link, 1)] == [b"back"]


async def test_a_failure_while_open_comes_after_the_frames_before_it(bench: Bench) -> None:
    if not bench.carrier.fails_while_open:
        pytest.skip("a bound socket on this machine has nothing to lose")
    link = bench.link()
    async with opened(link):
        async with bench.carrier.peers(link) as peers:
            await peers.send(0, b"the last one")
            await until(lambda: bench.counts["received"] == 1)
        [frame] = await link.receive()
        waiting = asyncio.create_task(link.receive())
        await bench.carrier.fail()
        async with asyncio.timeout(20):
            with pytest.raises(LinkFailed) as failed:
                await waiting
        assert bench.carrier.names in str(failed.value)
        with pytest.raises(LinkFailed):
            await link.send(frame.address, b"into the void")
        with pytest.raises(LinkFailed):
            await link.receive()
    await bench.carrier.restore()
    async with opened(link), bench.carrier.peers(link) as peers:
        await peers.send(0, b"back")
        assert [frame.data for frame in await take(link, 1)] == [b"back"]


def held() -> tuple[int, int, int]:
    """Tasks, file descriptors, threads. The event loop's own pool keeps its threads; they are not the Link's."""
    threads = [thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")]
    return len(asyncio.all_tasks()), len(list(Path("/proc/self/fd").iterdir())), len(threads)


async def test_nothing_is_left_behind(bench: Bench) -> None:
    link = bench.link()

    async def use() -> None:
        async with opened(link), bench.carrier.peers(link) as peers:
            await peers.send(0, b"data")
            [frame] = await take(link, 1)
            await link.send(frame.address, b"answer")
            async with asyncio.timeout(20):
                assert await peers.answer(0) == b"answer"

    await use()  # what is made once and for all is made now
    await until(lambda: len(asyncio.all_tasks()) == 1)
    before = held()
    for _ in range(3):
        await use()
        if bench.carrier.fails_while_open:
            async with opened(link):
                await bench.carrier.fail()
                with pytest.raises(LinkFailed):
                    await link.receive()
        else:
            await bench.carrier.fail()
        with pytest.raises(LinkFailed):
            await link.open()
        await link.close()
        await bench.carrier.restore()
    await until(lambda: held() == before)
