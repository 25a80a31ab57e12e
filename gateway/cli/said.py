"""What nodes have said of late, from the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from gateway.core.entry import EntryKind, Report, decode
from gateway.core.nodes import NOTICES
from gateway.store.reader import Reader
from gateway.wire import age
from gateway.wire.messages import Birth, Flag, Health

LOOK_BACK = 100_000
"""Entries among which the Birth of a node is looked for."""
PAGE = 1000


def reports(reader: Reader, after: int, until: int, node: str) -> list[Report]:
    """What a node has said in the entries above `after`, up to `until`. Raises EntryBroken."""
    found = []
    while after < until and (rows := reader.read(after, min(until - after, PAGE))):
        after = rows[-1].id
        bodies = (decode(row.kind, row.version, row.body) for row in rows if row.kind == EntryKind.REPORT)
        found += [body for body in bodies if isinstance(body, Report) and body.node == node]
    return found


def birth(reader: Reader, node: str) -> Birth | None:
    """The newest of a node; None: it has said none for long. Raises EntryBroken."""
    found = _newest(reader, node, lambda report: isinstance(report.message, Birth))
    return found.message if found and isinstance(found.message, Birth) else None


def of_late(reader: Reader, node: str) -> Iterator[str]:
    """Lines for people: how its learner is doing, and of what it has given notice last. Raises EntryBroken."""
    told = _newest(reader, node, lambda report: isinstance(report.message, Health))
    if told and isinstance(told.message, Health) and (learner := told.message.learner):
        state = _STATES.get(learner.state, f"is in state {learner.state}")
        yield f"{_time(told)} learner {state}, {learner.learned} windows, similarity {learner.similarity}"
    noticed = _newest(reader, node, lambda report: isinstance(report.message, Flag) and report.message.why in NOTICES)
    if noticed and isinstance(noticed.message, Flag):
        yield f"{_time(noticed)} gave notice: {_NOTICED[noticed.message.why]}"


_STATES = {0: "is empty", 1: "learns", 2: "watches", 3: "is frozen"}  # nodes/wire/wire.cddl, `health`
_NOTICED = {
    9: "the sensor lies otherwise than when it learned",
    10: "what is usual has drifted far from what was learned",
    11: "news has waited for the battery",
    15: "it learns nothing, because its model or its limits find window after window anomalous",
}


def _time(report: Report) -> str:
    at_ms = report.received_ms - age.decode(report.message.age)
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(sep=" ", timespec="seconds")


def _newest(reader: Reader, node: str, wanted: Callable[[Report], bool]) -> Report | None:
    """Of a node, what is wanted; None: it has said none for long."""
    end = reader.head_id()
    first = max(reader.first_id - 1, end - LOOK_BACK)
    while end > first:
        begin = max(first, end - PAGE)
        if found := list(filter(wanted, reports(reader, begin, end, node))):
            return found[-1]
        end = begin
    return None
