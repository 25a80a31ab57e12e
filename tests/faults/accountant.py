"""Compares, by identity, what nodes sent, what the journal holds, and what each consumer was told.

Lost: acknowledged to a node and not in the journal, or an event missing at a consumer that has caught up. Doubled: a
message acted on twice, two ids for one event, or one id for two events. An MQTT repeat under the same id is neither.
Disordered: an event that a consumer was told of for the first time after a newer one. What the gateway says to have
given up is believed only where that can be true.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from gateway.core import entry as entries
from gateway.core.entry import EntryBroken, Report, Scored
from gateway.core.update import AlarmChange, AlarmTransition, IncidentChange, decode_updates
from gateway.store.reader import Reader
from gateway.store.schema import FILE_NAME
from tests.faults.consumers import Plc, Told, number_of

PAGE = 5000
PHASES = (AlarmTransition.RAISED, AlarmTransition.RETURNED)


@dataclass
class Held:
    """What a journal says: each message that was acted on, by its entry, and each event, by its number."""

    gateway_id: bytes
    messages: dict[int, tuple[str, int]] = field(default_factory=dict)  # by entry: node and number
    events: dict[int, AlarmChange | IncidentChange] = field(default_factory=dict)
    scores: dict[int, int] = field(default_factory=dict)  # by entry: the entry of the Window that was scored again
    last_entry: int = 0  # of those that were read
    unseen: int = 0  # entries that were let go before anybody here had read them

    @property
    def alarms(self) -> dict[int, AlarmChange]:
        """Alarm events alone."""
        return {number: e for number, e in self.events.items() if isinstance(e, AlarmChange)}

    def also(self, earlier: Held) -> Held:
        """With what it said before the oldest entries were let go."""
        return Held(
            self.gateway_id, earlier.messages | self.messages, earlier.events | self.events,
            earlier.scores | self.scores, max(earlier.last_entry, self.last_entry), earlier.unseen + self.unseen,
        )  # fmt: skip

    def what(self, number: int) -> tuple[str, ...]:
        """An event's content, as far as every consumer can tell it."""
        match self.events[number]:
            case AlarmChange() as change:
                return str(change.alarm), str(change.transition)
            case IncidentChange() as change:
                return f"incident/{change.incident}", str(change.transition)


@dataclass
class Account:
    """Who lost and doubled what, and was told it out of order: name of the side -> what."""

    lost: dict[str, list[object]] = field(default_factory=lambda: defaultdict(list))
    doubled: dict[str, list[object]] = field(default_factory=lambda: defaultdict(list))
    disordered: dict[str, list[object]] = field(default_factory=lambda: defaultdict(list))
    messages: int = 0  # acknowledged
    events: int = 0  # in the journal
    incidents: int = 0  # those of them that are of incidents
    scores: int = 0  # Windows that were scored again
    unseen: int = 0  # entries that were let go before anybody here had read them: their messages were not sought

    @property
    def lost_count(self) -> int:
        return sum(map(len, self.lost.values()))

    @property
    def doubled_count(self) -> int:
        return sum(map(len, self.doubled.values()))

    @property
    def disordered_count(self) -> int:
        return sum(map(len, self.disordered.values()))

    @classmethod
    def sum(cls, accounts: Iterable[Account]) -> Account:
        """One of several runs."""
        total = cls()
        for account in accounts:
            total.messages += account.messages
            total.events += account.events
            total.incidents += account.incidents
            total.scores += account.scores
            total.unseen += account.unseen
            for into, of in zip(total._faults(), account._faults(), strict=True):
                for side in of:
                    into[side] += of[side]
        return total

    @property
    def is_clean(self) -> bool:
        return not self.lost_count and not self.doubled_count and not self.disordered_count

    def _faults(self) -> tuple[dict[str, list[object]], ...]:
        return self.lost, self.doubled, self.disordered

    def __str__(self) -> str:
        parts = [f"{self.messages} messages, {self.events} events, {self.incidents} of incidents, {self.scores} scores"]
        if self.unseen:
            parts.append(f"{self.unseen} entries were let go unread")
        for word, sides in zip(("lost", "doubled", "disordered"), self._faults(), strict=True):
            parts += [f"{word} at {side}: {len(what)}, such as {what[:5]}" for side, what in sides.items() if what]
        return "; ".join(parts)


def held_by(state_dir: Path, since: Held | None = None) -> Held:
    """Read the journal. The gateway may be running. `since`: only what has been added, and how much of that is gone."""
    known, told = (since.last_entry, max(since.events, default=0)) if since else (0, 0)
    with closing(Reader.open(state_dir)) as reader:
        held = Held(reader.gateway_id, last_entry=known)
        first = reader.first_id
        held.unseen = max(0, first - 1 - known) if since else 0
        after = max(first - 1, known)
        while rows := reader.read(after, PAGE):
            held.unseen += rows[0].id - after - 1  # let go between two looks
            held.last_entry = after = rows[-1].id
            for row in rows:
                with suppress(EntryBroken):  # a test has seen to that; it remembers what the entry was
                    body = entries.decode(row.kind, row.version, row.body)
                    if isinstance(body, Report):
                        held.messages[row.id] = (body.node, body.seq)
                    elif isinstance(body, Scored):
                        held.scores[row.id] = body.window
        after = told
        while events := reader.events(after, PAGE):
            after = events[-1][0]
            held.events.update((number, _event(body)) for number, _, body in events)
    return held


def _event(body: bytes) -> AlarmChange | IncidentChange:
    [update] = decode_updates(body)
    assert isinstance(update, AlarmChange | IncidentChange)
    return update


