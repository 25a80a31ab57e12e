"""Alarms as Part 9 conditions: ConditionRefresh, Acknowledge, shelving and out of service.

Conditions are events only: their ConditionIds are no nodes (Part 9, 4.10 leaves that to the server).
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from gateway.core.command import Command, CommandKind, Outcome
from gateway.core.plant import AlarmId
from gateway.core.update import AlarmChange
from gateway.outputs import Host
from gateway.outputs.opcua.alarm_event import event_of
from gateway.outputs.opcua.ids import standard, status
from gateway.outputs.opcua.sessions import CALLER, Core
from gateway.outputs.opcua.space import Space, condition_identifier

_V = ua.VariantType
_MAX_COMMENT = 1000  # characters
_MAX_SHELVE_MS = 366 * 86_400_000  # what is longer is a slip; how long is allowed, the engine decides
_OUTCOMES = {
    Outcome.DONE: StatusCodes.Good,
    Outcome.UNKNOWN_ALARM: StatusCodes.BadNodeIdUnknown,
    Outcome.UNKNOWN_EVENT: StatusCodes.BadEventIdUnknown,
    Outcome.REFUSED: StatusCodes.BadRequestNotAllowed,
}
_ALREADY = {
    CommandKind.ACKNOWLEDGE: StatusCodes.BadConditionBranchAlreadyAcked,
    CommandKind.SHELVE: StatusCodes.BadConditionAlreadyShelved,
    CommandKind.UNSHELVE: StatusCodes.BadConditionNotShelved,
    CommandKind.OUT_OF_SERVICE: StatusCodes.BadInvalidState,
    CommandKind.IN_SERVICE: StatusCodes.BadInvalidState,
}


@dataclass(frozen=True, slots=True)
class _Method:
    """A method of the condition types: which command it is and what arguments it takes."""

    kind: CommandKind
    arguments: tuple[ua.VariantType, ...]


_METHODS = {
    ObjectIds.AcknowledgeableConditionType_Acknowledge: _Method(
        CommandKind.ACKNOWLEDGE, (_V.ByteString, _V.LocalizedText)
    ),
    ObjectIds.AlarmConditionType_ShelvingState_TimedShelve: _Method(CommandKind.SHELVE, (_V.Double,)),
    ObjectIds.AlarmConditionType_ShelvingState_TimedShelve2: _Method(CommandKind.SHELVE, (_V.Double, _V.LocalizedText)),
    ObjectIds.AlarmConditionType_ShelvingState_Unshelve: _Method(CommandKind.UNSHELVE, ()),
    ObjectIds.AlarmConditionType_RemoveFromService: _Method(CommandKind.OUT_OF_SERVICE, ()),
    ObjectIds.AlarmConditionType_RemoveFromService2: _Method(CommandKind.OUT_OF_SERVICE, (_V.LocalizedText,)),
    ObjectIds.AlarmConditionType_PlaceInService: _Method(CommandKind.IN_SERVICE, ()),
    ObjectIds.AlarmConditionType_PlaceInService2: _Method(CommandKind.IN_SERVICE, (_V.LocalizedText,)),
}
_SAME = {  # the state machine's own methods do what the alarm's do
    ObjectIds.ShelvedStateMachineType_TimedShelve: ObjectIds.AlarmConditionType_ShelvingState_TimedShelve,
    ObjectIds.ShelvedStateMachineType_TimedShelve2: ObjectIds.AlarmConditionType_ShelvingState_TimedShelve2,
    ObjectIds.ShelvedStateMachineType_Unshelve: ObjectIds.AlarmConditionType_ShelvingState_Unshelve,
}


class Conditions:
    """The conditions of a plant: what is retained, and what clients ask of them."""

    def __init__(self, host: Host, space: Space, core: Core, alarms: Sequence[AlarmChange]) -> None:
        """`alarms` are the newest changes of the alarms that have ever changed."""
        self._host = host
        self._space = space
        self._subscriptions = core.subscriptions
        self._alarms = {space.node_id(condition_identifier(alarm)): alarm for alarm in host.plant.alarm_ids()}
        self._newest: dict[AlarmId, AlarmChange] = {}
        for change in alarms:
            self._keep(change)
        for identifier, method in _METHODS.items():
            core.methods.handlers[standard(identifier)] = self._handler(method)
        for identifier, same in _SAME.items():
            core.methods.handlers[standard(identifier)] = self._handler(_METHODS[same])
        for identifier, arguments in (
            (ObjectIds.ConditionType_ConditionRefresh, (_V.UInt32,)),
            (ObjectIds.ConditionType_ConditionRefresh2, (_V.UInt32, _V.UInt32)),
        ):
            core.methods.handlers[standard(identifier)] = self._checked(arguments, self._refresh)

    async def write(self, change: AlarmChange) -> None:
        """Keep a change and send its event to whoever has subscribed."""
        if self._keep(change) and self._subscriptions.want_events:
            await self._subscriptions.trigger_event(event_of(change, self._host, self._space))

    def _keep(self, change: AlarmChange) -> bool:
        if self._space.node_id(condition_identifier(change.alarm)) not in self._alarms:
            self._host.count("unknown_alarm")
            return False
        self._newest[change.alarm] = change
        return True

    async def _refresh(self, _: ua.NodeId, arguments: Sequence[ua.Variant]) -> int:
        """ConditionRefresh (subscription) and ConditionRefresh2 (subscription, item): every retained condition with
        the EventId of its newest event (Part 9, 5.5.7).
        """
        subscription_id, *item = (argument.Value for argument in arguments)
        session = CALLER.get().processor.session
        known = self._subscriptions.subscriptions.get(subscription_id)
        if known is None or session is None or known.session_id != session.session_id:
            return StatusCodes.BadSubscriptionIdInvalid
        items = self._subscriptions.items_of(subscription_id)
        asked = [i for i in items.event_items() if not item or i == item[0]]
        if item and not asked:
            return StatusCodes.BadMonitoredItemIdInvalid
        now_ms = time.time_ns() // 1_000_000
        newest = (c for c in self._newest.values() if c.retain)
        retained = [event_of(c, self._host, self._space, refreshed_ms=now_ms) for c in newest]
        done = [await items.refresh(item_id, retained) for item_id in asked]
        return StatusCodes.Good if all(done) else StatusCodes.BadRefreshInProgress

    def _handler(self, method: _Method) -> Callable[[ua.CallMethodRequest], Awaitable[ua.CallMethodResult]]:
        async def command(condition: ua.NodeId, arguments: Sequence[ua.Variant]) -> int:
            return await self._command(method, condition, arguments)

        return self._checked(method.arguments, command)

    def _checked(
        self, expected: tuple[ua.VariantType, ...], act: Callable[[ua.NodeId, Sequence[ua.Variant]], Awaitable[int]]
    ) -> Callable[[ua.CallMethodRequest], Awaitable[ua.CallMethodResult]]:
        """A handler that has looked at number and types of the arguments. A null comment is an empty one."""

        async def handle(request: ua.CallMethodRequest) -> ua.CallMethodResult:
            arguments = request.InputArguments or []
            if len(arguments) != len(expected):
                few = len(arguments) < len(expected)
                code = StatusCodes.BadArgumentsMissing if few else StatusCodes.BadTooManyArguments
                return ua.CallMethodResult(StatusCode=status(code))
            good = [
                a.VariantType is e or (e is _V.LocalizedText and a.Value is None)
                for a, e in zip(arguments, expected, strict=True)
            ]
            if not all(good):
                codes = [StatusCodes.Good if g else StatusCodes.BadTypeMismatch for g in good]
                return ua.CallMethodResult(
                    StatusCode=status(StatusCodes.BadInvalidArgument),
                    InputArgumentResults=[status(code) for code in codes],
                )
            result = ua.CallMethodResult(StatusCode=status(await act(request.ObjectId, arguments)))
            result.InputArgumentResults = [ua.StatusCode() for _ in arguments]
            return result

        return handle

    async def _command(self, method: _Method, condition: ua.NodeId, arguments: Sequence[ua.Variant]) -> int:
        caller = CALLER.get()
        user = caller.user
        if user is None or not getattr(user, "may_command", False):
            self._host.count("commands_refused")
            return StatusCodes.BadUserAccessDenied
        alarm = self._alarms.get(condition)
        if alarm is None:
            return StatusCodes.BadNodeIdUnknown
        event, until_ms, comment = 0, 0, ""
        for argument in arguments:
            match argument.VariantType:
                case _V.ByteString:
                    event = self._event_number(argument.Value)
                    if not event:
                        return StatusCodes.BadEventIdUnknown
                case _V.Double:
                    if not 0 < argument.Value <= _MAX_SHELVE_MS or math.isnan(argument.Value):
                        return StatusCodes.BadShelvingTimeOutOfRange
                    until_ms = int(time.time() * 1000 + argument.Value)
                    comment = "shelved over OPC UA without a comment"  # TimedShelve has no place for one
                case _:
                    comment = (argument.Value.Text or "") if argument.Value is not None else ""
        if len(comment) > _MAX_COMMENT:
            return StatusCodes.BadInvalidArgument
        origin = f"opcua {caller.peer}"
        command = Command(method.kind, user.name or "", origin, str(alarm), event, comment, until_ms)
        result = await self._host.command(command)
        self._host.count("commands")
        return _ALREADY[method.kind] if result.outcome is Outcome.ALREADY else _OUTCOMES[result.outcome]

    def _event_number(self, identifier: bytes | None) -> int:
        """The number of one of this gateway's events, 0 if it is none."""
        return self._host.event_ids.event_of(identifier) if identifier else 0
