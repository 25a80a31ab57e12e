"""Outputs: one file (or one small folder) per northbound protocol, found by its name.

A module here offers `Settings` (pydantic, frozen, its own table in stethos.toml) and `Output`, a class that fits
`gateway.outputs.Output`, and `addresses(plant, settings) -> Mapping[TagId, str]`, which `stethos tags` prints; it may
offer `shown(plant)` where the one below would say too much. An Output opens, writes batches of Updates, and closes. It
never retries, never stores and never reconnects by itself: the host (`gateway/runtime/pump.py`) does, by closing it and
opening it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from gateway.core.command import Command, CommandResult
from gateway.core.event_id import EventIds
from gateway.core.plant import Plant
from gateway.core.update import AlarmChange, TagChange, Update


class OutputFailed(Exception):  # noqa: N818 - it is the world's fault, not an error in the program
    """The peer, network or port failed; the host closes the Output, waits and opens it again."""


@dataclass(frozen=True, slots=True)
class Present:
    """The state of the plant as of one cursor: the newest value of every Tag, the newest change of every Alarm that
    has ever changed.
    """

    tags: Sequence[TagChange]
    alarms: Sequence[AlarmChange]


@dataclass(frozen=True, slots=True)
class Gap:
    """Alarm and incident events that this Output can no longer be given: the journal's bound on events was passed
    before they could be delivered. Numbers of the first and the last of them.
    """

    first_event: int
    last_event: int

    @property
    def events(self) -> int:
        """How many were given up."""
        return self.last_event - self.first_event + 1


class Host(Protocol):
    """What the gateway offers to an Output. All coroutines are called on the loop the Output lives on."""

    @property
    def gateway_id(self) -> bytes:
        """8 bytes that name this gateway for good."""
        ...

    @property
    def event_ids(self) -> EventIds:
        """What names each event for good, in every Output alike."""
        ...

    @property
    def plant(self) -> Plant:
        """The plant as configured now. A change of configuration closes and re-opens the Output."""
        ...

    async def command(self, command: Command) -> CommandResult:
        """Journal a person's command and return the engine's answer, after it is durable."""
        ...

    async def alarm_events(self, after: int, limit: int) -> Sequence[AlarmChange | Gap]:
        """Journalled alarm events with a number above `after`, oldest first, at most `limit`. Where the first of those
        numbers are no longer kept, a Gap over them comes before.
        """
        ...

    async def mark(self, name: str) -> int:
        """A number that this Output has asked to be kept durably under `name`; 0 if it never has."""
        ...

    async def set_mark(self, name: str, value: int) -> None:
        """Keep a number durably for this Output."""
        ...

    def count(self, name: str, by: int = 1) -> None:
        """Add to this Output's named counter (drops, refusals, peers' errors): metric `stethos_output_<name>_total`."""
        ...


class Output(Protocol):
    """One northbound protocol.

    An Output for which a Tag change is dear may have an attribute `tags_per_s`: the host then hands it at most so many
    a second, the newest of each Tag. Events are not counted and never left out.

    One that learns by itself that its peer is gone may have a future `gone`, done with the reason: the host need not
    wait for the next write to find out.

    One whose peer takes events from the journal at its own pace, and not with `write`, may have `taken`: number of the
    last event that it has taken, None while it follows nothing or nothing waits for it. Asked for at any time after
    `open`, even after `close`; what is above it counts as not delivered.
    """

    def __init__(self, settings: object) -> None: ...

    async def open(self, host: Host, present: Present) -> None:
        """Start serving `present`. Raises OutputFailed if the peer or port is not to be had."""
        ...

    async def write(self, batch: Sequence[Update | Gap]) -> None:
        """Hand on a batch: Tags, each once with its newest value, then events in the order of their numbers. Returns
        when it is delivered as the output's promise says: the host then moves the cursor. Raises OutputFailed
        otherwise; the host will write the same events again after re-opening.
        """
        ...

    async def close(self) -> None:
        """Stop serving. Never raises; may be called after a failed open."""
        ...


def shown(plant: Plant) -> object:
    """What an Output shows of a plant: when this differs, an open Output is closed and opened again. Where things
    stand, and what a person is told of each Alarm; not how decisions are taken, nor keys and models.
    """
    return (
        plant.site,
        {asset.name: (asset.area, asset.line, asset.slot) for asset in plant.assets.values()},
        {node.name: (node.asset, node.slot) for node in plant.nodes.values()},
        {alarm: replace(plant.told(alarm), on_delay_ms=0, off_delay_ms=0) for alarm in plant.alarm_ids()},
    )
