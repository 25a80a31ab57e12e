"""Rescoring: Windows that wait, in batches, through the gateway's own models, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from gateway.config import CONTEXT, LEARNER
from gateway.core.entry import Body, Scored
from gateway.core.rescore import Pending
from gateway.detectors import Detector
from gateway.detectors.bundle import Bundle
from gateway.runtime.decider import Decider
from gateway.runtime.inbound import Places
from gateway.runtime.learning_how import Lessons
from gateway.runtime.metrics import Metrics

MAX_BATCH = 64

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Model:
    """A Bundle and the detector that runs it."""

    bundle: Bundle
    detector: Detector

    def takes(self, pending: Pending) -> bool:
        """Whether a Window is of the bundle's feature set."""
        manifest = self.bundle.manifest
        return (pending.feature_set, len(pending.values)) == (manifest.feature_set, manifest.features)

    def threshold(self, node: str, asset: str) -> int:
        """What the values of a node are held against. Of the operating contexts that a Bundle is calibrated for, the
        gateway knows none yet: a Window says nothing of the machine's speed or state. Then those thresholds count that
        are made for any.
        """
        manifest = self.bundle.manifest
        return manifest.threshold_for(node, asset) if manifest.role == "host" else manifest.threshold


class Learners(Protocol):
    """The gateway's own learner (learning.py). `not_learned`: Windows of which nothing was learned, so far;
    `without_context`: which it could not judge either, not knowing what the machine was doing.
    """

    not_learned: int
    without_context: int

    def score(self, batch: Mapping[int, Pending]) -> list[Body | Places]:
        """What is to be handed in for these Windows. Not on the event loop."""

    def tune(self, lessons: Lessons) -> None:
        """For what is learned from now on."""

    def states(self) -> dict[str, bytes]:
        """All that is known, to be kept."""


class Rescoring:
    """Scores what the engine says is waiting, oldest first. After a crash that is simply still waiting."""

    def __init__(
        self,
        decider: Decider,
        models: Mapping[str, Model],
        metrics: Metrics,
        learners: Callable[[], Learners | None] = lambda: None,
    ) -> None:
        self._decider = decider
        self._models = models
        self._learners = learners
        self._metrics = metrics
        self._handed_in: set[int] = set()  # scored, and not yet decided

    async def run(self) -> None:
        """Score until cancelled."""
        wanted = self._decider.scores_wanted
        while True:
            waiting = self._decider.engine.waiting
            self._handed_in &= waiting.keys()
            batch = self._next_batch(waiting)
            if batch:
                await self._score(batch)
                continue
            wanted.clear()
            await wanted.wait()

    def _next_batch(self, waiting: Mapping[int, Pending]) -> dict[int, Pending]:
        """The oldest Window that is not yet scored, and the next ones of the same model; to the gateway's learner those
        that are context to others come in their order among the rest.
        """
        batch: dict[int, Pending] = {}
        model = ""
        for entry, pending in waiting.items():
            if entry in self._handed_in or entry > self._decider.committed_id:
                continue
            by = LEARNER if pending.model == CONTEXT else pending.model
            model = model or by
            if by == model:
                batch[entry] = pending
                if len(batch) == MAX_BATCH:
                    break
        return batch

    async def _score(self, batch: Mapping[int, Pending]) -> None:
        name = next(iter(batch.values())).model.replace(CONTEXT, LEARNER)
        self._handed_in |= batch.keys()
        if name == LEARNER and (learners := self._learners()):
            self._metrics.event("window_scored", sum(pending.model != CONTEXT for pending in batch.values()))
            before = learners.not_learned, learners.without_context
            found = await asyncio.to_thread(learners.score, batch)
            self._metrics.event("window_not_learned", learners.not_learned - before[0])
            self._metrics.event("window_without_context", learners.without_context - before[1])
            for said in found:
                await self._decider.put(said)
            return
        model = self._models.get(name)
        fitting = {entry: pending for entry, pending in batch.items() if model and model.takes(pending)}
        for entry in batch.keys() - fitting.keys():
            await self._fail(entry, f"no bundle {name!r} that takes {len(batch[entry].values)} features")
        if model is None or not fitting:
            return
        try:
            values = await asyncio.to_thread(model.detector.score, [p.values for p in fitting.values()])
        except (RuntimeError, ValueError) as error:  # what LiteRT and numpy raise
            for entry in fitting:
                await self._fail(entry, f"bundle {name!r}: {error}")
            return
        self._metrics.event("window_scored", len(fitting))
        for (entry, pending), value in zip(fitting.items(), values, strict=True):
            threshold = model.threshold(pending.node, self._asset_of(pending.node))
            await self._decider.put(Scored(entry, value, threshold, model.bundle.model_sha256))

    def _asset_of(self, node: str) -> str:
        plant = self._decider.engine.plant
        return plant.nodes[node].asset if plant and node in plant.nodes else ""

    async def _fail(self, entry: int, why: str) -> None:
        self._metrics.event("window_not_scorable")
        log.warning("window cannot be re-scored", entry=entry, reason=why)
        await self._decider.put(Scored(entry, 0, 0, b"", why))
