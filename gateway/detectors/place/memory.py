"""What changes from row to row while a place watches: whether an alarm stands, and the followed mean."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.detectors.place.follow import Follower
from gateway.detectors.place.normal import Floats, Normal
from gateway.detectors.place.settings import Settings
from gateway.detectors.place.threshold import ALARM, OF


@dataclass
class Alarm:
    """Three anomalous rows of five begin it, so many in a row that are not end it."""

    quiet_rows: int
    recent: list[bool] = field(default_factory=list)
    alarmed: bool = False
    latched: bool = False
    quiet: int = 0

    def next(self, anomalous: bool) -> None:
        """A row was anomalous or not."""
        self.recent = [*self.recent[1 - OF :], anomalous]
        self.quiet = 0 if anomalous else self.quiet + 1
        self.alarmed = sum(self.recent) >= ALARM
        self.latched = self.alarmed or (self.latched and self.quiet < self.quiet_rows)


@dataclass
class Memory:
    """Of one place."""

    follower: Follower
    alarm: Alarm

    @classmethod
    def of(cls, normal: Normal, settings: Settings) -> Memory:
        """At the beginning."""
        return cls(Follower.of(normal, settings.follow), Alarm(settings.quiet))

    def next(self, away: Floats, error: float, normal: Normal, threshold: float) -> None:
        """A row was so far [p] from the followed mean; only what is usual is followed."""
        self.alarm.next(error > threshold)
        if error <= threshold and not self.alarm.latched:
            self.follower.step(away, normal, threshold)
