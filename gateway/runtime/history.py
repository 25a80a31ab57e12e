"""What the journal can tell: the present state, the same decisions again, and the reasons of one Incident."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import structlog

from gateway.core import entry as entries
from gateway.core import snapshot
from gateway.core.engine import ENGINE_VERSION, Decision, Engine
from gateway.core.entry import Configured, Entry, Report, Scored
from gateway.core.evidence import Verdict
from gateway.core.plant import Plant
from gateway.core.update import AlarmChange, IncidentChange, encode_decision
from gateway.store.reader import Reader

PAGE = 1000

log = structlog.get_logger()


class HistoryUnreadable(Exception):  # noqa: N818 - the operator's or the world's fault
    """The journal does not reach back far enough, or does not hold what was asked for."""


def present(reader: Reader) -> Engine:
    """The engine as the journal tells it now: from the newest snapshot that can be read, then entry by entry."""
    engine = Engine()
    at_or_before: int | None = None
    while kept := reader.newest_snapshot(ENGINE_VERSION, at_or_before):
        try:
            engine = snapshot.restore(kept[1])
            break
        except snapshot.SnapshotBroken as error:
            log.warning("a snapshot cannot be used", entry=kept[0], reason=str(error))
            at_or_before = kept[0] - 1
    for _ in _decide_again(reader, engine, None):
        pass
    return engine


@dataclass(slots=True)
class Replayed:
    """What a replay found. `digest`: SHA-256 over every decision's number and bytes, in order."""

    first: int
    last: int = 0
    decisions: int = 0
    different: list[int] = field(default_factory=list)
    digest: str = ""


def replay(reader: Reader, *, from_snapshot: bool = False, until: int | None = None) -> Replayed:
    """Decide again what the journal holds, and compare the Updates byte for byte with those it keeps.

    `from_snapshot`: begin at the oldest snapshot, not at the oldest entry. Raises HistoryUnreadable if the journal
    was pruned and holds no snapshot to begin at.
    """
    digest = hashlib.sha256()
    engine, found = _beginning(reader, from_snapshot)
    kept: dict[int, bytes] = {}
    for entry, decision in _decide_again(reader, engine, until):
        if not kept or entry.id > max(kept):
            kept = dict(reader.decisions(entry.id - 1, PAGE))
        data = encode_decision(decision.updates, decision.waiting)
        has_any = bool(decision.updates or decision.waiting)
        if (data if has_any else None) != kept.get(entry.id):
            found.different.append(entry.id)
        if has_any:
            found.decisions += 1
            digest.update(entry.id.to_bytes(8, "big") + data)
        found.last = entry.id
    found.digest = digest.hexdigest()
    return found


@dataclass(frozen=True, slots=True)
class Ground:
    """One Verdict that an Incident rests on: the Window that brought it, and the Score if there was one."""

    verdict: Verdict
    report: Report
    scored: Scored | None


@dataclass(slots=True)
class Step:
    """One change of an Incident or of one of its Alarms, and on what it rested at that moment."""

    entry: int
    configuration: int  # the entry that brought the configuration in force
    change: IncidentChange | AlarmChange
    ground: list[Ground] = field(default_factory=list)


def explain(reader: Reader, incident: int) -> tuple[Plant, list[Step]]:
    """The reasons of an Incident: the plant in force when it opened, and its steps in order.

    Raises HistoryUnreadable if there is no such incident in what the journal still holds.
    """
    engine, _ = _beginning(reader, False)
    anchor = reader.anchor()
    configuration = anchor.id if anchor else 0
    reports: dict[int, Report] = {}
    scores: dict[int, Scored] = {}
    plant: Plant | None = None
    steps: list[Step] = []
    for entry, decision in _decide_again(reader, engine, None):
        match entry.body:
            case Configured():
                configuration = entry.id
            case Report() as report:
                reports[entry.id] = report
            case Scored() as scored:
                scores[scored.window] = scored
        for update in decision.updates:
            if getattr(update, "incident", None) != incident:
                continue
            assert isinstance(update, IncidentChange | AlarmChange)
            plant = plant or engine.plant
            step = Step(entry.id, configuration, update)
            if isinstance(update, IncidentChange):
                step.ground = list(_ground(engine, update, reports, scores))
            steps.append(step)
        _forget_unheld(engine, reports, scores)
    if plant is None:
        raise HistoryUnreadable(f"the journal holds no incident {incident} (it begins at entry {reader.first_id})")
    return plant, steps


def _ground(
    engine: Engine, change: IncidentChange, reports: dict[int, Report], scores: dict[int, Scored]
) -> Iterator[Ground]:
    for asset in change.assets:
        for verdict in engine.assets.evidence[asset].verdicts:
            if verdict.event_ms >= change.onset_ms and verdict.entry in reports:
                yield Ground(verdict, reports[verdict.entry], scores.get(verdict.entry))


def _forget_unheld(engine: Engine, reports: dict[int, Report], scores: dict[int, Scored]) -> None:
    """Keep only reports that still stand against something; a journal has millions."""
    if len(reports) > 10 * PAGE:
        held = {v.entry for e in engine.assets.evidence.values() for v in e.verdicts} | engine.waiting.keys()
        for entry in reports.keys() - held:
            del reports[entry]
            scores.pop(entry, None)


def _beginning(reader: Reader, from_snapshot: bool) -> tuple[Engine, Replayed]:
    kept = _oldest_snapshot(reader) if from_snapshot or reader.first_id > 1 else None
    if kept is not None:
        engine = snapshot.restore(kept[1])
        return engine, Replayed(engine.last_id + 1)
    if reader.first_id > 1:
        raise HistoryUnreadable(f"the journal begins at entry {reader.first_id} and holds no snapshot to begin at")
    if from_snapshot:
        raise HistoryUnreadable("the journal holds no snapshot of this engine version")
    return Engine(), Replayed(1)


def _oldest_snapshot(reader: Reader) -> tuple[int, bytes] | None:
    oldest = None
    while kept := reader.newest_snapshot(ENGINE_VERSION, oldest[0] - 1 if oldest else None):
        if kept[0] < reader.first_id - 1:
            break
        oldest = kept
    return oldest


def _decide_again(reader: Reader, engine: Engine, until: int | None) -> Iterator[tuple[Entry, Decision]]:
    while rows := reader.read(engine.last_id, PAGE):
        for row in rows:
            if until is not None and row.id > until:
                return
            entry = Entry(row.id, row.at_ms, entries.decode(row.kind, row.version, row.body))
            yield entry, engine.apply(entry)
