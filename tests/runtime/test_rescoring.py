import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from gateway.core.entry import EntryKind
from gateway.core.plant import Plant, Scope, TagId
from gateway.runtime.rescoring import MAX_BATCH, Model, Rescoring
from tests.runtime.house import KEYS, House, WireNode, plant, running, until
from tests.runtime.test_decider import entries_of, raised_in

NORMAL, ODD = (1600, 800, 3200), (9000, 5000, 30000)


def with_model(model: Model) -> Plant:
    return plant("pump-host", {"pump-host": model.bundle.model_sha256})


@asynccontextmanager
async def scoring(house: House, models: Mapping[str, Model]) -> AsyncIterator[None]:
    work = asyncio.create_task(Rescoring(house.decider, models, house.metrics).run())
    try:
        yield
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def anomalous(house: House) -> object:
    return house.decider.engine.ledger.tags[TagId(Scope.NODE, "n1", "anomalous")].value


async def flagged(house: House, count: int, *values: int, said: int = 0) -> None:
    """`count` claims of node n1 and their answers; `said`: how many it sent in an earlier house."""
    before = len(house.wire.sent)
    node = WireNode(KEYS[0], said + before, said + before)
    for number in range(count):
        await house.hand_in(node.flag(None, *values))
        await house.answered(before + number + 1)


async def test_a_claim_is_confirmed_or_refuted_by_the_larger_model(tmp_path: Path, model: Model) -> None:
    async with running(tmp_path, with_model(model)) as house, scoring(house, {"pump-host": model}):
        await flagged(house, 1, *NORMAL)
        await until(lambda: house.counted("window_scored") == 1 and not house.decider.engine.waiting)
        assert anomalous(house) is False
        await flagged(house, 1, *ODD)
        await until(lambda: house.counted("window_scored") == 2 and not house.decider.engine.waiting)
        assert anomalous(house) is True


async def test_a_window_that_waits_over_a_crash_is_scored_once(tmp_path: Path, model: Model) -> None:
    async with running(tmp_path, with_model(model), graceful=False) as house:
        await flagged(house, 3, *ODD)
        assert len(house.decider.engine.waiting) == 3
    async with running(tmp_path, with_model(model)) as house, scoring(house, {"pump-host": model}):
        await until(lambda: not house.decider.engine.waiting)
        await house.decider.view()
        assert house.counted("window_scored") == 3
    assert entries_of(tmp_path, EntryKind.SCORE) == 3
    async with running(tmp_path, with_model(model)) as house, scoring(house, {"pump-host": model}):
        await flagged(house, 1, *ODD, said=3)
        await until(lambda: house.counted("window_scored"))
        assert house.counted("window_scored") == 1
    assert len(raised_in(tmp_path)) == 1


class Watched:
    """A detector that notes the sizes of its batches and waits for `go`, or breaks."""

    def __init__(self, model: Model, broken: bool = False) -> None:
        self._score: Callable[[Sequence[Sequence[int]]], list[int]] = model.detector.score
        self.broken = broken
        self.sizes: list[int] = []

    def score(self, batch: Sequence[Sequence[int]]) -> list[int]:
        self.sizes.append(len(batch))
        if self.broken:
            raise RuntimeError("the interpreter gave up")
        return self._score(batch)


async def test_what_has_gathered_is_scored_in_bounded_batches_each_window_once(tmp_path: Path, model: Model) -> None:
    async with running(tmp_path, with_model(model)) as house:
        await flagged(house, MAX_BATCH + 5, *ODD)
        watched = Watched(model)
        async with scoring(house, {"pump-host": replace(model, detector=watched)}):
            await until(lambda: not house.decider.engine.waiting)
        assert watched.sizes == [MAX_BATCH, 5]
    assert entries_of(tmp_path, EntryKind.SCORE) == MAX_BATCH + 5


async def test_without_a_model_that_fits_and_works_the_claim_stands_and_the_gateway_runs_on(
    tmp_path: Path, model: Model
) -> None:
    broken = replace(model, detector=Watched(model, broken=True))
    for number, (models, values) in enumerate(
        (({}, ODD), ({"pump-host": model}, (1, 2)), ({"pump-host": broken}, ODD))
    ):
        folder = tmp_path / str(number)
        async with running(folder, with_model(model)) as house, scoring(house, models):
            await flagged(house, 1, *values)
            await until(lambda: house.counted("window_not_scorable") == 1)
            await until(lambda: not house.decider.engine.waiting)
            assert anomalous(house) is True
        assert len(raised_in(folder)) == 1
