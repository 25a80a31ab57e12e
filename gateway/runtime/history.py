"""What the journal can tell: the present state, the same decisions again, and the reasons of one Incident."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import structlog

from gateway.core import entry as entries
from gateway.core import snapshot
from gateway.core.engine import Decision, Engine
from gateway.core.entry import Configured, Entry, EntryBroken, EntryKind, Report, Scored
from gateway.core.evidence import Verdict
from gateway.core.plant import Plant
from gateway.core.update import AlarmChange, IncidentChange, TagChange, Update, encode_decision
from gateway.runtime.beginning import PAGE, Beginning, beginning
from gateway.store.reader import Reader

log = structlog.get_logger()


class HistoryUnreadable(Exception):  # noqa: N818 - the operator's or the world's fault
    """The journal does not reach back far enough, or does not hold what was asked for."""


def present(reader: Reader) -> Engine:
    """The engine as the journal tells it now. Raises HistoryUnreadable, EntryBroken."""
    return resume(reader).engine


def resume(reader: Reader) -> Beginning:
    """The engine as the journal tells it now, and where it began. Raises HistoryUnreadable, EntryBroken."""
    try:
        began = beginning(reader)
    except ValueError as error:
        raise HistoryUnreadable(str(error)) from error
    damaged: list[int] = []
    for _ in _decide_again(reader, began.engine, None, damaged):
        pass
    began = replace(began, damaged=tuple(damaged))
    if began.note or damaged:  # more may have been said before, or less: numbers go on behind those that were given
        began.engine.ledger.event = reader.head_event()
    return began


@dataclass(slots=True)
class Replayed:
    """What a replay found. `digest`: SHA-256 over every decision's number and bytes, in order."""

    first: int
    last: int
    decisions: int = 0
    different: list[int] = field(default_factory=list)
    digest: str = ""


def replay(reader: Reader, *, from_snapshot: bool = False, until: int | None = None) -> Replayed:
    """Decide again what the journal holds, and compare byte for byte with what it keeps: the changes of Alarms and
    Incidents of every entry (and those of Tags, in a journal of before 0.2), and the whole state at every snapshot.

    `from_snapshot`: begin at the oldest snapshot, not at the oldest entry. Raises HistoryUnreadable if the journal
    was pruned and holds no snapshot to begin at.
    """
    digest = hashlib.sha256()
    engine = _beginning(reader, from_snapshot)
    found = Replayed(engine.last_id + 1, engine.last_id)
    head = reader.head_id()  # a running gateway goes on writing
    until = head if until is None else min(until, head)
    states = dict(_snapshots(reader))
    kept: dict[int, bytes] = {}
    known_to = engine.last_id
    for entry, decision in _decide_again(reader, engine, until):
        if entry.id > known_to:
            kept = dict(reader.decisions(entry.id - 1, PAGE))
            known_to = max(kept) if len(kept) == PAGE else until
        said = [update for update in decision.updates if not isinstance(update, TagChange)]
        whole = _kept(decision.updates, decision.waiting)
        same = kept.get(entry.id) in (_kept(said, decision.waiting), whole)
        if not same or (entry.id in states and not _is_state(engine, states[entry.id])):
            found.different.append(entry.id)
        if whole:
            found.decisions += 1
            digest.update(entry.id.to_bytes(8, "big") + whole)
        found.last = entry.id
    found.digest = digest.hexdigest()
    return found


def _is_state(engine: Engine, kept: bytes) -> bool:
    """Whether an engine is where a snapshot says; one of an earlier release has the present form after it was read."""
    try:
        return snapshot.take(engine) == snapshot.take(snapshot.restore(kept))
    except snapshot.SnapshotBroken:
        return False


def _kept(updates: Sequence[Update], waiting: Sequence[tuple[int, int]]) -> bytes | None:
    """What the journal holds of a decision."""
    return encode_decision(updates, waiting) if updates or waiting else None


@dataclass(slots=True)
class Ground:
    """One Verdict that an Incident rests on: the Window that brought it, and its Score if there was one, which may have
    come later than the step: then the Verdict was still a claim.
    """

    verdict: Verdict
    report: Report
    scored: Scored | None


@dataclass(slots=True)
class Step:
    """One change of an Incident or of one of its Alarms, and on what it rested at that moment."""

    entry: int
    configuration: int  # the entry that brought the configuration in force
    plant: Plant  # that configuration
    change: IncidentChange | AlarmChange
    ground: list[Ground] = field(default_factory=list)


