"""Alarms: the life cycle of ISA-18.2, protocol-neutral.

An Alarm has a condition (true or false, with delays), an acknowledgement, a shelf and a service state. OPC UA, Modbus
and MQTT are views of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter

from gateway.core.command import Command, CommandKind, CommandResult, Outcome
from gateway.core.ledger import Ledger
from gateway.core.plant import AlarmId, AlarmText
from gateway.core.timers import Timers
from gateway.core.update import AlarmChange, AlarmTransition

RECENT_EVENTS = 16
"""How many events of one activity an acknowledgement may name: a client that has seen the raise but not yet the
latest revision has still seen this alarm."""

_KEPT = ("active", "acknowledged", "shelved_until_ms", "out_of_service", "onset_ms", "incident", "first_out")
"""What stays as it was where a transition does not change it."""
_kept = attrgetter(*_KEPT)


@dataclass(slots=True)
class Alarm:
    """One Alarm: its newest change, its condition as it stands (perhaps not said yet), the events of its activity."""

    last: AlarmChange
    condition: bool = False
    condition_source_ms: int = 0
    incident: int = 0
    first_out: bool = False
    delay_ends_ms: int = 0  # 0: no delay is running
    events: list[int] = field(default_factory=list)
    detail: str = ""  # of the condition, said with the raise


class Alarms:
    """All Alarms that have ever been active or been touched by a person."""

    def __init__(self, ledger: Ledger, timers: Timers) -> None:
        self._ledger = ledger
        self._timers = timers
        self.alarms: dict[AlarmId, Alarm] = {}
        self.active = 0  # active, neither shelved nor out of service
        self.unacknowledged = 0  # likewise

    def condition(
        self, alarm_id: AlarmId, present: bool, source_ms: int, at_ms: int, text: AlarmText,
        incident: int = 0, first_out: bool = False, detail: str = "",
    ) -> None:  # fmt: skip
        """The condition of an Alarm is or is not there, as of `source_ms` in the plant and `at_ms` at the gateway.
        `detail`: what exactly, where the Alarm alone does not say it.
        """
        alarm = self.alarms.get(alarm_id)
        if alarm is None:
            if not present:
                return
            alarm = self._alarm(alarm_id)
        revised = alarm.condition and detail != alarm.detail
        if present:
            alarm.incident, alarm.first_out, alarm.detail = incident, first_out, detail
        alarm.condition, before = present, alarm.condition
        if present and not before and alarm.last.active and incident == alarm.last.incident:
            source_ms = alarm.last.onset_ms  # back before the off-delay was over: still the same activity
        if present or before:
            alarm.condition_source_ms = source_ms
        if alarm.last.active == present:  # as it was, or back before the delay was over
            alarm.delay_ends_ms = 0
            if present:
                self._revise(alarm, at_ms, revised)
        elif before != present or (present and alarm.delay_ends_ms):
            # A delay counts from when it happened in the plant: late data does not wait twice.
            alarm.delay_ends_ms = source_ms + (text.on_delay_ms if present else text.off_delay_ms)
            self._after_delay(alarm, at_ms)

    def is_active(self, alarm_id: AlarmId) -> bool:
        """Whether it is active, its off-delay included."""
        alarm = self.alarms.get(alarm_id)
        return alarm is not None and alarm.last.active

    def on_timer(self, alarm_id: AlarmId, at_ms: int) -> None:
        """A delay is over, or the time on the shelf is."""
        alarm = self.alarms.get(alarm_id)
        if alarm is None:
            return
        if alarm.delay_ends_ms:
            self._after_delay(alarm, at_ms)
        until_ms = alarm.last.shelved_until_ms
        if until_ms and until_ms <= at_ms:
            self._say(alarm, AlarmTransition.UNSHELVED, until_ms, at_ms, shelved_until_ms=0, comment="time is up")
        elif until_ms:
            self._timers.ask(f"alarm:{alarm_id}", until_ms)

    def command(self, command: Command, known: Iterable[AlarmId], at_ms: int) -> CommandResult:
        """Carry out what a person asks."""
        alarm_id = self.named(command, known)
        if alarm_id is None:
            return CommandResult(Outcome.UNKNOWN_ALARM if command.alarm else Outcome.UNKNOWN_EVENT)
        alarm = self.alarms.get(alarm_id)
        if command.event and (alarm is None or command.event not in alarm.events):
            return CommandResult(Outcome.UNKNOWN_EVENT, detail=f"event {command.event} is not of {alarm_id}'s activity")
        return self._carry_out(command, alarm or self._alarm(alarm_id), at_ms)

    def drop(self, alarm_id: AlarmId, at_ms: int) -> None:
        """Its asset or node is no longer part of the plant: it returns to normal, and is forgotten."""
        alarm = self.alarms.get(alarm_id)
        if alarm is None:
            return
        if alarm.last.retain or alarm.last.shelved_until_ms or alarm.last.out_of_service:
            self._say(
                alarm, AlarmTransition.RETURNED, at_ms, at_ms, active=False, acknowledged=True, shelved_until_ms=0,
                out_of_service=False, comment="no longer part of the plant",
            )  # fmt: skip
        del self.alarms[alarm_id]

    def restore(self, alarms: dict[AlarmId, Alarm]) -> None:
        """Take over the state of a snapshot."""
        self.alarms = alarms
        for alarm in alarms.values():
            self._tally(alarm.last, 1)

    def _carry_out(self, command: Command, alarm: Alarm, at_ms: int) -> CommandResult:
        last, who = alarm.last, {"actor": command.actor, "origin": command.origin, "comment": command.comment}
        match command.kind:
            case CommandKind.ACKNOWLEDGE:
                if last.acknowledged:
                    return CommandResult(Outcome.ALREADY, detail="nothing waits for an acknowledgement")
                self._say(alarm, AlarmTransition.ACKNOWLEDGED, at_ms, at_ms, acknowledged=True, **who)
            case CommandKind.SHELVE:
                if not command.comment:
                    return CommandResult(Outcome.REFUSED, detail="shelving needs a reason")
                if command.until_ms <= at_ms:
                    return CommandResult(Outcome.REFUSED, detail="shelving needs a time in the future")
                self._timers.ask(f"alarm:{last.alarm}", command.until_ms)
                self._say(alarm, AlarmTransition.SHELVED, at_ms, at_ms, shelved_until_ms=command.until_ms, **who)
            case CommandKind.UNSHELVE:
                if not last.shelved_until_ms:
                    return CommandResult(Outcome.ALREADY, detail="it is not shelved")
                self._say(alarm, AlarmTransition.UNSHELVED, at_ms, at_ms, shelved_until_ms=0, **who)
            case CommandKind.OUT_OF_SERVICE:
                if last.out_of_service:
                    return CommandResult(Outcome.ALREADY, detail="it is out of service already")
                self._say(alarm, AlarmTransition.OUT_OF_SERVICE, at_ms, at_ms, out_of_service=True, **who)
            case CommandKind.IN_SERVICE:
                if not last.out_of_service:
                    return CommandResult(Outcome.ALREADY, detail="it is in service")
                self._say(alarm, AlarmTransition.IN_SERVICE, at_ms, at_ms, out_of_service=False, **who)
        return CommandResult(Outcome.DONE, alarm.last.event)

    def named(self, command: Command, known: Iterable[AlarmId]) -> AlarmId | None:
        """The Alarm that a command is about; None if there is none such."""
        if command.alarm:
            return next((a for a in known if str(a) == command.alarm), None)
        return next((a for a, alarm in self.alarms.items() if command.event in alarm.events), None)

    def _alarm(self, alarm_id: AlarmId) -> Alarm:
        never = AlarmChange(
            0, alarm_id, AlarmTransition.RETURNED, active=False, acknowledged=True, shelved_until_ms=0,
            out_of_service=False, source_ms=0, at_ms=0, onset_ms=0, incident=0, first_out=False,
        )  # fmt: skip
        self.alarms[alarm_id] = alarm = Alarm(never)
        return alarm

    def _after_delay(self, alarm: Alarm, at_ms: int) -> None:
        if alarm.delay_ends_ms > at_ms:
            self._timers.ask(f"alarm:{alarm.last.alarm}", alarm.delay_ends_ms)
            return
        alarm.delay_ends_ms = 0
        source_ms = alarm.condition_source_ms
        if not alarm.condition:
            self._say(alarm, AlarmTransition.RETURNED, source_ms, at_ms, active=False)
            return
        alarm.events.clear()
        self._say(
            alarm, AlarmTransition.RAISED, source_ms, at_ms, active=True, acknowledged=False, onset_ms=source_ms,
            incident=alarm.incident, first_out=alarm.first_out, comment=alarm.detail,
        )  # fmt: skip

    def _revise(self, alarm: Alarm, at_ms: int, revised: bool) -> None:
        last, source_ms = alarm.last, alarm.condition_source_ms
        if revised or (alarm.incident, alarm.first_out, source_ms) != (last.incident, last.first_out, last.onset_ms):
            self._say(
                alarm, AlarmTransition.REVISED, source_ms, at_ms,
                onset_ms=source_ms, incident=alarm.incident, first_out=alarm.first_out, comment=alarm.detail,
            )  # fmt: skip

    def _say(
        self, alarm: Alarm, transition: AlarmTransition, source_ms: int, at_ms: int, *,
        actor: str = "", origin: str = "", comment: str = "", **changed: object,
    ) -> None:  # fmt: skip
        last = alarm.last
        self._tally(last, -1)
        # Not dataclasses.replace, which takes three times as long: alarms come in storms.
        alarm.last = AlarmChange(
            event=self._ledger.next_event(), alarm=last.alarm, transition=transition, source_ms=source_ms, at_ms=at_ms,
            actor=actor, origin=origin, comment=comment,
            **(dict(zip(_KEPT, _kept(last), strict=True)) | changed),
        )  # fmt: skip
        self._tally(alarm.last, 1)
        alarm.events.append(alarm.last.event)
        del alarm.events[1:-RECENT_EVENTS]  # the raise itself is always kept
        self._ledger.say(alarm.last)

    def _tally(self, change: AlarmChange, by: int) -> None:
        if not change.shelved_until_ms and not change.out_of_service:
            self.active += by * change.active
            self.unacknowledged += by * (not change.acknowledged)
