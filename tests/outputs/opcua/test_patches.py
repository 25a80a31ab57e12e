"""asyncua as it is beside asyncua as corrected here. When one of the first assertions of these tests fails, asyncua has
mended it: the subclass can go.
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from types import SimpleNamespace

import pytest
from asyncua import ua
from asyncua.server.address_space import AddressSpace, AttributeValue, MethodService, NodeData
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import MonitoredItemService, WhereClauseEvaluator

from gateway.outputs.opcua.attributes import constant
from gateway.outputs.opcua.builder import Builder, Place
from gateway.outputs.opcua.event import Event, refresh_required
from gateway.outputs.opcua.filters import Where, fault_of
from gateway.outputs.opcua.ids import standard
from gateway.outputs.opcua.items import Items, Room
from gateway.outputs.opcua.sessions import CHECKED_AGAINST, Core, Methods

log = logging.getLogger(__name__)
OFF_NORMAL, CONDITION = (standard(getattr(ua.ObjectIds, n)) for n in ("OffNormalAlarmType", "ConditionType"))


def ignore(name: str) -> None:
    """A counter that nobody reads."""


def test_asyncua_is_the_version_that_the_subclasses_were_checked_against() -> None:
    assert version("asyncua") == CHECKED_AGAINST, "look at every subclass in gateway/outputs/opcua again"


def clause(operator: ua.FilterOperator, *operands: object) -> ua.ContentFilter:
    return ua.ContentFilter([ua.ContentFilterElement(operator, list(operands))])


def field(*path: str) -> ua.SimpleAttributeOperand:
    names = [ua.QualifiedName(name) for name in path]
    return ua.SimpleAttributeOperand(BrowsePath=names, AttributeId=ua.AttributeIds.Value)


def literal(value: object) -> ua.LiteralOperand:
    return ua.LiteralOperand(ua.Variant(value))


def an_event(**fields: object) -> Event:
    variants = {name.replace("__", "/"): ua.Variant(value) for name, value in fields.items()}
    return Event(variants, frozenset({OFF_NORMAL, CONDITION}))


def test_of_type_admits_subtypes() -> None:
    where = clause(ua.FilterOperator.OfType, literal(CONDITION))
    assert not WhereClauseEvaluator(log, AddressSpace(), where).eval(SimpleNamespace(EventType=OFF_NORMAL))
    assert Where(log, AddressSpace(), where).eval(an_event())
    other = clause(ua.FilterOperator.OfType, literal(standard(ua.ObjectIds.AuditEventType)))
    assert not Where(log, AddressSpace(), other).eval(an_event())


def test_where_reads_whole_paths_and_missing_fields_are_null() -> None:
    active = clause(ua.FilterOperator.Equals, field("ActiveState", "Id"), literal(True))
    event = an_event(ActiveState="Active", ActiveState__Id=True)
    assert not WhereClauseEvaluator(log, AddressSpace(), active).eval(SimpleNamespace(ActiveState="Active"))
    assert Where(log, AddressSpace(), active).eval(event)
    assert not Where(log, AddressSpace(), active).eval(an_event())
    severe = clause(ua.FilterOperator.GreaterThan, field("Severity"), literal(500))
    assert not Where(log, AddressSpace(), severe).eval(an_event())
    assert Where(log, AddressSpace(), severe).eval(an_event(Severity=800))


def test_where_clauses_that_cannot_be_evaluated_are_refused() -> None:
    circle = ua.ContentFilter([ua.ContentFilterElement(ua.FilterOperator.Not, [ua.ElementOperand(0)])])
    assert fault_of(circle) == ua.StatusCodes.BadFilterOperandInvalid
    assert fault_of(clause(ua.FilterOperator.Like, field("Message"), literal("%"))) == (
        ua.StatusCodes.BadFilterOperatorUnsupported
    )
    assert fault_of(clause(ua.FilterOperator.Equals, literal(1))) == ua.StatusCodes.BadFilterOperandCountMismatch
    assert fault_of(clause(ua.FilterOperator.OfType, literal(CONDITION))) is None


async def test_methods_can_be_called_on_conditions_that_are_no_nodes() -> None:
    request = ua.CallMethodRequest(ua.NodeId("condition", 2), ua.NodeId("acknowledge", 2), [])
    original, methods = MethodService(AddressSpace()), Methods(AddressSpace())
    assert (await original.call([request]))[0].StatusCode.name == "BadNodeIdInvalid"

    async def handle(called: ua.CallMethodRequest) -> ua.CallMethodResult:
        assert called.ObjectId.Identifier == "condition"
        return ua.CallMethodResult(StatusCode=ua.StatusCode(ua.StatusCodes.BadEventIdUnknown))

    methods.handlers[ua.NodeId("acknowledge", 2)] = handle
    assert (await methods.call([request]))[0].StatusCode.name == "BadEventIdUnknown"
    original.stop()
    methods.stop()


async def nothing(*_: object) -> None:
    """Stands for a client's connection that is not looked at."""


