"""What the engine has said in the present step, and the present value of everything it has ever said."""

from __future__ import annotations

from gateway.core.plant import TagId
from gateway.core.update import AlarmChange, IncidentChange, Quality, TagChange, Update, Value

_new_tuple = tuple.__new__
"""TagChange(...) without the call into Python that a NamedTuple makes of it: a Health says six Tags."""


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
        if present is not None and source_ms <= present.source_ms:
            if source_ms < present.source_ms and present.quality is not Quality.NO_DATA:
                return
            if source_ms == present.source_ms and value == present.value and quality is present.quality:
                return
        self.tags[tag] = change = _new_tuple(TagChange, (tag, value, quality, source_ms))
        self.updates.append(change)

    def derived(self, tag: TagId, value: Value, source_ms: int, quality: Quality = Quality.GOOD) -> None:
        """A Tag that the engine works out: said only when its value or its quality changes. Its source time is that of
        the value, and never goes back.
        """
        present = self.tags[tag]
        if present.value != value or present.value is None:
            self._put(_new_tuple(TagChange, (tag, value, quality, max(source_ms, present.source_ms))))
        elif present.quality is not quality:
            self._put(TagChange(tag, value, quality, present.source_ms))

    def requalify(self, tag: TagId, quality: Quality) -> None:
        """A value stands as it was, but is trusted differently from now on; its source time does not move. What is bad
        already does not become uncertain.
        """
        present = self.tags[tag]
        if present.quality not in (quality, Quality.NO_DATA) and not (present.quality.is_bad and not quality.is_bad):
            self._put(TagChange(tag, present.value, quality, present.source_ms))

    def configuration(self, tag: TagId, *, broken: bool) -> None:
        """What a Tag depends on by configuration is missing or broken, or (again) in order."""
        present = self.tags[tag]
        if broken == (present.quality is Quality.CONFIGURATION):
            return
        mended = Quality.NO_DATA if present.value is None else Quality.RESTARTED
        quality = Quality.CONFIGURATION if broken else mended
        self._put(TagChange(tag, present.value, quality, present.source_ms))

    def _put(self, change: TagChange) -> None:
        self.tags[change.tag] = change
        self.updates.append(change)

    def take(self) -> list[Update]:
        """The Updates of this step, and an empty page for the next."""
        updates, self.updates = self.updates, []
        return updates
