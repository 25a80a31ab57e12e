"""What the journal is made of, and how a group of it extends the chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.store import chain
from gateway.store.schema import ANCHORED_KIND
from gateway.store.seals import Event


class Row(NamedTuple):
    """One journal entry as stored."""

    id: int  # from 1, no gaps
    at_ms: int  # the gateway's decision time, Unix ms, never falls
    kind: str
    version: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Group:
    """What one commit makes durable, all or nothing."""

    rows: Sequence[Row] = ()
    decisions: Sequence[tuple[int, bytes]] = ()  # (entry id, encoded Updates), where there are any
    events: Sequence[Event] = ()  # in order
    windows: Mapping[str, bytes] = field(default_factory=dict)  # node with its key generation -> window state
    marks: Mapping[str, int] = field(default_factory=dict)  # cursors, output marks, downlink counters
    places: Mapping[str, bytes] = field(default_factory=dict)  # node -> what the gateway has learned at its place
    images: Mapping[bytes, bytes] = field(default_factory=dict)  # SHA-256 -> what a letter offers to a node
    dropped: Sequence[bytes] = ()  # images that no letter names any more


def extend(head: chain.Head, group: Group) -> tuple[list[bytes], chain.Head]:
    """The hashes of the group's rows, and where the chain stands after them.

    ValueError if ids or event numbers have a gap, time falls, or a decision or event is not of this group.
    """
    decisions = dict(group.decisions)
    events = _events_by_entry(head.last_event, group, decisions)
    entry, previous, at_ms = head.entry, head.hash, head.at_ms
    anchor, anchor_hash = head.anchor, head.anchor_hash
    hashes: list[bytes] = []
    for row in group.rows:
        entry += 1
        if row.id != entry or row.at_ms < at_ms:
            raise ValueError(f"entry {row.id} at {row.at_ms} ms after entry {entry - 1} at {at_ms} ms")
        at_ms = row.at_ms
        led_to = chain.outcome(decisions[entry], events.get(entry, ())) if entry in decisions else chain.NO_OUTCOME
        previous = chain.link(previous, entry, at_ms, row.kind.encode(), row.version, row.body, led_to)
        hashes.append(previous)
        if row.kind == ANCHORED_KIND:
            anchor, anchor_hash = entry, previous
    if len(decisions) != len(group.decisions) or not all(head.entry < of <= entry for of in decisions):
        raise ValueError(f"decisions that are not of entries {head.entry + 1} to {entry}, or two of one")
    return hashes, chain.Head(entry, previous, at_ms, head.last_event + len(group.events), anchor, anchor_hash)


def _events_by_entry(last: int, group: Group, decisions: Mapping[int, bytes]) -> dict[int, list[tuple[int, int]]]:
    events: dict[int, list[tuple[int, int]]] = {}
    newest = 0
    for number, entry, index, _ in group.events:
        last += 1
        if number != last or entry < newest or entry not in decisions:
            raise ValueError(f"event {number} of entry {entry}: expected event {last} of an entry that decided")
        newest = entry
        events.setdefault(entry, []).append((number, index))
    return events
