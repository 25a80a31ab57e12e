"""Pumps: one per Output. A slow or dead Output holds up nobody.

After a (re)start an Output is given the present state; of what it missed it gets every alarm and incident event, in
order, while Tags are given as they are now: nobody is served yesterday's values as news. An Output's cursor is
therefore the number of the last event that it has delivered.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import structlog

from gateway.core.command import Command, CommandResult
from gateway.core.event_id import EventIds
from gateway.core.plant import Plant
from gateway.core.update import AlarmChange, IncidentChange, TagChange, Update, decode_updates
from gateway.outputs import Gap, Output, OutputFailed, Present
from gateway.runtime.decider import Decider
from gateway.runtime.feed import Event, Feed, Pace
from gateway.runtime.metrics import Metrics
from gateway.store.reader import Reader
from gateway.store.schema import JournalFull

BATCH = 500  # events, and Tags, in one batch
TAGS_APART_S = 0.02
"""Batches of Tags are so far from each other, unless a full one waits or an event takes them along: a batch costs an
Output as much as some hundred Tags, and a group of the decider brings a few.
"""

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
        self._event_ids = EventIds(gateway_id)
        self._metrics = metrics
        self._count = metrics.output(name)
        self._reader: Reader | None = None
        self._thread = ThreadPoolExecutor(1, f"output {name}")  # the reader's one thread
        self._output: Output | None = None  # the last one that was opened, or was tried to be
        self._placed = False
        self.cursor = 0  # number of the last event delivered
        self.settled = asyncio.Event()  # has been opened, or has failed to
        self.up = False

    @property
    def delivered(self) -> int | None:
        """Number of the last event that its peers have; None: not known yet, before it was opened, or failed to be, for
        the first time.
        """
        if not (self._placed and self._output):
            return None
        taken: int | None = getattr(self._output, "taken", None)
        return self.cursor if taken is None else min(self.cursor, taken)

    @property
    def gateway_id(self) -> bytes:
        """8 bytes that name this gateway."""
        return self._gateway_id

    @property
    def event_ids(self) -> EventIds:
        """What names each event for good."""
        return self._event_ids

    @property
    def plant(self) -> Plant:
        """The plant as configured now."""
        assert self._decider.engine.plant is not None
        return self._decider.engine.plant

    async def command(self, command: Command) -> CommandResult:
        """Journal a person's command."""
        return await self._decider.command(command)

    async def alarm_events(self, after: int, limit: int) -> Sequence[AlarmChange | Gap]:
        """Journalled alarm events above a number, after a Gap if the first of them are gone."""
        events = await self._events_after(after, limit)
        found = [event for event in events if not isinstance(event, IncidentChange)]
        if found and isinstance(found[0], Gap):
            limit += 1
        while events and len(found) < limit:
            events = await self._events_after(_last(events), limit)
            found += [event for event in events if not isinstance(event, IncidentChange)]
        return found[:limit]

    async def mark(self, name: str) -> int:
        """A number kept for this Output."""
        marks = await self._read(Reader.marks)
        return marks.get(f"output/{self.name}/{name}", 0)

    async def set_mark(self, name: str, value: int) -> None:
        """Keep a number durably for this Output. Raises OutputFailed while the journal cannot be written."""
        await self._keep(f"output/{self.name}/{name}", value)

    def count(self, name: str, by: int = 1) -> None:
        """Add to this Output's named counter."""
        self._count(name, by)

    async def session(self) -> None:
        """Open the Output and feed it until it fails. Raises OutputFailed."""
        output, feed = self._make(), Feed()
        try:
            view = await self._decider.view(feed)
            await self._find_cursor(view.event)
            try:
                await output.open(self, Present(view.tags, view.alarms))
            finally:
                self._output = output
            log.info("output up", output=self.name)
            self.up = True
            self.settled.set()
            await self._deliver(output, feed)
        finally:
            self.up = False
            self.settled.set()
            self._decider.unfollow(feed)
            try:
                await output.close()
            finally:
                self._thread.submit(self._close_reader)

    async def _find_cursor(self, present: int) -> None:
        """A new Output begins at the present, and this is kept before it can miss anything."""
        marks = await self._read(Reader.marks)
        self._event_ids = EventIds.of_marks(self._gateway_id, marks)
        if self.mark_name not in marks:
            await self._keep(self.mark_name, present)
        self.cursor = max(self.cursor, marks.get(self.mark_name, present))
        self._placed = True
        self._metrics.lag.labels(self.name).set_function(self._lag)  # whoever asks, and whether it is up or down

    def _lag(self) -> float:
        return max(0, self._decider.committed_event - self.cursor)

    async def _deliver(self, output: Output, feed: Feed) -> None:
        pace, loop = Pace(getattr(output, "tags_per_s", math.inf)), asyncio.get_running_loop()
        gone: asyncio.Future[str] = getattr(output, "gone", None) or loop.create_future()
        gone.add_done_callback(lambda _: feed.wake())
        rests_until_s = 0.0
        while True:
            if gone.done():
                raise OutputFailed(gone.result())
            events = await self._next_events(feed)
            now_s = loop.time()
            tags: list[TagChange] = []
            if events or now_s >= rests_until_s:
                allowed = pace.allowed(now_s)
                tags = feed.take_tags(BATCH if allowed is None else min(allowed, BATCH))
                pace.spend(len(tags))
                rests_until_s = now_s + (TAGS_APART_S if 0 < len(tags) < BATCH else 0)
            if tags or events:
                batch: Sequence[Update | Gap] = [*tags, *events]
                await output.write(batch)
                self._delivered(events)
            elif feed.has_tags:
                await _event_within(feed, max(pace.wait_s, rests_until_s - now_s))
            else:
                await feed.news.wait()

    async def _next_events(self, feed: Feed) -> list[Event | Gap]:
        """From memory; from the journal while the feed is behind, where a Gap may show."""
        feed.looked()
        if not feed.behind:
            return [*feed.take_events(BATCH)]
        if self.cursor >= self._decider.committed_event:
            feed.caught_up()
            return []
        return await self._events_after(self.cursor, BATCH)

    async def _events_after(self, after: int, limit: int) -> list[Event | Gap]:
        """Of the journal, at most `limit`; before them a Gap where the first numbers are gone."""
        durable = self._decider.committed_event
        events = await self._read(_events, after, limit)
        first = events[0].event if events else durable + 1
        return [Gap(after + 1, first - 1), *events] if first > after + 1 else [*events]

    def _delivered(self, events: Sequence[Event | Gap]) -> None:
        if not events:
            return
        self.cursor = _last(events)
        self._decider.mark(self.mark_name, self.cursor)

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

    @property
    def mark_name(self) -> str:
        """Under which the journal keeps the cursor."""
        return f"event/{self.name}"

    async def _keep(self, name: str, value: int) -> None:
        try:
            await self._decider.keep(name, value)
        except JournalFull as error:
            raise OutputFailed(str(error)) from error


def _last(events: Sequence[Event | Gap]) -> int:
    last = events[-1]
    return last.last_event if isinstance(last, Gap) else last.event


async def _event_within(feed: Feed, wait_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await feed.urgent.wait()


def _events(reader: Reader, after: int, limit: int) -> list[Event]:
    """The next events of the journal."""
    found = (update for _, _, body in reader.events(after, limit) for update in decode_updates(body))
    return [update for update in found if not isinstance(update, TagChange)]
