"""What waits for one Output: the newest change of every Tag, and events in order, both bounded."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from itertools import islice

from gateway.core.plant import TagId
from gateway.core.update import AlarmChange, IncidentChange, TagChange

EVENTS_HELD = 4096
"""Events in memory for one Output; an Output that is further behind reads the journal."""

Event = AlarmChange | IncidentChange


class Feed:
    """Filled by the decider with what is durable, emptied by one pump.

    Tags are coalesced, so there are never more than the plant has. Events beyond EVENTS_HELD are not held at all: the
    feed is `behind` then, and its pump reads them from the journal until it has caught up. It begins so.
    """

    def __init__(self) -> None:
        self.behind = True
        self.news = asyncio.Event()  # anything has come
        self.urgent = asyncio.Event()  # an event has come
        self._tags: dict[TagId, TagChange] = {}
        self._events: list[Event] = []

    def put(self, tags: Mapping[TagId, TagChange], events: Sequence[Event]) -> None:
        """More is durable."""
        self._tags.update(tags)
        if not self.behind:
            self._events.extend(events)
            if len(self._events) > EVENTS_HELD:
                self.behind = True
                self._events = []
        if events:
            self.wake()
        elif tags:
            self.news.set()

    def wake(self) -> None:
        """Whoever waits for anything is to look now."""
        self.news.set()
        self.urgent.set()

    def looked(self) -> None:
        """What has come until now is going to be taken."""
        self.news.clear()
        self.urgent.clear()

    def caught_up(self) -> None:
        """Everything before the next `put` has been read from the journal."""
        self.behind = False

    @property
    def has_tags(self) -> bool:
        """Whether a Tag waits."""
        return bool(self._tags)

    def take_tags(self, limit: int) -> list[TagChange]:
        """At most `limit` Tags, those that have waited longest."""
        if limit >= len(self._tags):
            tags, self._tags = self._tags, {}
            return list(tags.values())
        return list(map(self._tags.pop, list(islice(self._tags, limit))))

    def take_events(self, limit: int) -> list[Event]:
        """The oldest events, at most `limit`."""
        taken, self._events = self._events[:limit], self._events[limit:]
        return taken


class Pace:
    """A token bucket: so many Tags a second, and at most a tenth of a second's worth at once. An empty bucket is filled
    by half before it gives again: a hundred Tags in one batch cost much less than in a hundred.
    """

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._most = max(1.0, per_s / 10)
        self._worth = max(1.0, self._most / 2)
        self._tokens = self._most
        self._resting = False
        self._at_s = 0.0

    def allowed(self, now_s: float) -> int | None:
        """How many may go now; None: any number."""
        if math.isinf(self._per_s):
            return None
        self._tokens = min(self._most, self._tokens + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        self._resting = self._resting and self._tokens < self._worth
        return 0 if self._resting else int(self._tokens)

    def spend(self, count: int) -> None:
        """So many have gone."""
        self._tokens -= count
        self._resting = self._resting or self._tokens < 1

    @property
    def wait_s(self) -> float:
        """Seconds until it is worth asking again: half the bucket."""
        return max(0.0, (self._worth - self._tokens) / self._per_s)
