"""Subclasses that correct asyncua's subscriptions: filters, deadband, notifiers, queues, bounds.

Checked against asyncua 2.1.0 (`sessions.CHECKED_AGAINST`); tests/outputs/opcua/test_patches.py shows for each that the
original still needs it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.address_space import AddressSpace
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import MonitoredItemData, MonitoredItemService, WhereClauseEvaluator
from asyncua.server.subscription_service import SubscriptionService
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from gateway.outputs.opcua.event import Event, refresh_end, refresh_required, refresh_start
from gateway.outputs.opcua.ids import status

Count = Callable[[str], None]

_PUBLISHING_MS = (50.0, 3_600_000.0)
_NUMBERS = (int, float)
_OPERATORS = {
    ua.FilterOperator.Equals: 2, ua.FilterOperator.IsNull: 1, ua.FilterOperator.GreaterThan: 2,
    ua.FilterOperator.LessThan: 2, ua.FilterOperator.GreaterThanOrEqual: 2, ua.FilterOperator.LessThanOrEqual: 2,
    ua.FilterOperator.Not: 1, ua.FilterOperator.InList: 2, ua.FilterOperator.And: 2, ua.FilterOperator.Or: 2,
    ua.FilterOperator.OfType: 1,
}  # fmt: skip


class Where(WhereClauseEvaluator):
    """The original compares OfType for equality, without subtypes, so that no client that filters on a base type sees
    an alarm; reads only the first element of a browse path; and logs a traceback for each event without the field.
    """

    def eval(self, event: Event) -> bool:
        """Whether the event passes; a comparison of what cannot be compared does not."""
        if not self.elements:
            return True
        try:
            return bool(self._eval_el(0, event))
        except TypeError:
            return False

    def _eval_el(self, index: int, event: Event) -> Any:
        element = self.elements[index]
        if element.FilterOperator == ua.FilterOperator.OfType:
            return self._eval_op(element.FilterOperands[0], event) in event.types
        return super()._eval_el(index, event)

    def _eval_op(self, op: Any, event: Event) -> Any:
        if isinstance(op, ua.SimpleAttributeOperand):
            return event.field(op).Value
        return super()._eval_op(op, event)


def fault_of(where: ua.ContentFilter) -> int | None:
    """The status code that says why a where clause cannot be evaluated, or None. Operands may only refer to later
    elements (Part 4, 7.4.4.2): anything else could run in circles.
    """
    for index, element in enumerate(where.Elements):
        operands = _OPERATORS.get(element.FilterOperator)
        if operands is None:
            return StatusCodes.BadFilterOperatorUnsupported
        if len(element.FilterOperands) < operands:
            return StatusCodes.BadFilterOperandCountMismatch
        for operand in element.FilterOperands:
            if isinstance(operand, ua.ElementOperand):
                if not index < operand.Index < len(where.Elements):
                    return StatusCodes.BadFilterOperandInvalid
            elif not isinstance(operand, ua.LiteralOperand | ua.SimpleAttributeOperand):
                return StatusCodes.BadFilterOperandInvalid
    return None


class Items(MonitoredItemService):
    """The monitored items of one subscription."""

    def __init__(self, subscription: InternalSubscription, space: AddressSpace, most: int, count: Count) -> None:
        super().__init__(subscription, space)
        self._most = most
        self._count = count

    async def create_monitored_items(self, params: ua.CreateMonitoredItemsParameters) -> list[Any]:
        """The original has no bound on the number of items."""
        if len(self._monitored_items) + len(params.ItemsToCreate) > self._most:
            raise ServiceError(StatusCodes.BadTooManyMonitoredItems)
        return await super().create_monitored_items(params)

    def _create_events_monitored_item(self, params: ua.MonitoredItemCreateRequest) -> ua.MonitoredItemCreateResult:
        """The original fails the whole call on a missing filter, and takes any queue size, down to 1, with which all
        but the last event of a publishing interval would be lost. Here the server chooses the size.
        """
        wanted = params.RequestedParameters
        if not isinstance(wanted.Filter, ua.EventFilter):
            return ua.MonitoredItemCreateResult(StatusCode=status(StatusCodes.BadEventFilterInvalid))
        fault = fault_of(wanted.Filter.WhereClause)
        if fault is not None:
            return ua.MonitoredItemCreateResult(StatusCode=status(fault))
        wanted.QueueSize = 0
        result = super()._create_events_monitored_item(params)
        if result.StatusCode.is_good():
            item = self._monitored_items[result.MonitoredItemId]
            item.where_clause_evaluator = Where(self.logger, self.aspace, wanted.Filter.WhereClause)
        return result

    async def _create_data_change_monitored_item(
        self, params: ua.MonitoredItemCreateRequest
    ) -> ua.MonitoredItemCreateResult:
        """The original accepts any filter and then fails at every change."""
        wanted = params.RequestedParameters
        wanted.Filter = wanted.Filter or None  # an ExtensionObject of no type is no filter
        if not isinstance(wanted.Filter, ua.DataChangeFilter | None):
            fault = status(StatusCodes.BadMonitoredItemFilterUnsupported)
            return ua.MonitoredItemCreateResult(StatusCode=fault)
        return await super()._create_data_change_monitored_item(params)

    def _modify_monitored_item(self, params: ua.MonitoredItemModifyRequest) -> ua.MonitoredItemModifyResult:
        """The original raises TypeError for an unknown item, ignores its own bound of the queue, and changes an event
        item's filter without its where clause.
        """
        item = self._monitored_items.get(params.MonitoredItemId)
        if item is None:
            return ua.MonitoredItemModifyResult(StatusCode=status(StatusCodes.BadMonitoredItemIdInvalid))
        wanted = params.RequestedParameters
        wanted.Filter = wanted.Filter or None
        if wanted.Filter is not None:
            if type(wanted.Filter) is not type(item.filter) and item.filter is not None:
                return ua.MonitoredItemModifyResult(StatusCode=status(StatusCodes.BadFilterNotAllowed))
            if isinstance(wanted.Filter, ua.EventFilter):
                fault = fault_of(wanted.Filter.WhereClause)
                if fault is not None:
                    return ua.MonitoredItemModifyResult(StatusCode=status(fault))
                item.where_clause_evaluator = Where(self.logger, self.aspace, wanted.Filter.WhereClause)
        is_event = item.where_clause_evaluator is not None
        wanted.QueueSize = self._revise_queue_size(0 if is_event else wanted.QueueSize)
        return super()._modify_monitored_item(params)

    async def datachange_callback(self, handle: int, value: ua.DataValue, error: ua.StatusCode | None = None) -> None:
        """The original measures a deadband from the last value seen, not the last one reported, so that a slow ramp is
        never reported; lets every percent deadband pass; and copies each value deeply.
        """
        if error is not None:
            await super().datachange_callback(handle, value, error)
            return
        item_id = self._monitored_datachange[handle]
        item = self._monitored_items[item_id]
        if item.mode == ua.MonitoringMode.Disabled or not self._is_news(item, value):
            return
        item.mvalue.current_dvalue = value
        notification = ua.MonitoredItemNotification(ClientHandle=item.client_handle, Value=value)
        await self.isub.enqueue_datachange_event(item_id, notification, item.queue_size)

    def _is_news(self, item: MonitoredItemData, value: ua.DataValue) -> bool:
        reported = item.mvalue.current_dvalue
        if reported is None or reported.StatusCode != value.StatusCode:
            return True
        trigger = item.filter.Trigger if item.filter else ua.DataChangeTrigger.StatusValue
        if trigger == ua.DataChangeTrigger.Status:
            return False
        if trigger == ua.DataChangeTrigger.StatusValueTimestamp and reported.SourceTimestamp != value.SourceTimestamp:
            return True
        if reported.Value == value.Value:
            return False
        return item.filter is None or self._leaves_deadband(item, _plain(reported), _plain(value))

    def _leaves_deadband(self, item: MonitoredItemData, reported: Any, value: Any) -> bool:
        kind, width = item.filter.DeadbandType, item.filter.DeadbandValue
        if kind == ua.DeadbandType.None_ or not (isinstance(reported, _NUMBERS) and isinstance(value, _NUMBERS)):
            return True
        if kind == ua.DeadbandType.Percent:
            span = self._span(item.read_value_id.NodeId) if item.read_value_id is not None else None
            if span is None:
                return True
            width = width / 100 * span
        return bool(abs(value - reported) > width)

    def _span(self, variable: ua.NodeId) -> float | None:
        """EURange of an AnalogItem, high minus low."""
        for reference in self.aspace[variable].references:
            if reference.IsForward and reference.BrowseName.Name == "EURange":
                span = _plain(self.aspace.read_attribute_value(reference.NodeId, AttributeIds.Value))
                return float(span.High - span.Low)
        return None

    async def trigger_event(self, event: Event, mid: int | None = None) -> bool:
        """The original shows an event to subscribers of one emitting node only; here every notifier above its source
        has it, up to the Server object.
        """
        items = [mid] if mid is not None else self.event_items(event.notifiers)
        for item_id in items:
            await self._trigger_event(event, item_id)
        return bool(items)

    def event_items(self, notifiers: tuple[ua.NodeId, ...] | None = None) -> list[int]:
        """Ids of the event items on these notifiers, or of all."""
        nodes = tuple(self._monitored_events) if notifiers is None else notifiers
        return [item for node in nodes for item in self._monitored_events.get(node, ())]

    async def refresh(self, item_id: int, retained: Sequence[Event]) -> bool:
        """Queue the retained conditions that this item sees, whatever its queue holds, since a refresh that overflowed
        would ask for another. False if the last refresh has not been fetched yet.
        """
        item = self._monitored_items[item_id]
        if len(self.isub._triggered_events.get(item_id, ())) > item.queue_size:
            return False
        seen = [e for e in retained if item_id in self.event_items(e.notifiers) and _passes(item, e)]
        for event in (refresh_start(), *seen, refresh_end()):
            await self.isub.enqueue_event(item_id, _row(item, event), 0)
        return True

    async def _trigger_event(self, event: Event, mid: int) -> None:
        """The original drops the oldest event of a full queue in silence; here the client is told to refresh."""
        item = self._monitored_items.get(mid)
        if item is None or item.mode == ua.MonitoringMode.Disabled:
            return
        if not _passes(item, event):
            return
        queued = self.isub._triggered_events.get(mid)
        if queued is not None and len(queued) >= item.queue_size:
            self._count("event_queue_overflowed")
            queued[:] = [_row(item, refresh_required())]  # whatever the filter (Part 9, 4.5)
        await self.isub.enqueue_event(mid, _row(item, event), 0)


def _passes(item: MonitoredItemData, event: Event) -> bool:
    where = item.where_clause_evaluator
    return where is not None and where.eval(event)


def _plain(value: ua.DataValue) -> Any:
    return value.Value.Value if value.Value is not None else None


def _row(item: MonitoredItemData, event: Event) -> ua.EventFieldList:
    return ua.EventFieldList(
        ClientHandle=item.client_handle, EventFields=event.to_event_fields(item.filter.SelectClauses)
    )


class Subscriptions(SubscriptionService):
    """All subscriptions of the server."""

    def __init__(self, space: AddressSpace, server: InternalServer, most_items: int, count: Count) -> None:
        super().__init__(space, server)
        self._most_items = most_items
        self._count = count

    async def create_subscription(
        self,
        params: ua.CreateSubscriptionParameters,
        callback: Callable[..., Any],
        session_id: ua.NodeId,
        request_callback: Callable[..., Any] | None = None,
    ) -> ua.CreateSubscriptionResult:
        """The original grants any publishing interval, down to a busy loop, and makes its own item service."""
        low, high = _PUBLISHING_MS
        wanted = params.RequestedPublishingInterval
        params.RequestedPublishingInterval = low if math.isnan(wanted) else min(max(wanted, low), high)
        result = await super().create_subscription(params, callback, session_id, request_callback)
        subscription = self.subscriptions[result.SubscriptionId]
        subscription.monitored_item_srv = Items(subscription, self.aspace, self._most_items, self._count)
        return result

    def items_of(self, subscription_id: int) -> Items:
        """The monitored items of a subscription; KeyError if there is none such."""
        items = self.subscriptions[subscription_id].monitored_item_srv
        assert isinstance(items, Items)
        return items

    async def trigger_event(self, event: Event, subscription_id: int | None = None) -> None:
        """Hand an event to every subscription, or to one. The original also keeps a copy of each retained condition
        under the last event's object; here `Conditions` knows them.
        """
        for known_id, subscription in tuple(self.subscriptions.items()):
            if subscription_id in (None, known_id):
                await subscription.monitored_item_srv.trigger_event(event)
