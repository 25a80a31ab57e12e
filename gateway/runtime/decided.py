"""One group of decisions on its way to disk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.core.command import CommandResult, Outcome
from gateway.core.engine import Engine
from gateway.core.entry import Body, Configured
from gateway.core.plant import TagId
from gateway.core.update import AlarmChange, IncidentChange, TagChange
from gateway.runtime.admission import Admitted
from gateway.runtime.clock import Moment
from gateway.runtime.inbound import Arrival, Look, View, Wake
from gateway.store.group import Row
from gateway.store.schema import JournalFull


@dataclass(slots=True)
class Decided:
    """What is to be written, and whom to tell afterwards."""

    now: Moment
    rows: list[Row] = field(default_factory=list)
    decisions: list[tuple[int, bytes]] = field(default_factory=list)
    events: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    tags: dict[TagId, TagChange] = field(default_factory=dict)  # the newest of each
    changes: list[AlarmChange | IncidentChange] = field(default_factory=list)
    heard: list[tuple[Arrival, Admitted]] = field(default_factory=list)
    answers: list[tuple[asyncio.Future[CommandResult], CommandResult]] = field(default_factory=list)
    marks: dict[str, int] = field(default_factory=dict)
    places: dict[str, bytes] = field(default_factory=dict)
    images: dict[bytes, bytes] = field(default_factory=dict)  # SHA-256 -> payload, of what is offered
    kept: list[asyncio.Future[None]] = field(default_factory=list)  # of those who wait for what they handed in
    configured: Configured | None = None  # the newest
    looks: list[Look] = field(default_factory=list)
    wakes: list[Wake] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)  # handed in as such; those that nobody would hand in again
    view: View | None = None
    waiting: bool = False
    last: bool = False

    def image_changes(self, held: Mapping[bytes, bytes], engine: Engine) -> tuple[dict[bytes, bytes], list[bytes]]:
        """Of images: those that a letter names since this group, and those `held` that none names any more."""
        if not (held or self.images):
            return {}, []
        named = engine.mail.images()
        fresh = {name: data for name, data in self.images.items() if name in named}
        return fresh, [name for name in held if name not in named]

    def happened(self) -> None:
        """It is durable: tell those who wait."""
        for answer, result in self.answers:
            if not answer.done():
                answer.set_result(result)
        for kept in self.kept:
            if not kept.done():
                kept.set_result(None)
        self._turned()

    def refused(self, why: str) -> None:
        """Nothing of it has happened: tell those who wait."""
        for answer, _ in self.answers:
            if not answer.done():
                answer.set_result(CommandResult(Outcome.REFUSED, detail=f"the journal cannot be written: {why}"))
        for kept in self.kept:
            if not kept.done():
                kept.set_exception(JournalFull(why))
        self._turned()

    def _turned(self) -> None:
        for wake in self.wakes:
            if wake.turned and not wake.turned.done():
                wake.turned.set_result(None)


def view_of(engine: Engine) -> View:
    """The present state; the engine knows its plant."""
    return View(engine.last_id, engine.ledger.event, engine.present_tags(), engine.present_alarms())
