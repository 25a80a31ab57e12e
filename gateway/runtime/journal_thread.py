"""The one thread that the journal belongs to, and what is done there beside commits: snapshots, and making room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

import structlog

from gateway.core import snapshot
from gateway.core.engine import ENGINE_VERSION, Engine
from gateway.runtime.metrics import Metrics
from gateway.store.journal import CHECKPOINT_EVERY, Journal
from gateway.store.retention import Limits, Sizes
from gateway.store.schema import JournalFull

SNAPSHOT_ENTRIES_PER_NODE = 20  # a snapshot takes as long as some entries per node: a big plant has them further apart

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger()


class JournalThread:
    """Calls wait for each other; the event loop does not wait for them."""

    def __init__(self, journal: Journal, metrics: Metrics, snapshot_at: int, snapshot_entries: int) -> None:
        """`snapshot_at`: entry of the newest snapshot of this engine version, 0: there is none; `snapshot_entries`: how
        far they are apart at least.
        """
        self._journal = journal
        self._metrics = metrics
        self._thread = ThreadPoolExecutor(1, "journal")
        self.snapshot_at = self._tried_at = snapshot_at
        self.snapshot_entries = snapshot_entries
        self._due = False

    async def call(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something of the journal, and return what it does, or raise that."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(call, *args, **kwargs))

    async def turns(self) -> None:
        """Return when what was called before is over."""
        await self.call(lambda: None)

    async def snapshot(self, engine: Engine) -> None:
        """Keep the state of an engine that is durable. A disk that refuses is logged and counted."""
        entry = self._tried_at = engine.last_id
        self._due = False
        state = snapshot.take(engine)
        try:
            await self.call(self._journal.save_snapshot, entry, ENGINE_VERSION, state)
        except JournalFull as error:
            log.warning("no snapshot could be kept", reason=str(error))
            self._metrics.event("snapshot_failed")
        else:
            self.snapshot_at = entry

    async def snapshot_if_due(self, engine: Engine) -> None:
        """The same, if there are enough entries since the last one, or it would make room."""
        apart = max(self.snapshot_entries, SNAPSHOT_ENTRIES_PER_NODE * len(engine.nodes.nodes))
        if self._due or engine.last_id - self._tried_at >= apart:
            await self.snapshot(engine)

    async def prune(self, limits: Limits, *, committed_id: int, now_ms: int, aged: bool) -> Sizes:
        """Let go of what the journal is not to keep, step by step, with commits in between; what a start needs, from
        the newest snapshot on, stays. `aged`: look for what is too old, too, which takes a signature. Raises
        JournalFull.
        """
        if aged:
            await self.call(self._journal.checkpoint)
        prune = partial(self._journal.prune, limits, never_past=self.snapshot_at, now_ms=now_ms)
        while step := await self.call(prune):
            self._metrics.event("entries_let_go", step.entries)
            self._metrics.event("events_let_go", step.events)
        sizes = await self.call(self._journal.sizes)
        if limits.presses(sizes.used) and committed_id - self.snapshot_at > CHECKPOINT_EVERY:
            self._due = True  # it makes more room
        return sizes

    def close(self) -> None:
        """Return when what was called is over; nothing may be called any more."""
        self._thread.shutdown()
