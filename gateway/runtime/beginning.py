"""Where an engine begins: at a snapshot of its own, at one of another engine version, at the very first entry, or,
where all that is gone, anew at the configuration in force. So no change of version keeps a gateway from starting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import structlog

from gateway.core import entry as entries
from gateway.core import snapshot
from gateway.core.alarm import Alarm
from gateway.core.engine import ENGINE_VERSION, Engine
from gateway.core.entry import Configured, Entry, EntryBroken, EntryKind
from gateway.core.plant import AlarmId
from gateway.core.update import AlarmChange, IncidentChange, decode_updates
from gateway.store.reader import Reader

PAGE = 1000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Beginning:
    """An engine that has seen the journal up to `engine.last_id`. `snapshot`: the entry of its own version's snapshot
    that it began at, 0: none. `note`: the name under which what is unusual is counted, "" for nothing. `damaged`:
    entries since then that could not be read and were passed over.
    """

    engine: Engine
    snapshot: int = 0
    note: str = ""
    damaged: tuple[int, ...] = ()


def beginning(reader: Reader) -> Beginning:
    """Where to begin. Raises EntryBroken, and ValueError where the journal was pruned and holds neither a snapshot nor
    a configuration.
    """
    if own := _restored(reader, ENGINE_VERSION):
        return Beginning(own, own.last_id)
    if other := _restored(reader, None):
        log.warning("no snapshot of this engine version; the state of another is taken over", entry=other.last_id)
        return Beginning(other, note="state_taken_over")
    if reader.first_id == 1:
        return Beginning(Engine())
    log.error("history restarted: no snapshot can be read; what was before is in the journal's events only")
    return Beginning(_anew(reader), note="history_restarted")


def configuration(reader: Reader) -> Configured | None:
    """The newest configuration that was entered; None if there is none, or none that can be read."""
    signed = reader.newest_checkpoint()
    entry, after = signed.anchor, signed.entry
    while rows := reader.read(after, PAGE):
        entry = max((row.id for row in rows if row.kind == EntryKind.CONFIGURED), default=entry)
        after = rows[-1].id
    found = [row for row in (*reader.read(entry - 1, 1), reader.anchor()) if row and row.id == entry]
    if not found:
        return None
    try:
        body = entries.decode(found[0].kind, found[0].version, found[0].body)
    except EntryBroken:
        return None
    assert isinstance(body, Configured)
    return body


def _restored(reader: Reader, version: str | None) -> Engine | None:
    """From the newest snapshot of an engine version, or of any, that can be read and that the entries follow on."""
    at_or_before: int | None = None
    while kept := reader.newest_snapshot(version, at_or_before):
        if kept[0] < reader.first_id - 1:
            return None
        try:
            return snapshot.restore(kept[1])
        except snapshot.SnapshotBroken as error:
            log.warning("a snapshot cannot be used", entry=kept[0], reason=str(error))
            at_or_before = kept[0] - 1
    return None


def _anew(reader: Reader) -> Engine:
    """Before the oldest entry, knowing the plant, the numbers given, and which alarms nobody has acknowledged."""
    anchor, first = reader.anchor(), reader.first_id
    if anchor is None:
        raise ValueError(f"entries 1 to {first - 1} are gone, without a snapshot or a configuration to begin at")
    engine = Engine()
    engine.apply(Entry(first - 1, anchor.at_ms, entries.decode(anchor.kind, anchor.version, anchor.body)))
    assert engine.plant
    known, alarms = set(engine.plant.alarm_ids()), dict[AlarmId, Alarm]()
    for number, entry, body in _events(reader):
        if entry >= first:
            break
        engine.ledger.event = number
        for update in decode_updates(body):
            if isinstance(update, IncidentChange):
                engine.incidents.number = max(engine.incidents.number, update.incident)
            elif isinstance(update, AlarmChange) and update.alarm in known:
                # What it rests on is gone: if it is still so, it will be raised again.
                alarms[update.alarm] = Alarm(replace(update, active=False), events=[number])
    engine.alarms.restore(alarms)
    return engine


def _events(reader: Reader) -> Iterator[tuple[int, int, bytes]]:
    after = 0
    while rows := reader.events(after, PAGE):
        yield from rows
        after = rows[-1][0]
