"""What can be handed to the decider."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.core.command import CommandResult
from gateway.core.entry import Body, Commanded, Configured, Offered, Posted
from gateway.core.update import AlarmChange, TagChange
from gateway.links import Frame
from gateway.runtime.feed import Feed
from gateway.runtime.outbox import Outbox


class Arrival(NamedTuple):
    """A frame, and where its answer goes."""

    frame: Frame
    link: str
    via: Outbox


@dataclass(slots=True)
class Request:
    """What a person asks of an alarm, or has for a node, and who waits for the answer. `image`: the payload of what is
    offered.
    """

    body: Commanded | Posted | Offered
    answer: asyncio.Future[CommandResult]
    image: bytes = b""


@dataclass(slots=True)
class Keep:
    """A mark that somebody waits for to be durable."""

    name: str
    value: int
    done: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class Places:
    """What the gateway's learner knows of nodes' places now; kept with the next commit."""

    states: Mapping[str, bytes]


@dataclass(slots=True)
class Change:
    """A configuration that somebody puts in force: `make` is called when its turn has come, and `marks` are kept with
    it.
    """

    make: Callable[[], Configured]
    marks: Mapping[str, int]
    done: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class View:
    """The state of the plant as of a durable entry."""

    entry: int
    event: int  # number of the last event so far
    tags: Sequence[TagChange]
    alarms: Sequence[AlarmChange]


@dataclass(slots=True)
class Look:
    """Somebody wants to see the present state, once it is durable, and whatever comes after it in a feed."""

    answer: asyncio.Future[View]
    feed: Feed | None = None


@dataclass(slots=True)
class Wake:
    """Marks have waited long enough, or somebody wants to know that the pipeline turns."""

    turned: asyncio.Future[None] | None = None


@dataclass(slots=True)
class Stop:
    """Nothing comes after this."""


Item = list[Arrival] | Request | Keep | Places | Change | Look | Wake | Stop | Body
"""Arrivals come in lists: what one Link has received at once."""
