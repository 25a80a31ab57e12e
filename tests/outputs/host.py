"""A host in memory for the tests of Outputs: a small plant, a journal of alarm events, durable marks, commands.

It numbers events and answers commands by the rules of the contract, without an engine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from gateway.core.command import Command, CommandKind, CommandResult, Outcome
from gateway.core.event_id import EventIds
from gateway.core.plant import (
    AlarmId,
    AlarmKind,
    AlarmText,
    Asset,
    Liveness,
    Node,
    Plant,
    Priority,
    Rescoring,
    Rule,
    Scope,
    TagId,
)
from gateway.core.update import AlarmChange, AlarmTransition, Quality, TagChange
from gateway.outputs import Gap, Present

T0_MS = 1_760_000_000_123
RULE = Rule(k=2, window_ms=60_000, quiet_ms=600_000)
TEXTS = {
    AlarmKind.ANOMALY: AlarmText("{asset} sounds wrong", "it may fail", "look at {asset}", Priority.HIGH, 600),
    AlarmKind.NODE_LOST: AlarmText("{node} is silent", "{asset} is unwatched", "visit {node}", Priority.LOW, 86_400),
    AlarmKind.SENSOR_FAULT: AlarmText("{node} is broken", "{asset} is unwatched", "swap it", Priority.MEDIUM, 86_400),
    AlarmKind.JOURNAL_SPACE: AlarmText("little room", "nothing is accepted", "make room", Priority.HIGH, 3600),
    AlarmKind.OUTPUT_BEHIND: AlarmText("it is far behind", "events are given up", "see to it", Priority.MEDIUM, 3600),
}
PUMP = AlarmId(Scope.ASSET, "pump-1", AlarmKind.ANOMALY)
LOST = AlarmId(Scope.NODE, "n1", AlarmKind.NODE_LOST)
FAULT = AlarmId(Scope.NODE, "n2", AlarmKind.SENSOR_FAULT)


def plant_of(assets: dict[str, int], nodes: dict[str, tuple[str, int]]) -> Plant:
    """A plant of assets (name -> slot) and nodes (name -> asset and slot)."""
    return Plant(
        site="works",
        assets={name: Asset(name, "north", "line-3", slot, RULE) for name, slot in assets.items()},
        nodes={name: Node(name, slot.to_bytes(4), asset, slot) for name, (asset, slot) in nodes.items()},
        alarms=TEXTS,
        liveness=Liveness(),
        rescoring=Rescoring(5000),
        correlate_ms=30_000,
    )


PLANT = plant_of({"pump-1": 0, "fan-2": 3}, {"n1": ("pump-1", 0), "n2": ("pump-1", 1), "n7": ("fan-2", 6)})


def tag(scope: Scope, name: str, tag: str, value: bool | int | None, quality: Quality = Quality.GOOD) -> TagChange:
    """A change of one Tag, sampled at T0_MS."""
    return TagChange(TagId(scope, name, tag), value, quality, T0_MS)


class MemoryHost:
    """Fits `gateway.outputs.Host`. `counts` holds what was counted, `commands` what was asked."""

    gateway_id = bytes.fromhex("0123456789abcdef")
    event_ids = EventIds(gateway_id)

    def __init__(self, plant: Plant = PLANT) -> None:
        self.plant = plant
        self.tags: dict[TagId, TagChange] = {}
        self.events: list[AlarmChange] = []
        self.marks: dict[str, int] = {}
        self.commands: list[Command] = []
        self.counts: Counter[str] = Counter()
        self._number = 0
        self._given_up = 0

    @property
    def present(self) -> Present:
        """Newest change of every Tag and Alarm."""
        return Present(list(self.tags.values()), list({e.alarm: e for e in self.events}.values()))

    def skip_event(self) -> None:
        """An incident event takes a number that alarm events then lack."""
        self._number += 1

    def raised(self, alarm: AlarmId = PUMP, incident: int = 0) -> AlarmChange:
        """Journal: the Alarm is raised."""
        return self._journal(
            AlarmChange(
                0, alarm, AlarmTransition.RAISED, active=True, acknowledged=False, shelved_until_ms=0,
                out_of_service=False, source_ms=T0_MS, at_ms=T0_MS + 700, onset_ms=T0_MS, incident=incident,
                first_out=True,
            )
        )  # fmt: skip

    def moved(self, before: AlarmChange, transition: AlarmTransition, **changes: object) -> AlarmChange:
        """Journal: the Alarm goes on from `before`."""
        later = before.source_ms + 1000
        return self._journal(replace(before, transition=transition, source_ms=later, at_ms=later, **changes))

    def _journal(self, change: AlarmChange) -> AlarmChange:
        self._number += 1
        change = replace(change, event=self._number)
        self.events.append(change)
        return change

    async def command(self, command: Command) -> CommandResult:
        """Acknowledge by the rules of `gateway.core.command`; the other kinds are refused."""
        self.commands.append(command)
        if command.kind is not CommandKind.ACKNOWLEDGE:
            return CommandResult(Outcome.REFUSED, detail="this host only acknowledges")
        newest = {str(e.alarm): e for e in self.events}
        if command.alarm:
            change = newest.get(command.alarm)
        else:
            change = next((e for e in newest.values() if e.event == command.event), None)
        if change is None:
            return CommandResult(Outcome.UNKNOWN_ALARM if command.alarm else Outcome.UNKNOWN_EVENT)
        if command.event and command.event != change.event:
            return CommandResult(Outcome.UNKNOWN_EVENT)
        if change.acknowledged:
            return CommandResult(Outcome.ALREADY)
        person = {"actor": command.actor, "origin": command.origin, "comment": command.comment}
        done = self.moved(change, AlarmTransition.ACKNOWLEDGED, acknowledged=True, **person)
        return CommandResult(Outcome.DONE, done.event)

    def give_up(self, upto: int) -> None:
        """Events up to this number are no longer kept."""
        self._given_up = upto
        self.events = [e for e in self.events if e.event > upto]

    async def alarm_events(self, after: int, limit: int) -> Sequence[AlarmChange | Gap]:
        found = [e for e in self.events if e.event > after][:limit]
        return [Gap(after + 1, self._given_up), *found] if after < self._given_up else found

    async def mark(self, name: str) -> int:
        return self.marks.get(name, 0)

    async def set_mark(self, name: str, value: int) -> None:
        self.marks[name] = value

    def count(self, name: str, by: int = 1) -> None:
        self.counts[name] += by
