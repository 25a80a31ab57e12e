"""Pumps: one per Output, each a cursor over the journal's Updates. A slow or dead Output holds up nobody.

After a (re)start an Output is given the present state; of what it missed it gets every alarm and incident event, in
order, while Tags are given as they are now: nobody is served yesterday's values as news.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.core.command import Command, CommandResult
from gateway.core.plant import Plant
from gateway.core.update import AlarmChange, TagChange, Update, decode_decision
from gateway.outputs import Output, Present
from gateway.runtime.decider import Decider
from gateway.runtime.metrics import Metrics
from gateway.store.reader import Reader

BATCH = 500  # journalled decisions per batch


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
            rows = await asyncio.to_thread(self._read.events, after, limit)
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
        marks = await asyncio.to_thread(self._read.marks)
        return marks.get(f"output/{self.name}/{name}", 0)

    async def set_mark(self, name: str, value: int) -> None:
        """Keep a number durably for this Output."""
        await self._decider.keep(f"output/{self.name}/{name}", value)

    def count(self, name: str, by: int = 1) -> None:
        """Add to this Output's named counter."""
        self._count(name, by)

    async def session(self) -> None:
        """Open the Output and feed it until it fails."""
        self._reader = await asyncio.to_thread(Reader.open, self._journal)
        output = self._make()
        try:
            marks = await asyncio.to_thread(self._read.marks)
            self.cursor = max(self.cursor, marks.get(f"cursor/{self.name}", 0))
            view = await self._decider.view()
            await output.open(self, Present(view.tags, view.alarms))
            await self._catch_up(output, view.entry)
            while True:
                await self._decider.news(self.cursor)
                await self._deliver(output, self._decider.committed_id, events_only=False)
        finally:
            await output.close()
            self._reader.close()

    @property
    def _read(self) -> Reader:
        assert self._reader is not None
        return self._reader

    async def _catch_up(self, output: Output, until: int) -> None:
        while self.cursor < until:
            await self._deliver(output, until, events_only=True)

    async def _deliver(self, output: Output, until: int, *, events_only: bool) -> None:
        rows = await asyncio.to_thread(self._read.decisions, self.cursor, BATCH)
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
