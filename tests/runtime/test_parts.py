import asyncio
from collections import Counter

import pytest

from gateway.runtime import parts as parts_module
from gateway.runtime.parts import PartFailed, Parts
from tests.runtime.house import PATIENCE_S


@pytest.fixture
def counts() -> Counter[str]:
    return Counter()


@pytest.fixture
def parts(counts: Counter[str], monkeypatch: pytest.MonkeyPatch) -> Parts:
    monkeypatch.setattr(parts_module, "CLOSE_S", 0.05)
    monkeypatch.setattr(parts_module, "INTERRUPTED_S", 0.05)
    return Parts(lambda name: counts.update([name]))


async def forever() -> None:
    await asyncio.Event().wait()


async def closing(hangs: int, let_go: asyncio.Event) -> None:
    """Does not mind being cancelled `hangs` times after the first."""
    try:
        await asyncio.Event().wait()
    finally:
        for _ in range(hangs):
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue


async def test_a_part_is_stopped_by_its_name_and_can_be_started_again(parts: Parts, counts: Counter[str]) -> None:
    for name in ("a", "b"):
        parts.start(name, forever())
    with pytest.raises(ValueError, match="a runs already"):
        parts.start("a", forever())
    await asyncio.wait_for(parts.stop("a", "nobody"), PATIENCE_S)
    assert (parts.names, parts.runs("a"), parts.runs("b")) == (("b",), False, True)
    parts.start("a", forever())
    await parts.stop(*parts.names)
    assert (parts.names, parts.left_behind, counts, parts.failure) == ((), [], {}, None)


@pytest.mark.parametrize(
    ("hangs", "counted"),
    [(0, {}), (1, {"part_interrupted": 1}), (9, {"part_interrupted": 1, "part_left_behind": 1})],
)
async def test_a_part_that_hangs_in_its_close_is_counted_and_blocks_nobody(
    parts: Parts, counts: Counter[str], hangs: int, counted: dict[str, int]
) -> None:
    let_go = asyncio.Event()
    parts.start("stuck", closing(hangs, let_go))
    parts.start("well", forever())
    await asyncio.sleep(0)
    tasks = [task for task in asyncio.all_tasks() if task.get_name() == "stuck"]
    await asyncio.wait_for(parts.stop("stuck", "well"), PATIENCE_S)
    assert counts == counted
    assert parts.left_behind == (["stuck"] if hangs == 9 else [])
    let_go.set()
    await asyncio.wait(tasks, timeout=PATIENCE_S)


async def test_the_first_failure_ends_all_and_is_told_in_one_line(parts: Parts) -> None:
    async def fails(*errors: Exception) -> None:
        raise ExceptionGroup("unhandled errors in a TaskGroup", [*errors, ExceptionGroup("inner", [OSError("x")])])

    parts.start("link wifi", fails(ValueError("no such thing"), KeyError("k")))
    parts.start("well", forever())
    await asyncio.wait_for(parts.wait(), PATIENCE_S)
    assert isinstance(parts.failure, PartFailed)
    assert str(parts.failure) == "link wifi failed: ValueError: no such thing; KeyError: 'k'; OSError: x"
    await parts.stop(*parts.names)
    assert str(parts.failure).startswith("link wifi")


async def test_a_failure_in_a_close_is_not_swallowed(parts: Parts) -> None:
    async def fails_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("at the end")

    parts.start("output mqtt", fails_at_the_end())
    await asyncio.sleep(0)
    await parts.stop("output mqtt")
    await asyncio.wait_for(parts.wait(), PATIENCE_S)
    assert str(parts.failure) == "output mqtt failed: RuntimeError: at the end"


async def test_who_ends_the_parts_is_not_a_failure(parts: Parts) -> None:
    parts.start("decider", asyncio.sleep(0))
    parts.end()
    await asyncio.wait_for(parts.wait(), PATIENCE_S)
    await asyncio.wait_for(parts.finished("decider"), PATIENCE_S)
    assert parts.failure is None
