"""The engine: a pure, deterministic function of the journal.

It takes entries in order and returns what they change. It has no clock, no I/O and no randomness; time enters with
the entries. It decides at once on what it has, and revises when late data, a Score or a Tick says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from gateway.config import LEARNER
from gateway.core.alarm import Alarms
from gateway.core.assets import AssetDesk
from gateway.core.command import Command, CommandKind, CommandResult, Outcome
from gateway.core.entry import (
    Commanded,
    Configured,
    Entry,
    Learned,
    Noticed,
    Offered,
    Posted,
    Report,
    Scored,
    Started,
    Tick,
)
from gateway.core.incident import Incidents
from gateway.core.ledger import Ledger
from gateway.core.mailbox import Letter, Mailboxes, Order, Parcel
from gateway.core.nodes import NodeDesk
from gateway.core.plant import AlarmId, AlarmKind, Plant, Scope, TagId
from gateway.core.rescore import Pending, Rescores
from gateway.core.timers import Timers
from gateway.core.update import AlarmChange, Quality, TagChange, Update

ENGINE_VERSION = "2"
"""Rises with every change that could decide differently on the same journal. The state that another version has left
is taken over as it is (runtime/beginning.py); `stethos replay` decides again with this one, and says what differs.

A code that the contract gives a meaning later is no such change: no node said it before."""


NORMAL_NOW = "normal from now on"
"""What is added to the comment of an acknowledgement that lets learn."""

LEARN_WAITS_MS = 7 * 24 * 3_600_000
"""How long a node that sleeps may take to hear of it."""

INITIAL = {Scope.GATEWAY: (0, Quality.GOOD), Scope.ASSET: (0, Quality.NO_DATA), Scope.NODE: (None, Quality.NO_DATA)}
"""Value and quality of a new Tag."""

COUNTS = tuple(
    TagId(Scope.GATEWAY, "gateway", name)
    for name in ("alarms_active", "alarms_unacknowledged", "incidents_open", "nodes_lost")
)


class Decision(NamedTuple):
    """What one entry changes. `waiting`: entries whose Windows wait for a Score from now on, each with its deadline."""

    updates: Sequence[Update]
    waiting: Sequence[tuple[int, int]] = ()
    result: CommandResult | None = None


class Engine:
    """State of the plant as the journal tells it."""

    def __init__(self) -> None:
        self.last_id = 0
        self.now_ms = 0
        self.plant: Plant | None = None
        self.ledger = Ledger()
        self.timers = Timers()
        self.alarms = Alarms(self.ledger, self.timers)
        self.incidents = Incidents(self.ledger)
        self.assets = AssetDesk(self.ledger, self.timers, self.alarms, self.incidents)
        self.rescores = Rescores(self.ledger, self.timers)
        self.mail = Mailboxes(self.ledger, self.timers)
        self.nodes = NodeDesk(self.ledger, self.timers, self.alarms, self.assets, self.rescores, self.mail)
        self._said_counts: tuple[int, ...] = ()

    def apply(self, entry: Entry) -> Decision:
        """Take in the next entry. ValueError if it does not follow the last one."""
        if entry.id <= self.last_id:
            raise ValueError(f"entry {entry.id} after entry {self.last_id}")
        self.last_id = entry.id
        before_ms, self.now_ms = self.now_ms, max(self.now_ms, entry.at_ms)
        body, result = entry.body, None
        # Neither the gateway's own absence nor a message that is already here is silence.
        if isinstance(body, Report):
            self.nodes.heard(body)
        elif isinstance(body, Started):
            self.nodes.restarted(self.now_ms - before_ms)
            self.mail.restarted()
        if self.plant is not None and self.timers.any_due(self.now_ms):
            self._fire_timers(self.plant)
        match body:
            case Report() as report if self.plant:  # first: nearly all are
                self.nodes.report(self.plant, entry.id, report, self.now_ms)
            case Configured(plant):
                if plant != self.plant:  # else only what is configured beside it has changed
                    self._configure(plant)
            case Started():
                if self.plant is not None:
                    self._started(self.plant)
            case Scored() as score if self.plant:
                self.nodes.scored(self.plant, score, self.now_ms)
            case Commanded(command) if self.plant:
                result = self._command(self.plant, command)
            case Posted() as posted if self.plant:
                result = self._post(self.plant, posted)
            case Offered() as offered if self.plant:
                result = self._offer(self.plant, offered)
            case Noticed() as noticed if self.plant:
                self._noticed(self.plant, noticed)
            case Tick() | Learned():
                pass
            case _:
                raise ValueError(f"entry {entry.id} comes before any configuration")
        if self.plant is not None:
            self._count_up()
        return Decision(self.ledger.take(), self.rescores.take_new(), result)

    @property
    def next_wake_ms(self) -> int | None:
        """When a Tick is wanted, if nothing else comes before; None: never."""
        return self.timers.next_ms

    @property
    def waiting(self) -> Mapping[int, Pending]:
        """Windows that wait for their Score, by the entry that brought them, oldest first."""
        return self.rescores.pending

    def noticed(self, kind: AlarmKind) -> tuple[bool, str]:
        """What was noticed last of an alarm of the gateway: whether its condition is there, and the detail."""
        alarm = self.alarms.alarms.get(AlarmId(Scope.GATEWAY, "gateway", kind))
        return (True, alarm.detail) if alarm and alarm.condition else (False, "")

    def present_tags(self) -> list[TagChange]:
        """The newest change of every Tag of the plant."""
        assert self.plant is not None
        return [self.ledger.tags[tag] for tag, _ in self.plant.tags()]

    def present_alarms(self) -> list[AlarmChange]:
        """The newest change of every Alarm that has ever changed."""
        return [alarm.last for _, alarm in sorted(self.alarms.alarms.items()) if alarm.last.event]

    def _fire_timers(self, plant: Plant) -> None:
        for at_ms, key in self.timers.due(self.now_ms):
            owner, _, name = key.partition(":")
            match owner:
                case "alarm":
                    self.alarms.on_timer(AlarmId.parse(name), self.now_ms)
                case "asset":
                    self.assets.on_timer(plant, name, at_ms, self.now_ms)
                case "node":
                    self.nodes.on_timer(plant, name, self.now_ms)
                case "window":
                    self.nodes.unscored(plant, int(name))
                case "mail":
                    self.mail.expire(name, self.now_ms)

    def _configure(self, plant: Plant) -> None:
        old, self.plant = self.plant, plant
        if old is not None:
            for alarm_id in sorted(set(old.alarm_ids()) - set(plant.alarm_ids())):
                self.alarms.drop(alarm_id, self.now_ms)
            for name in sorted(old.assets.keys() - plant.assets.keys()):
                self.assets.drop(old, name, self.now_ms)
            there = {tag for tag, _ in plant.tags()}
            self.ledger.tags = {tag: change for tag, change in self.ledger.tags.items() if tag in there}
        for tag, _ in plant.tags():
            if tag not in self.ledger.tags:
                value, quality = INITIAL[tag.scope]
                self.ledger.tag(tag, value, self.now_ms, quality)
        # By slot: the order of a mapping is not part of an entry.
        assets = sorted(plant.assets, key=lambda name: plant.assets[name].slot)
        for name in assets:
            self.assets.configured(plant, name, self.now_ms)
        if old is not None:
            for name in sorted(old.nodes.keys() - plant.nodes.keys()):
                self.nodes.drop(plant, name, self.now_ms)
        for name in sorted(plant.nodes, key=lambda name: plant.nodes[name].slot):
            self.nodes.configured(plant, name, self.now_ms)
        for name in assets:
            self.assets.unite(plant, name, self.now_ms)
            self.nodes.trust(plant, name, self.now_ms)

    def _started(self, plant: Plant) -> None:
        """Nothing was heard while the gateway was away: node values are the last known until the node reports."""
        for tag, change in list(self.ledger.tags.items()):
            if tag.scope is Scope.NODE and change.quality.is_good:
                self.ledger.requalify(tag, Quality.RESTARTED)
        for name in sorted(plant.assets, key=lambda name: plant.assets[name].slot):
            self.nodes.trust(plant, name, self.now_ms)

    def _command(self, plant: Plant, command: Command) -> CommandResult:
        if not command.learn:
            return self.alarms.command(command, plant.alarm_ids(), self.now_ms)
        named = self.alarms.named(command, plant.alarm_ids())
        if command.kind is not CommandKind.ACKNOWLEDGE or (named and named.kind is not AlarmKind.ANOMALY):
            return CommandResult(Outcome.REFUSED, detail="learning goes with the acknowledgement of an anomaly")
        comment = "; ".join(filter(None, (command.comment, NORMAL_NOW)))
        result = self.alarms.command(replace(command, comment=comment), plant.alarm_ids(), self.now_ms)
        if named and result.outcome is Outcome.DONE:
            return replace(result, detail=self._learn(plant, named.name))
        if result.outcome is Outcome.ALREADY:
            return replace(result, detail=f"{result.detail}; `stethos node tell NODE learn` begins anew all the same")
        return result

    def _learn(self, plant: Plant, asset: str) -> str:
        """What is at an asset now is normal from now on; in words, who is told."""
        told = []
        for node in plant.nodes_of[asset]:
            self.nodes.learn_anew(node.name, self.last_id, ordered=True)
            if node.model == LEARNER:
                told.append(f"the gateway at {node.name}")
            if self.nodes.nodes[node.name].learner:
                done = self._put(node.name, Letter(0, Order.LEARN, 0, self.now_ms + LEARN_WAITS_MS))
                told.append(node.name if done.outcome is Outcome.DONE else f"not {done.detail}")
        return f"learns anew: {', '.join(told) or 'nobody, for nobody learns there'}"

    def _post(self, plant: Plant, posted: Posted) -> CommandResult:
        if posted.node not in plant.nodes:
            return CommandResult(Outcome.REFUSED, detail=f"{posted.node}: no node of this plant")
        result = self._put(posted.node, Letter(0, posted.order, posted.argument, posted.expires_ms))
        if posted.order is Order.LEARN and result.outcome is Outcome.DONE:
            self.nodes.learn_anew(posted.node, self.last_id, ordered=True)
        return result

    def _offer(self, plant: Plant, offered: Offered) -> CommandResult:
        if offered.node not in plant.nodes:
            return CommandResult(Outcome.REFUSED, detail=f"{offered.node}: no node of this plant")
        if not self.mail.has_room(offered.image):
            return CommandResult(Outcome.REFUSED, detail="images for other nodes take all the room there is for them")
        return self._put(offered.node, Parcel(0, offered.image, offered.least_mv, offered.expires_ms))

    def _put(self, node: str, letter: Letter | Parcel) -> CommandResult:
        battery_mv = self.nodes.nodes[node].load_mv or self.ledger.tags[TagId(Scope.NODE, node, "battery")].value
        if not self.mail.post(node, letter, int(battery_mv or 0)):
            return CommandResult(Outcome.REFUSED, detail=f"{node}: its mailbox is full")
        return CommandResult(Outcome.DONE)

    def _noticed(self, plant: Plant, noticed: Noticed) -> None:
        alarm_id = AlarmId(Scope.GATEWAY, "gateway", noticed.kind)
        alarm = self.alarms.alarms.get(alarm_id)
        still = noticed.active and alarm is not None and alarm.condition
        source_ms = alarm.condition_source_ms if alarm and still else min(noticed.source_ms, self.now_ms)
        text = plant.text_of(alarm_id)
        self.alarms.condition(alarm_id, noticed.active, source_ms, self.now_ms, text, detail=noticed.detail)

    def _count_up(self) -> None:
        counts = (self.alarms.active, self.alarms.unacknowledged, self.incidents.open_count, self.nodes.lost)
        if counts == self._said_counts:
            return
        self._said_counts = counts
        for tag, value in zip(COUNTS, counts, strict=True):
            self.ledger.derived(tag, value, self.now_ms)
