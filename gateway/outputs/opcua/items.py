"""Monitored items: what corrects asyncua's, and bounds what waits in their queues.

Checked against asyncua 2.1.0 (`sessions.CHECKED_AGAINST`); tests/outputs/opcua/test_patches.py shows for each that the
original still needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.address_space import AddressSpace
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import MonitoredItemData, MonitoredItemService
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from gateway.outputs.opcua.event import Event, refresh_end, refresh_required, refresh_start
from gateway.outputs.opcua.filters import Where, columns, fault_of
from gateway.outputs.opcua.ids import status
from gateway.outputs.opcua.notifications import tag_change
from gateway.outputs.opcua.publishing import Subscription
from gateway.outputs.opcua.slots import TagValue, Watched

Count = Callable[[str], None]

_NUMBERS = (int, float)
_DEEPEST = 100  # values in the queue of one item


class Room:
    """How many notifications may wait for all clients together: each item takes the length of its queue."""

    def __init__(self, most: int) -> None:
        self.free = most

    def take(self, wanted: int, least: int) -> int:
        """As many as are wanted, or else `least`, or else 0."""
        granted = next((n for n in (wanted, least) if n <= self.free), 0)
        self.free -= granted
        return granted

    def give(self, back: int) -> None:
        """Give up what was taken."""
        self.free += back


class Items(MonitoredItemService):
    """The monitored items of one subscription."""

    def __init__(
        self, subscription: InternalSubscription, space: AddressSpace, most: int, room: Room, count: Count
    ) -> None:
        super().__init__(subscription, space)
        self._most = most
        self._room = room
        self._count = count
        self._columns: dict[int, tuple[str | None, ...]] = {}  # what an event item has selected
        self._watched: dict[int, Watched] = {}  # by items on Tags

    async def create_monitored_items(self, params: ua.CreateMonitoredItemsParameters) -> list[Any]:
        """The original has no bound on the number of items."""
        if len(self._monitored_items) + len(params.ItemsToCreate) > self._most:
            self._count("items_refused")
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
        length = self._room.take(self.isub.max_queue_size, self.isub.max_queue_size)
        if not length:
            return self._refused()
        wanted.QueueSize = length
        result = super()._create_events_monitored_item(params)
        if result.StatusCode.is_good():
            self._select(self._monitored_items[result.MonitoredItemId], wanted.Filter)
        else:
            self._room.give(length)
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
        length = self._room.take(_length(wanted.QueueSize), 1)
        if not length:
            return self._refused()
        wanted.QueueSize = length
        result = await super()._create_data_change_monitored_item(params)
        if result.StatusCode.is_good():
            self._watch(self._monitored_items[result.MonitoredItemId])
        else:
            self._room.give(length)
        return result

    def _watch(self, item: MonitoredItemData) -> None:
        """What is not a Tag's value hardly ever changes, and tells `datachange_callback`."""
        assert item.read_value_id is not None
        assert item.monitored_item_id is not None
        attribute = self.aspace[item.read_value_id.NodeId].attributes[item.read_value_id.AttributeId]
        if isinstance(attribute, TagValue):
            assert item.callback_handle is not None
            attribute.slot.watch(item.callback_handle, partial(self._changed, item.monitored_item_id, item))
            self._watched[item.monitored_item_id] = Watched(attribute.slot, attribute.slot.change)

    def _changed(self, mid: int, item: MonitoredItemData) -> None:
        """A queue of one value needs only the newest, when it is sent."""
        assert isinstance(self.isub, Subscription)
        if item.queue_size == 1:
            self.isub.defer(mid, self._sample)
        else:
            self._sample(mid)

    def _sample(self, mid: int) -> None:
        """Queue a Tag's value if it is news."""
        item = self._monitored_items.get(mid)
        if item is None or item.mode == ua.MonitoringMode.Disabled:
            return
        watched = self._watched[mid]
        slot = watched.slot
        row: ua.MonitoredItemNotification | bytes
        if item.filter is None:
            if watched.has_told(slot.change):
                return
            assert item.client_handle is not None
            row = tag_change(item.client_handle, slot.form, slot.change, slot.served)
            item.mvalue.current_dvalue = None  # only a filter looks at it
        else:
            value = slot.read()
            if not self._is_news(item, value):
                return
            row = self._notification(item, value)
        watched.told = slot.change
        assert isinstance(self.isub, Subscription)
        self.isub.put(mid, row, item.queue_size)

    def _notification(self, item: MonitoredItemData, value: ua.DataValue) -> ua.MonitoredItemNotification:
        item.mvalue.current_dvalue = value
        return ua.MonitoredItemNotification(ClientHandle=item.client_handle, Value=value)

    def _refused(self) -> ua.MonitoredItemCreateResult:
        self._count("items_refused")
        return ua.MonitoredItemCreateResult(StatusCode=status(StatusCodes.BadTooManyMonitoredItems))

    def _select(self, item: MonitoredItemData, wanted: ua.EventFilter) -> None:
        assert item.monitored_item_id is not None
        item.where_clause_evaluator = Where(self.logger, self.aspace, wanted.WhereClause)
        self._columns[item.monitored_item_id] = columns(wanted.SelectClauses)

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
                self._select(item, wanted.Filter)
        if item.where_clause_evaluator is None:
            self._room.give(item.queue_size)
            item.queue_size = self._room.take(_length(wanted.QueueSize), 1)  # there is room for 1: it has just left
        wanted.QueueSize = item.queue_size
        return super()._modify_monitored_item(params)

    def _delete_monitored_items(self, mid: int) -> ua.StatusCode:
        """The original looks for each item among all, and leaves what waits for it in its queue."""
        item = self._monitored_items.pop(mid, None)
        if item is None:
            return status(StatusCodes.BadMonitoredItemIdInvalid)
        self._room.give(item.queue_size)
        if item.callback_handle is not None:
            self.aspace.delete_datachange_callback(item.callback_handle)
            if mid in self._watched:
                self._watched.pop(mid).slot.leave(item.callback_handle)
            del self._monitored_datachange[item.callback_handle]
            self.isub._triggered_datachanges.pop(mid, None)
        elif item.read_value_id is not None:
            del self._columns[mid]
            on_node = self._monitored_events[item.read_value_id.NodeId]
            on_node.remove(mid)
            if not on_node:
                del self._monitored_events[item.read_value_id.NodeId]
            self.isub._triggered_events.pop(mid, None)
        return ua.StatusCode()

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
        if item_id in self._watched:  # it has been enabled
            self._watched[item_id].told = self._watched[item_id].slot.change
        await self.isub.enqueue_datachange_event(item_id, self._notification(item, value), item.queue_size)

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
            await self.isub.enqueue_event(item_id, self._row(item_id, item, event), 0)
        return True

    async def _trigger_event(self, event: Event, mid: int) -> None:
        """The original drops the oldest event of a full queue in silence; here the client is told to refresh."""
        item = self._monitored_items.get(mid)
        if item is None or item.mode == ua.MonitoringMode.Disabled or not _passes(item, event):
            return
        queued = self.isub._triggered_events.get(mid)
        if queued is not None and len(queued) >= item.queue_size:
            self._count("event_queue_overflowed")
            queued[:] = [self._row(mid, item, refresh_required())]  # whatever the filter (Part 9, 4.5)
        await self.isub.enqueue_event(mid, self._row(mid, item, event), 0)

    def _row(self, mid: int, item: MonitoredItemData, event: Event) -> ua.EventFieldList:
        return ua.EventFieldList(ClientHandle=item.client_handle, EventFields=event.row(self._columns[mid]))


def _length(asked: int) -> int:
    """Of a queue of values: 1, the newest, unless more are asked for."""
    return min(max(asked, 1), _DEEPEST)


def _passes(item: MonitoredItemData, event: Event) -> bool:
    where = item.where_clause_evaluator
    return where is not None and where.eval(event)


def _plain(value: ua.DataValue) -> Any:
    return value.Value.Value if value.Value is not None else None