async def test_sessions_cannot_delete_each_others_subscriptions() -> None:
    def users(*_: object, **__: object) -> None:
        return None

    for server, outcome in (
        (InternalServer(), "Good"),
        (Core(users, 10, 10, 10, ignore), "BadSubscriptionIdInvalid"),
    ):
        owner, other = (server.create_session(name) for name in ("owner", "other"))
        owner.certificate = b""
        params = ua.CreateSubscriptionParameters(RequestedPublishingInterval=100)
        made = await owner.create_subscription(params, nothing)
        assert (await other.delete_subscriptions([made.SubscriptionId]))[0].name == outcome
        await owner.delete_subscriptions([made.SubscriptionId])


def test_the_secret_of_a_session_is_not_a_counter() -> None:
    plain = InternalServer().create_session("a", external=True)
    assert isinstance(plain, InternalSession)
    assert isinstance(plain.auth_token.Identifier, int)
    secured = Core(None, 10, 10, 10, ignore).create_session("b", external=True)
    assert isinstance(secured.auth_token.Identifier, bytes)


def ramp_items(
    kind: type[MonitoredItemService], most: int = 1000
) -> tuple[AddressSpace, ua.NodeId, InternalSubscription]:
    space = AddressSpace()
    for present in (standard(ua.ObjectIds.AnalogItemType), standard(ua.ObjectIds.PropertyType), CONDITION):
        space[present] = _node()
    builder = Builder(space, 2)
    value = AttributeValue(ua.DataValue(ua.Variant(0.0, ua.VariantType.Double)))
    node = builder.variable(
        "v", Place(CONDITION, CONDITION), "v", ua.ObjectIds.AnalogItemType, value, ua.ObjectIds.Double
    )
    span = constant(ua.Range(0.0, 200.0), ua.VariantType.ExtensionObject)
    builder.property(node, "EURange", span, ua.ObjectIds.Range)
    subscription = InternalSubscription(
        ua.CreateSubscriptionResult(), space, nothing, ua.NodeId(1), max_queue_size=most
    )
    subscription.data.RevisedPublishingInterval = 100
    args = (10, Room(1000), ignore) if kind is Items else ()
    subscription.monitored_item_srv = kind(subscription, space, *args)
    return space, node, subscription


def _node() -> NodeData:
    data = NodeData(CONDITION)
    for attribute, value in ((ua.AttributeIds.BrowseName, ua.QualifiedName("t")), (ua.AttributeIds.NodeClass, 1)):
        data.attributes[attribute] = AttributeValue(ua.DataValue(ua.Variant(value)))
    data.attributes[ua.AttributeIds.DisplayName] = AttributeValue(ua.DataValue(ua.Variant(ua.LocalizedText("t"))))
    return data


