"""What the engine has said in the present step, and the present value of everything it has ever said."""

from __future__ import annotations

from gateway.core.plant import TagId
from gateway.core.update import AlarmChange, IncidentChange, Quality, TagChange, Update, Value


class Ledger:
    """Collects the Updates of one step, numbers events, and keeps the newest change of every Tag."""

    def __init__(self) -> None:
        self.updates: list[Update] = []
        self.event = 0
        self.tags: dict[TagId, TagChange] = {}
        self.counters: dict[str, int] = {}

    def next_event(self) -> int:
        """The number of the next alarm or incident event: without gaps, from 1."""
        self.event += 1
        return self.event

    def say(self, change: AlarmChange | IncidentChange) -> None:
        """An Alarm or an Incident has changed."""
        self.updates.append(change)

    def count(self, name: str) -> None:
        """Something was not used, and this is its name."""
        self.counters[name] = self.counters.get(name, 0) + 1

    def tag(self, tag: TagId, value: Value, source_ms: int, quality: Quality = Quality.GOOD) -> None:
        """A Tag was measured or derived. What is older than the value that stands does not replace it."""
        present = self.tags.get(tag)
        if present is not None and source_ms < present.source_ms and present.quality is not Quality.NO_DATA:
            return
        change = TagChange(tag, value, quality, source_ms)
        if change != present:
            self.tags[tag] = change
            self.updates.append(change)

    def derived(self, tag: TagId, value: Value, source_ms: int) -> None:
        """A Tag that the engine works out: said only when its value changes."""
        present = self.tags.get(tag)
        if present is None or present.value != value or not present.quality.is_good:
            change = TagChange(tag, value, Quality.GOOD, source_ms)
            self.tags[tag] = change
            self.updates.append(change)

    def requalify(self, tag: TagId, quality: Quality) -> None:
        """A value stands as it was, but is trusted differently from now on; its source time does not move."""
        present = self.tags.get(tag)
        if present is not None and present.quality not in (quality, Quality.NO_DATA):
            change = TagChange(tag, present.value, quality, present.source_ms)
            self.tags[tag] = change
            self.updates.append(change)

    def take(self) -> list[Update]:
        """The Updates of this step, and an empty page for the next."""
        updates, self.updates = self.updates, []
        return updates
