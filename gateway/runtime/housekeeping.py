"""Housekeeping: retention, room on the disk, Outputs that fall behind, memory. What nears its bound raises an alarm of
the gateway itself before the bound is reached: beyond it nothing can be journalled, and only log and metrics could
tell. No event that an Output has not delivered is given up before the alarm that says so is durable.
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
from gateway.runtime import memory
from gateway.runtime.clock import Clock
from gateway.runtime.decider import Decider
from gateway.runtime.memory import Memory
from gateway.runtime.metrics import Metrics
from gateway.runtime.pump import Pump
from gateway.store.retention import Limits, Sizes
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
        metrics: Metrics, clock: Clock, look_at_memory: Callable[[], Memory] = memory.look,
    ) -> None:  # fmt: skip
        """`pumps` and `settings` are looked at anew each time: a reload changes them."""
        self._state_dir = state_dir
        self._decider = decider
        self._pumps = pumps
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._look_at_memory = look_at_memory
        self._disk = Watch(1, 0.9)
        self._journal = Watch(15 / 16, 29 / 32)  # retention holds it below 7/8 as long as it can
        self._memory = Watch(0.8, 0.7)
        self._outputs: dict[str, Watch] = {}
        self._warned: frozenset[str] = frozenset()  # outputs of which the alarm has been told that they are behind
        self._sizes = Sizes(0, 0, 0)
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
        limits = Limits(
            int(settings.keep_days * DAY_MS), settings.keep_mb * MIB, settings.keep_events, self._undelivered()
        )
        used = await self._prune(limits, aged=now_s - self._pruned_at_s >= AGE_EVERY_S)
        space = dict(self._space(settings, used))
        behind = dict(self._behind(limits))
        self._tell(space | behind | dict(self._of_memory()))
        await self._notice(AlarmKind.JOURNAL_SPACE, space)
        if await self._notice(AlarmKind.OUTPUT_BEHIND, behind):
            self._warned = frozenset(behind)

    def _undelivered(self) -> int | None:
        """Events above this number are not to be given up yet: an Output has not delivered them, or it is not known
        what it has, and nobody has been told. None: there is no such Output.
        """
        pumps = [pump for name, pump in self._pumps.items() if f"output {name}" not in self._warned]
        return min((pump.delivered or 0 for pump in pumps), default=None)

    async def _prune(self, limits: Limits, *, aged: bool) -> int | None:
        """Keep the journal within its limits. Returns its bytes in use, the whole log with them; None if it cannot be
        written.
        """
        try:
            sizes = await self._decider.prune(limits, aged=aged)
        except (JournalFull, JournalBroken) as error:  # a page that is damaged must not stop what can still be written
            if self._writable:
                log.warning("the journal could not be pruned", reason=str(error))
            self._writable = False
            self._metrics.event("prune_failed")
            return None
        self._writable = True
        self._sizes = sizes
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

    def _behind(self, limits: Limits) -> Iterator[tuple[str, str]]:
        """Outputs for which events wait that are soon to be given up, or are due to be, or have been."""
        for gone in self._outputs.keys() - self._pumps.keys():
            del self._outputs[gone]
        kept = limits.events_kept(self._sizes.update)
        for name, pump in self._pumps.items():
            delivered = pump.delivered
            if delivered is None:
                continue
            many = self._outputs.setdefault(name, Watch(0.8, 0.6)).look(self._decider.committed_event - delivered, kept)
            if many or delivered < self._sizes.gone_event:
                yield f"output {name}", f"output {name}"

    def _of_memory(self) -> Iterator[tuple[str, str]]:
        """Told in log and metrics only: the gateway's alarms are of what is lost, and a restart loses nothing."""
        now = self._look_at_memory()
        self._metrics.memory.set(now.resident)
        self._metrics.memory_bound.set(now.bound)
        if now.bound and self._memory.look(now.resident, now.bound):
            yield "memory", f"{now.resident // MIB} MiB of memory are taken, of {now.bound // MIB}"

    def _tell(self, near: Mapping[str, str]) -> None:
        """In log and metrics, which work on a full disk, too."""
        for bound in near.keys() - self._near.keys():
            log.warning("a bound is near", bound=bound, detail=near[bound])
            self._metrics.near_bound.labels(bound).set(1)
        for bound in self._near.keys() - near.keys():
            log.info("a bound is no longer near", bound=bound)
            self._metrics.near_bound.labels(bound).set(0)
        self._near = dict(near)

    async def _notice(self, kind: AlarmKind, near: Mapping[str, str]) -> bool:
        """Hand it in if it is new. Returns whether it is durable."""
        now = (bool(near), "; ".join(near.values()))
        if now != self._said[kind]:
            self._said[kind] = now
            await self._decider.put(Noticed(kind, now[0], self._clock.now_ms(), now[1]))
            await self._decider.pulse()
        return self._decider.engine.noticed(kind) == now