async def notifications(kind: type[MonitoredItemService], deadband: ua.DeadbandType, width: float) -> int:
    """How many changes are reported of a ramp from 0 to 50 in steps of a half."""
    space, node, subscription = ramp_items(kind)
    request = ua.MonitoredItemCreateRequest(MonitoringMode=ua.MonitoringMode.Reporting)
    request.ItemToMonitor.NodeId, request.ItemToMonitor.AttributeId = node, ua.AttributeIds.Value
    request.RequestedParameters.QueueSize = 1000
    request.RequestedParameters.Filter = ua.DataChangeFilter(ua.DataChangeTrigger.StatusValue, deadband, width)
    params = ua.CreateMonitoredItemsParameters(ItemsToCreate=[request])
    result = (await subscription.monitored_item_srv.create_monitored_items(params))[0]
    assert result.StatusCode.is_good()
    for step in range(1, 101):
        await space.write_attribute_value(node, ua.AttributeIds.Value, ua.DataValue(ua.Variant(step / 2)))
    return len(subscription._triggered_datachanges[result.MonitoredItemId])


async def test_deadband_counts_from_what_was_last_reported() -> None:
    assert await notifications(MonitoredItemService, ua.DeadbandType.Absolute, 1.0) == 1
    assert await notifications(Items, ua.DeadbandType.Absolute, 1.0) == 1 + 33
    assert await notifications(MonitoredItemService, ua.DeadbandType.Percent, 1.0) == 1 + 100
    assert await notifications(Items, ua.DeadbandType.Percent, 1.0) == 1 + 20  # 1 % of 200 is 2, passed at 2.5


async def test_a_full_event_queue_tells_the_client_to_refresh() -> None:
    dropped: list[str] = []
    space, _, subscription = ramp_items(Items, most=3)
    notifier = constant(1, ua.VariantType.Byte)
    space[CONDITION].attributes[ua.AttributeIds.EventNotifier] = notifier
    items = Items(subscription, space, 10, Room(1000), dropped.append)
    request = ua.MonitoredItemCreateRequest(MonitoringMode=ua.MonitoringMode.Reporting)
    request.ItemToMonitor.NodeId, request.ItemToMonitor.AttributeId = CONDITION, ua.AttributeIds.EventNotifier
    request.RequestedParameters.Filter = ua.EventFilter([field("Number"), field("EventType")])
    made = (await items.create_monitored_items(ua.CreateMonitoredItemsParameters(ItemsToCreate=[request])))[0]
    for number in range(4):
        event = Event({"Number": ua.Variant(number)}, frozenset({CONDITION}), (CONDITION,))
        await items.trigger_event(event)
    queued = subscription._triggered_events[made.MonitoredItemId]
    refresh = refresh_required().fields["EventType"].Value
    assert [(row.EventFields[0].Value, row.EventFields[1].Value) for row in queued] == [(None, refresh), (3, None)]
    assert dropped == ["event_queue_overflowed"]
    retained = [Event({"Number": ua.Variant(n)}, frozenset({CONDITION}), (CONDITION,)) for n in (7, 8, 9)]
    assert await items.refresh(made.MonitoredItemId, retained), "a refresh is queued whole"
    assert [row.EventFields[0].Value for row in queued[2:]] == [None, 7, 8, 9, None]
    assert not await items.refresh(made.MonitoredItemId, retained), "a second one only when the first has been fetched"


@pytest.mark.parametrize("asked", [0, 1, 5])
async def test_the_length_of_an_event_queue_is_the_servers_to_choose(asked: int) -> None:
    space, _, subscription = ramp_items(Items)
    space[CONDITION].attributes[ua.AttributeIds.EventNotifier] = constant(1, ua.VariantType.Byte)
    request = ua.MonitoredItemCreateRequest(MonitoringMode=ua.MonitoringMode.Reporting)
    request.ItemToMonitor.NodeId, request.ItemToMonitor.AttributeId = CONDITION, ua.AttributeIds.EventNotifier
    request.RequestedParameters.QueueSize = asked
    params = ua.CreateMonitoredItemsParameters(ItemsToCreate=[request])
    refused = (await subscription.monitored_item_srv.create_monitored_items(params))[0]
    assert refused.StatusCode.name == "BadEventFilterInvalid"
    request.RequestedParameters.Filter = ua.EventFilter([field("EventId")])
    made = (await subscription.monitored_item_srv.create_monitored_items(params))[0]
    assert made.RevisedQueueSize > 100