def explain(reader: Reader, incident: int) -> list[Step]:
    """The reasons of an Incident: its steps and those of its Alarms, in order.

    Raises HistoryUnreadable if there is no such incident in what the journal still holds.
    """
    engine = _beginning(reader, False)
    configuration = _configuration_at(reader, engine.last_id)
    reports: dict[int, Report] = {}
    scores: dict[int, Scored] = {}
    claims: dict[int, list[Ground]] = {}  # of steps, by the Window whose Score is awaited
    late: dict[int, Scored] = {}  # that came after a step which rests on their Window
    resting: set[int] = set()
    steps: list[Step] = []
    for entry, decision in _decide_again(reader, engine, reader.head_id()):
        match entry.body:
            case Configured():
                configuration = entry.id
            case Report() as report:
                reports[entry.id] = report
            case Scored() as scored:
                scores[scored.window] = scored
                if scored.window in resting:
                    late[scored.window] = scored
                for ground in claims.pop(scored.window, ()):
                    ground.scored = scored
        for update in decision.updates:
            if isinstance(update, TagChange) or update.incident != incident:
                continue
            assert engine.plant is not None
            step = Step(entry.id, configuration, engine.plant, update)
            if isinstance(update, IncidentChange):
                step.ground = list(_ground(engine, update, reports, scores))
                resting |= {ground.verdict.entry for ground in step.ground}
                for ground in step.ground:
                    if ground.scored is None:
                        claims.setdefault(ground.verdict.entry, []).append(ground)
            steps.append(step)
        _forget_unheld(engine, reports, scores)
    for step in steps:
        step.ground = [replace(g, scored=g.scored or late.get(g.verdict.entry)) for g in step.ground]
    if not steps:
        raise HistoryUnreadable(f"the journal holds no incident {incident} (it begins at entry {reader.first_id})")
    return steps


def _ground(
    engine: Engine, change: IncidentChange, reports: dict[int, Report], scores: dict[int, Scored]
) -> Iterator[Ground]:
    for asset in change.assets:
        evidence = engine.assets.evidence.get(asset)
        for verdict in evidence.verdicts if evidence else ():
            if verdict.event_ms >= change.onset_ms and verdict.entry in reports:
                yield Ground(verdict, reports[verdict.entry], scores.get(verdict.entry))


def _forget_unheld(engine: Engine, reports: dict[int, Report], scores: dict[int, Scored]) -> None:
    """Keep only reports that still stand against something; a journal has millions."""
    if len(reports) > 10 * PAGE:
        held = {v.entry for e in engine.assets.evidence.values() for v in e.verdicts} | engine.waiting.keys()
        for entry in reports.keys() - held:
            del reports[entry]
            scores.pop(entry, None)


def _beginning(reader: Reader, from_snapshot: bool) -> Engine:
    if reader.first_id == 1 and not from_snapshot:
        return Engine()
    kept = _oldest_snapshot(reader)
    if kept is None:
        raise HistoryUnreadable(f"the journal begins at entry {reader.first_id} and holds no snapshot to begin at")
    try:
        return snapshot.restore(kept[1])
    except snapshot.SnapshotBroken as error:
        raise HistoryUnreadable(f"the snapshot at entry {kept[0]}: {error}") from error


def _configuration_at(reader: Reader, entry: int) -> int:
    """The newest configuration entry up to `entry`, 0 if there is none."""
    anchor = reader.anchor()
    found = anchor.id if anchor else 0
    after = reader.first_id - 1
    while after < entry and (rows := reader.read(after, PAGE)):
        found = max([row.id for row in rows if row.kind == EntryKind.CONFIGURED and row.id <= entry], default=found)
        after = rows[-1].id
    return found


def _oldest_snapshot(reader: Reader) -> tuple[int, bytes] | None:
    return min(_snapshots(reader), default=None)


def _snapshots(reader: Reader) -> Iterator[tuple[int, bytes]]:
    """Entry and state of those that the entries follow on, newest first, whatever engine version left them."""
    before: int | None = None
    while (kept := reader.newest_snapshot(None, before)) and kept[0] >= reader.first_id - 1:
        yield kept
        before = kept[0] - 1


def _decide_again(
    reader: Reader, engine: Engine, until: int | None, damaged: list[int] | None = None
) -> Iterator[tuple[Entry, Decision]]:
    """`damaged` takes the numbers of entries that had to be passed over."""
    if engine.last_id < reader.first_id - 1:
        raise HistoryUnreadable(
            f"entries {engine.last_id + 1} to {reader.first_id - 1} are gone, and no snapshot reaches beyond them"
        )
    after = engine.last_id
    while rows := reader.read(after, PAGE):
        for row in rows:
            after = row.id
            if until is not None and row.id > until:
                return
            try:
                body = entries.decode(row.kind, row.version, row.body)
            except EntryBroken as error:
                _pass_over(reader, engine, row.id, error)
                if damaged is not None:
                    damaged.append(row.id)
                continue
            entry = Entry(row.id, row.at_ms, body)
            yield entry, engine.apply(entry)


def _pass_over(reader: Reader, engine: Engine, entry: int, error: EntryBroken) -> None:
    """A damaged entry decides nothing, and those behind it are not lost for it. Raises EntryBroken if it is as it was
    written: then it is of a newer release, and whoever passed it over would decide something else.
    """
    if reader.is_intact(entry):
        raise EntryBroken(f"entry {entry}: {error}") from error
    log.error("a damaged journal entry is passed over", entry=entry, reason=str(error))
    engine.ledger.event = max(engine.ledger.event, reader.event_at(entry))
