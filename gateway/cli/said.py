"""What nodes have said of late, from the journal."""

from __future__ import annotations

from gateway.core.entry import EntryKind, Report, decode
from gateway.store.reader import Reader
from gateway.wire.messages import Birth

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
    end = reader.head_id()
    first = max(reader.first_id - 1, end - LOOK_BACK)
    while end > first:
        begin = max(first, end - PAGE)
        births = [r.message for r in reports(reader, begin, end, node) if isinstance(r.message, Birth)]
        if births:
            return births[-1]
        end = begin
    return None
