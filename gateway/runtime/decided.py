"""One group of decisions on its way to disk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.core.command import CommandResult
from gateway.core.engine import Engine
from gateway.core.entry import Body
from gateway.core.plant import TagId
from gateway.core.update import AlarmChange, IncidentChange, TagChange
from gateway.runtime.admission import Admitted
from gateway.runtime.clock import Moment
from gateway.runtime.inbound import Arrival, Keep, Look, View, Wake
from gateway.store.group import Row


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
    kept: list[Keep] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    wakes: list[Wake] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)  # handed in as such; those that nobody would hand in again
    view: View | None = None
    waiting: bool = False
    last: bool = False


def view_of(engine: Engine) -> View:
    """The present state; the engine knows its plant."""
    return View(engine.last_id, engine.ledger.event, engine.present_tags(), engine.present_alarms())


def turned(wakes: Sequence[Wake]) -> None:
    """Tell those who asked that the pipeline has turned."""
    for wake in wakes:
        if wake.turned and not wake.turned.done():
            wake.turned.set_result(None)
