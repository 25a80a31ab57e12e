import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.entry import EntryKind, Scored, decode
from gateway.core.plant import Plant, Scope, TagId
from gateway.detectors.manifest import Calibration, Entry
from gateway.runtime.rescoring import MAX_BATCH, Model, Rescoring
from gateway.store.reader import Reader
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


def entry(threshold: int, node: str = "", asset: str = "") -> Entry:
    return Entry(
        node=node, asset=asset, context=(), threshold=threshold, p95=0, p99=0, event_1of1=threshold, event_3of5=0,
        windows=60, extrapolated=True, check_windows=0, check_above=0, check_events=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ((entry(7), entry(8, asset="pump-1"), entry(9, node="n1", asset="pump-1"), entry(6, node="n2")), 9),
        ((entry(7), entry(8, asset="pump-1"), entry(6, node="n2")), 8),
        ((entry(7), entry(8, asset="pump-2")), 7),
    ],
)
async def test_a_value_is_held_against_the_threshold_of_its_node_and_asset(
    tmp_path: Path, model: Model, table: tuple[Entry, ...], expected: int
) -> None:
    data = model.bundle.manifest.provenance.data
    calibration = Calibration(data=data, outputs="litert", by="event_1of1", events_ppb=2_000_000, table=table)
    manifest = model.bundle.manifest.model_copy(update={"calibration": calibration})
    own = replace(model, bundle=replace(model.bundle, manifest=manifest))
    async with running(tmp_path, with_model(own)) as house, scoring(house, {"pump-host": own}):
        await flagged(house, 1, *NORMAL)
        await until(lambda: house.counted("window_scored") == 1 and not house.decider.engine.waiting)
    with closing(Reader.open(tmp_path)) as reader:
        (scored,) = [decode(r.kind, r.version, r.body) for r in reader.read(0, 100) if r.kind == EntryKind.SCORE]
    assert isinstance(scored, Scored)
    assert scored.threshold == expected


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
