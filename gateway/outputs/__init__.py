"""Outputs: one file (or one small folder) per northbound protocol, found by its name.

A module here offers `Settings` (pydantic, frozen, its own table in stethos.toml) and `Output`, a class that fits
`gateway.outputs.Output`, and `addresses(plant, settings) -> Mapping[TagId, str]`,
which `stethos tags` prints. An Output opens, writes batches of Updates,
and closes. It never retries, never stores and never reconnects by itself: the host (`gateway/runtime/pump.py`) does,
by closing it and opening it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.core.command import Command, CommandResult
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


class Host(Protocol):
    """What the gateway offers to an Output. All coroutines are called on the loop the Output lives on."""

    @property
    def gateway_id(self) -> bytes:
        """8 bytes that name this gateway for good; with an event's number they make a globally unique event id."""
        ...

    @property
    def plant(self) -> Plant:
        """The plant as configured now. A change of configuration closes and re-opens the Output."""
        ...

    async def command(self, command: Command) -> CommandResult:
        """Journal a person's command and return the engine's answer, after it is durable."""
        ...

    async def alarm_events(self, after: int, limit: int) -> Sequence[AlarmChange]:
        """Journalled alarm events with a number above `after`, oldest first, at most `limit`."""
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
    """One northbound protocol."""

    def __init__(self, settings: object) -> None: ...

    async def open(self, host: Host, present: Present) -> None:
        """Start serving `present`. Raises OutputFailed if the peer or port is not to be had."""
        ...

    async def write(self, batch: Sequence[Update]) -> None:
        """Hand on a batch, in order. Returns when it is delivered as the output's promise says: the host then moves
        the cursor. Raises OutputFailed otherwise; the host will write the same Updates again after re-opening.
        """
        ...

    async def close(self) -> None:
        """Stop serving. Never raises; may be called after a failed open."""
        ...
