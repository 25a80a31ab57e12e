"""Housekeeping: retention, room on the disk, Outputs that fall behind. What nears its bound raises an alarm of the
gateway itself before the bound is reached: beyond it nothing can be journalled, and only log and metrics could tell.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import structlog

from gateway import config
from gateway.core.entry import Noticed
from gateway.core.plant import AlarmKind
from gateway.runtime.clock import Clock
from gateway.runtime.decider import Decider
from gateway.runtime.metrics import Metrics
from gateway.runtime.pump import Pump
from gateway.store.retention import Limits
from gateway.store.schema import JournalBroken, JournalFull

LOOK_EVERY_S = 1.0
AGE_EVERY_S = 600.0  # entries are looked at for their age
DAY_MS = 86_400_000
MIB = 1 << 20

log = structlog.get_logger()


class Watch:
    """One quantity and its bound, with hysteresis: near from `near_at` parts of it on, until below `clear_at`."""

    def __init__(self, near_at: float, clear_at: float) -> None:
        self._near_at = near_at
        self._clear_at = clear_at
        self.near = False

    def look(self, value: float, bound: float) -> bool:
        """Whether it is near now."""
        self.near = value >= bound * (self._clear_at if self.near else self._near_at)
        return self.near


class Housekeeping:
    """Looks once a second."""

    def __init__(
        self, state_dir: Path, decider: Decider, pumps: Mapping[str, Pump], settings: Callable[[], config.Journal],
        metrics: Metrics, clock: Clock,
    ) -> None:  # fmt: skip
        """`pumps` and `settings` are looked at anew each time: a reload changes them."""
        self._state_dir = state_dir
        self._decider = decider
        self._pumps = pumps
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._disk = Watch(1, 0.9)
        self._journal = Watch(15 / 16, 29 / 32)  # retention holds it below 7/8 as long as it can
        self._outputs: dict[str, Watch] = {}
        self._near: dict[str, str] = {}  # what is near its bound -> in words
        self._said = {kind: decider.engine.noticed(kind) for kind in AlarmKind if kind.scope == "gateway"}
        self._pruned_at_s = -AGE_EVERY_S
        self._writable = True

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Prune what is due, and hand in what has come near its bound, or away from it."""
        settings, now_s = self._settings(), asyncio.get_running_loop().time()
        used = await self._prune(settings, aged=now_s - self._pruned_at_s >= AGE_EVERY_S)
        space = dict(self._space(settings, used))
        behind = dict(self._behind(settings.keep_events))
        self._tell(space | behind)
        await self._notice(AlarmKind.JOURNAL_SPACE, space)
        await self._notice(AlarmKind.OUTPUT_BEHIND, behind)

    async def _prune(self, settings: config.Journal, *, aged: bool) -> int | None:
        """Keep the journal within its limits. Returns its bytes in use, the whole log with them; None if it cannot be
        written.
        """
        limits = Limits(int(settings.keep_days * DAY_MS), settings.keep_mb * MIB, settings.keep_events)
        try:
            sizes = await self._decider.prune(limits, aged=aged)
        except (JournalFull, JournalBroken) as error:  # a page that is damaged must not stop what can still be written
            if self._writable:
                log.warning("the journal could not be pruned", reason=str(error))
            self._writable = False
            self._metrics.event("prune_failed")
            return None
        self._writable = True
        self._metrics.journal_bytes.set(sizes.on_disk)
        if aged:
            self._pruned_at_s = asyncio.get_running_loop().time()
        return sizes.data + sizes.log

    def _space(self, settings: config.Journal, used: int | None) -> Iterator[tuple[str, str]]:
        try:
            disk = os.statvfs(self._state_dir)
        except OSError:
            self._metrics.event("disk_not_seen")
            free = 0
        else:
            free = disk.f_bavail * disk.f_frsize
        self._metrics.disk_free.set(free)
        if self._disk.look(settings.reserve_mb * MIB, free):
            yield "disk", f"less than {settings.reserve_mb} MiB are free on the disk"
        if self._journal.look(used, settings.keep_mb * MIB) if used is not None else self._journal.near:
            yield "journal", f"the journal takes nearly all of its {settings.keep_mb} MiB"

    def _behind(self, keep_events: int) -> Iterator[tuple[str, str]]:
        for gone in self._outputs.keys() - self._pumps.keys():
            del self._outputs[gone]
        for name, pump in self._pumps.items():
            if pump.settled.is_set():  # before that it is not known where the Output stands
                waiting = self._decider.committed_event - pump.cursor
                if self._outputs.setdefault(name, Watch(0.8, 0.6)).look(waiting, keep_events):
                    yield f"output {name}", f"output {name}"

    def _tell(self, near: Mapping[str, str]) -> None:
        """In log and metrics, which work on a full disk, too."""
        for bound in near.keys() - self._near.keys():
            log.warning("a bound is near", bound=bound, detail=near[bound])
            self._metrics.near_bound.labels(bound).set(1)
        for bound in self._near.keys() - near.keys():
            log.info("a bound is no longer near", bound=bound)
            self._metrics.near_bound.labels(bound).set(0)
        self._near = dict(near)

    async def _notice(self, kind: AlarmKind, near: Mapping[str, str]) -> None:
        now = (bool(near), "; ".join(near.values()))
        if now != self._said[kind]:
            self._said[kind] = now
            await self._decider.put(Noticed(kind, now[0], self._clock.now_ms(), now[1]))
