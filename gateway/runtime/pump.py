"""Pumps: one per Output, each a cursor over the journal's Updates. A slow or dead Output holds up nobody.

After a (re)start an Output is given the present state; of what it missed it gets every alarm and incident event, in
order, while Tags are given as they are now: nobody is served yesterday's values as news.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import structlog

from gateway.core.command import Command, CommandResult
from gateway.core.plant import Plant
from gateway.core.update import AlarmChange, TagChange, Update, decode_decision
from gateway.outputs import Output, OutputFailed, Present
from gateway.runtime.decider import Decider
from gateway.runtime.metrics import Metrics
from gateway.store.reader import Reader
from gateway.store.schema import JournalFull

BATCH = 500  # journalled decisions per batch

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger()


class Pump:
    """Moves one Output along the journal. It is the `Host` that the Output sees."""

    def __init__(
        self, name: str, make: Callable[[], Output], decider: Decider, journal: Path, gateway_id: bytes,
        metrics: Metrics,
    ) -> None:  # fmt: skip
        self.name = name
        self._make = make
        self._decider = decider
        self._journal = journal
        self._gateway_id = gateway_id
        self._metrics = metrics
        self._count = metrics.output(name)
        self._reader: Reader | None = None
        self._thread = ThreadPoolExecutor(1, f"output {name}")  # the reader's one thread
        self.cursor = 0

    @property
    def gateway_id(self) -> bytes:
        """8 bytes that name this gateway."""
        return self._gateway_id

    @property
    def plant(self) -> Plant:
        """The plant as configured now."""
        assert self._decider.engine.plant is not None
        return self._decider.engine.plant

    async def command(self, command: Command) -> CommandResult:
        """Journal a person's command."""
        return await self._decider.command(command)

    async def alarm_events(self, after: int, limit: int) -> Sequence[AlarmChange]:
        """Journalled alarm events above a number."""
        found: list[AlarmChange] = []
        while len(found) < limit:
            rows = await self._read(Reader.events, after, limit)
            for number, _, index, data in rows:
                update = decode_decision(data)[index]
                after = number
                if isinstance(update, AlarmChange) and len(found) < limit:
                    found.append(update)
            if len(rows) < limit:
                break
        return found

    async def mark(self, name: str) -> int:
        """A number kept for this Output."""
        marks = await self._read(Reader.marks)
        return marks.get(f"output/{self.name}/{name}", 0)

    async def set_mark(self, name: str, value: int) -> None:
        """Keep a number durably for this Output. Raises OutputFailed while the journal cannot be written."""
        try:
            await self._decider.keep(f"output/{self.name}/{name}", value)
        except JournalFull as error:
            raise OutputFailed(str(error)) from error

    def count(self, name: str, by: int = 1) -> None:
        """Add to this Output's named counter."""
        self._count(name, by)

    async def session(self) -> None:
        """Open the Output and feed it until it fails. Raises OutputFailed."""
        output = self._make()
        try:
            marks = await self._read(Reader.marks)
            self.cursor = max(self.cursor, marks.get(f"cursor/{self.name}", 0))
            view = await self._decider.view()
            await output.open(self, Present(view.tags, view.alarms))
            log.info("output up", output=self.name)
            await self._catch_up(output, view.entry)
            while True:
                await self._decider.news(self.cursor)
                await self._deliver(output, self._decider.committed_id, events_only=False)
        finally:
            try:
                await output.close()
            finally:
                self._thread.submit(self._close_reader)

    async def _read(self, read: Callable[Concatenate[Reader, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read the journal in the reader's thread, so that a cancelled read is over before the reader is closed."""
        call = partial(self._now, read, *args, **kwargs)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except JournalFull as error:
            raise OutputFailed(str(error)) from error

    def _now(self, read: Callable[Concatenate[Reader, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._reader is None:
            self._reader = Reader.open(self._journal)
        return read(self._reader, *args, **kwargs)

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    async def _catch_up(self, output: Output, until: int) -> None:
        while self.cursor < until:
            await self._deliver(output, until, events_only=True)

    async def _deliver(self, output: Output, until: int, *, events_only: bool) -> None:
        rows = await self._read(Reader.decisions, self.cursor, BATCH)
        updates: list[Update] = []
        for entry, data in rows:
            if entry > until:
                break
            updates.extend(u for u in decode_decision(data) if not (events_only and isinstance(u, TagChange)))
        if updates:
            await output.write(updates)
        self.cursor = until if len(rows) < BATCH else min(until, rows[-1][0])
        self._metrics.lag.labels(self.name).set(self._decider.committed_id - self.cursor)
        self._decider.mark(f"cursor/{self.name}", self.cursor)