def nodes_account(account: Account, held: Held, acknowledged: set[tuple[str, int]], given_up: int = 0) -> None:
    """Messages: acknowledged ones are in the journal, and each is there once. `given_up`: by the nodes themselves.
    Where entries were let go unread, what is not known to have been there cannot be sought.
    """
    account.messages += len(acknowledged)
    account.events += len(held.events)
    account.incidents += len(held.events) - len(held.alarms)
    account.scores += len(held.scores)
    account.unseen += held.unseen
    times = Counter(held.messages.values())
    if held.unseen:
        acknowledged = acknowledged & times.keys()
    account.lost["journal"] += sorted(acknowledged - times.keys())
    account.lost["nodes"] += ["ring overflow"] * given_up
    account.doubled["journal"] += sorted(message for message, n in times.items() if n > 1)
    account.doubled["scores"] += sorted(window for window, n in Counter(held.scores.values()).items() if n > 1)
    account.doubled["engine"] += _said_twice(held.alarms)


def _said_twice(alarms: Mapping[int, AlarmChange]) -> list[object]:
    """Raised while raised, returned while returned: one cause was acted on twice."""
    by_alarm: dict[str, list[AlarmChange]] = defaultdict(list)
    for number in sorted(alarms):
        if alarms[number].transition in PHASES:
            by_alarm[str(alarms[number].alarm)].append(alarms[number])
    return [b.event for changes in by_alarm.values() for a, b in pairwise(changes) if a.transition is b.transition]


def credible(account: Account, now: Held, given_up: Iterable[int], keep_events: int) -> set[int]:
    """The numbers that the gateway says to have given up, where it may have: they are not in the journal `now`, and so
    many newer events are to be kept. All others are lost, whatever it says.
    """
    claimed, bound = set(given_up), max(now.events, default=0) - keep_events
    refuted = {number for number in claimed if number in now.events or number > bound}
    account.lost["gaps"] += sorted(refuted)
    return claimed - refuted


def mqtt_account(account: Account, held: Held, told: Sequence[Told], given_up: Iterable[int] = ()) -> None:
    """Every event arrived at least once, first times in order, under one id, and means what the journal means.
    `given_up`: numbers that are rightly gone (see `credible`).
    """
    ids: dict[int, set[str]] = defaultdict(set)
    account.disordered["mqtt"] += fallen(one.number for one in told)
    for one in told:
        ids[one.number].add(one.identity)
    account.lost["mqtt"] += sorted(held.events.keys() - ids.keys() - set(given_up))
    account.doubled["mqtt"] += [number for number, of in ids.items() if len(of) > 1]
    account.doubled["mqtt"] += sorted({t.number for t in told if not _is(held, t.number, t.what)})
    if any(held.gateway_id.hex() != one.identity[:16] for one in told):
        account.doubled["mqtt"].append("another gateway's ids")


def modbus_account(account: Account, held: Held, plc: Plc) -> None:
    """Every alarm event was taken, once, and shown in order."""
    numbers = [number for number, _ in plc.taken]
    account.lost["modbus"] += sorted(held.alarms.keys() - set(numbers))
    account.disordered["modbus"] += [*plc.turned, *fallen(numbers)]
    account.doubled["modbus"] += plc.again
    account.doubled["modbus"] += [
        number for number, transition in plc.taken
        if number not in held.alarms or held.alarms[number].transition != transition
    ]  # fmt: skip


def opcua_account(account: Account, held: Held, sessions: Sequence[Sequence[bytes]]) -> None:
    """Within each live subscription: no hole, nothing twice, in order, nothing that the journal does not have."""
    order = sorted(held.alarms)
    for session in sessions:
        numbers = [number_of(identity) for identity in session if identity.startswith(held.gateway_id)]
        if not numbers:
            continue
        seen = Counter(numbers)
        account.disordered["opcua"] += fallen(numbers)
        expected = [n for n in order if min(numbers) <= n <= max(numbers)]
        account.lost["opcua"] += [n for n in expected if n not in seen]
        account.doubled["opcua"] += [n for n, times in seen.items() if times > 1 or n not in held.alarms]


def fallen(numbers: Iterable[int]) -> list[int]:
    """Those that come for the first time after a higher one."""
    found, seen, highest = [], set[int](), 0
    for number in numbers:
        if number not in seen and number < highest:
            found.append(number)
        seen.add(number)
        highest = max(highest, number)
    return found


def _is(held: Held, number: int, what: tuple[str, ...]) -> bool:
    return number in held.events and held.what(number) == what


def newest_number(state_dir: Path) -> int:
    """Highest event number in the journal's index; cheap, and safe beside a running gateway."""
    with closing(sqlite3.connect(f"file:{state_dir / FILE_NAME}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT coalesce(max(number), 0) FROM events").fetchone()[0])


def snapshot_due(state_dir: Path, every: int) -> bool:
    """Whether so many entries are behind the newest snapshot that the next is being taken about now."""
    with closing(sqlite3.connect(f"file:{state_dir / FILE_NAME}?mode=ro", uri=True)) as db:
        (newest,) = db.execute("SELECT coalesce(max(id), 0) FROM entries").fetchone()
        (taken,) = db.execute("SELECT coalesce(max(entry), 0) FROM snapshots").fetchone()
    return bool(newest - taken >= every)


def first_entry(state_dir: Path) -> int:
    """The oldest entry that is still there."""
    with closing(Reader.open(state_dir)) as reader:
        return reader.first_id


def gateway_id(state_dir: Path) -> bytes:
    """What every EventId of this gateway begins with."""
    with closing(Reader.open(state_dir)) as reader:
        return reader.gateway_id
