"""Reload: what changes from one configuration to the next, as a pure function, and whose turn it is to be reloaded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from gateway.core.plant import Plant

K = TypeVar("K")

RESTART_ONLY = "cannot change while the gateway runs; restart it, or put back what was there"


@dataclass(frozen=True, slots=True)
class Makeup:
    """What a gateway is made of as far as its configuration says. Two values of the same key are compared by ==."""

    fixed: Mapping[str, object]  # key path -> value that only a restart can change
    live: Mapping[str, object]  # key path -> value that is taken over in place
    models: Mapping[str, object]  # bundle -> its contents
    parts: Mapping[str, object]  # "link NAME" or "output NAME" -> its table, and the contents of the files it names
    shown: Mapping[str, object]  # "output NAME" -> what it shows of the plant
    plant: Plant


@dataclass(frozen=True, slots=True)
class Difference:
    """What has to be done to get from one makeup to another. All names are sorted; none is in two of the lists."""

    refused: tuple[str, ...] = ()  # keys
    stop: tuple[str, ...] = ()  # parts
    restart: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    live: tuple[str, ...] = ()  # keys
    models: tuple[str, ...] = ()
    plant: tuple[str, ...] = ()  # in words

    def told(self) -> tuple[str, ...]:
        """One line for each thing that changes, for a person."""
        return (
            *(f"{part}: stopped" for part in self.stop),
            *(f"{part}: restarted" for part in self.restart),
            *(f"{part}: started" for part in self.start),
            *(f"{key}: changed" for key in self.live),
            *(f"model {name}: changed" for name in self.models),
            *self.plant,
        )


def difference(old: Makeup, new: Makeup) -> Difference:
    """What changes. A part that stays is restarted if its table, a file named in it, or what it shows has changed."""
    there, wanted = old.parts.keys(), new.parts.keys()
    different = _changed(old.parts, new.parts) | _changed(old.shown, new.shown)
    return Difference(
        refused=_sorted(_changed(old.fixed, new.fixed)),
        stop=_sorted(there - wanted),
        restart=_sorted(different & there & wanted),
        start=_sorted(wanted - there),
        live=_sorted(_changed(old.live, new.live)),
        models=_sorted(_changed(old.models, new.models)),
        plant=tuple(_plant_changes(old.plant, new.plant)),
    )


def _changed(old: Mapping[K, object], new: Mapping[K, object]) -> set[K]:
    """Keys that have come, gone or got another value."""
    both = old.keys() & new.keys()
    return (old.keys() ^ new.keys()) | {key for key in both if old[key] != new[key]}


def _sorted(names: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(names))


def _plant_changes(old: Plant, new: Plant) -> Iterator[str]:
    for noun, before, after in (("asset", old.assets, new.assets), ("node", old.nodes, new.nodes)):
        yield from (f"{noun} {name}: removed" for name in sorted(before.keys() - after.keys()))
        yield from (f"{noun} {name}: added" for name in sorted(after.keys() - before.keys()))
    for name in sorted(old.assets.keys() & new.assets.keys()):
        if old.assets[name] != new.assets[name]:
            yield f"asset {name}: changed"
    for name in sorted(old.nodes.keys() & new.nodes.keys()):
        was, now = old.nodes[name], new.nodes[name]
        if was.asset != now.asset:
            yield f"node {name}: moved from {was.asset} to {now.asset}"
        elif was != now:
            yield f"node {name}: changed"
    yield from (f"alarm.{kind}: changed" for kind in sorted(_changed(old.alarms, new.alarms)))
    if old.correlate_ms != new.correlate_ms:
        yield "correlation.within_s: changed"
    if old.liveness != new.liveness:
        yield "liveness: changed"
    if old.rescoring.deadline_ms != new.rescoring.deadline_ms:
        yield "rescoring.deadline_s: changed"


@dataclass(frozen=True, slots=True)
class Reloaded:
    """How a reload went: what has changed, or why nothing has."""

    changed: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


class Reloads:
    """One reload at a time. Those who ask while one is under way share the next."""

    def __init__(self, work: Callable[[], Awaitable[Reloaded]]) -> None:
        self._work = work
        self._asked = asyncio.Event()
        self._next: asyncio.Future[Reloaded] | None = None

    def ask(self) -> asyncio.Future[Reloaded]:
        """The outcome of a reload that begins after this call. Cancelling it spoils it for the others: shield it."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
            self._asked.set()
        return self._next

    async def run(self) -> None:
        """Reload when asked, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            asked, self._next = self._next, None
            outcome = await self._work()
            if asked and not asked.done():
                asked.set_result(outcome)
