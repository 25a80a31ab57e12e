"""Notifications as they go over the wire: the same bytes as asyncua's own encoder makes, and read back by it."""

from __future__ import annotations

from datetime import UTC, datetime

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.plant import ASSET_TAGS, GATEWAY_TAGS, NODE_TAGS, Scope, TagId, TagType
from gateway.core.update import Quality, TagChange, Value
from gateway.outputs.opcua.event import Kept
from gateway.outputs.opcua.notifications import data_changes, events, tag_change
from gateway.outputs.opcua.values import Form, data_value

V = ua.VariantType
TIMES = st.none() | st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
VARIANTS = st.one_of(
    st.none().map(lambda _: ua.Variant(None, V.Null)),
    st.booleans().map(lambda v: ua.Variant(v, V.Boolean)),
    st.integers(-(2**31), 2**31 - 1).map(lambda v: ua.Variant(v, V.Int32)),
    st.integers(0, 2**32 - 1).map(lambda v: ua.Variant(v, V.UInt32)),
    st.floats(allow_nan=False).map(lambda v: ua.Variant(v, V.Double)),
    st.text(max_size=5).map(lambda v: ua.Variant(v, V.String)),
    st.lists(st.integers(0, 9), max_size=3).map(lambda v: ua.Variant(v, V.UInt32, is_array=True)),
    st.text(max_size=5).map(lambda v: ua.Variant(ua.LocalizedText(v), V.LocalizedText)),
)
CODES = st.sampled_from([ua.StatusCodes.Good, ua.StatusCodes.BadNoCommunication, ua.StatusCodes.UncertainSubNormal])
VALUES = st.builds(
    lambda v, c, source, server: ua.DataValue(v, ua.StatusCode(c), SourceTimestamp=source, ServerTimestamp=server),
    VARIANTS, CODES, TIMES, TIMES,
)  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), VALUES), max_size=5))
@settings(max_examples=300, deadline=None)
def test_the_same_bytes_as_asyncuas_own_encoder(rows: list[tuple[int, ua.DataValue]]) -> None:
    items = [ua.MonitoredItemNotification(ClientHandle=handle, Value=value) for handle, value in rows]
    encoded = data_changes(items)
    assert encoded.Body == struct_to_binary(ua.DataChangeNotification(MonitoredItems=items))
    assert encoded.TypeId.Identifier == ua.ObjectIds.DataChangeNotification_Encoding_DefaultBinary


@given(
    st.sampled_from([*GATEWAY_TAGS, *ASSET_TAGS, *NODE_TAGS]),
    st.none() | st.integers(0, 2**31 - 1) | st.booleans() | st.text(max_size=3),
    st.sampled_from(Quality),
    st.integers(0, 4_000_000_000_000),
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
)
@settings(max_examples=500, deadline=None)
def test_a_tags_change_is_encoded_as_its_value_is(
    kind: TagType, value: Value, q: Quality, ms: int, at: datetime
) -> None:
    form, change = Form.of(kind), TagChange(TagId(Scope.NODE, "n", kind.name), value, q, ms)
    if form.fits(value):
        item = ua.MonitoredItemNotification(ClientHandle=9, Value=data_value(form, change, at))
        assert data_changes([tag_change(9, form, change, at)]) == data_changes([item])


EVENT_WITHOUT_ONSET = ua.EventFieldList(ClientHandle=1, EventFields=[ua.Variant(None, V.DateTime)])
FIELDS = st.one_of(
    VARIANTS,
    st.integers(0, 2**16 - 1).map(lambda v: ua.Variant(v, V.UInt16)),
    st.none().map(lambda _: ua.Variant(None, V.String)),
    st.binary(max_size=5).map(lambda v: ua.Variant(v, V.ByteString)),
    st.datetimes(datetime(1500, 1, 1), timezones=st.just(UTC)).map(lambda v: ua.Variant(v, V.DateTime)),
    st.builds(ua.LocalizedText, st.none() | st.text(max_size=5), st.none() | st.just("en")).map(
        lambda v: ua.Variant(v, V.LocalizedText)
    ),
    st.builds(ua.NodeId, st.integers(0, 2**32 - 1) | st.text(max_size=5), st.integers(0, 3)).map(
        lambda v: ua.Variant(v, V.NodeId)
    ),
    CODES.map(lambda code: ua.Variant(ua.StatusCode(code), V.StatusCode)),
    st.lists(st.text(max_size=3), max_size=2).map(lambda v: ua.Variant(v, V.String)),
)


@given(st.lists(st.builds(ua.EventFieldList, st.integers(0, 2**32 - 1), st.lists(FIELDS, max_size=6)), max_size=3))
@settings(max_examples=500, deadline=None)
def test_events_are_the_same_bytes_as_asyncuas_own_encoder_makes(rows: list[ua.EventFieldList]) -> None:
    encoded = events(rows)
    assert encoded.Body == struct_to_binary(ua.EventNotificationList(rows))
    assert encoded.TypeId.Identifier == ua.ObjectIds.EventNotificationList_Encoding_DefaultBinary


def test_a_null_time_in_an_event_is_the_year_1601() -> None:
    read = struct_from_binary(ua.EventNotificationList, Buffer(events([EVENT_WITHOUT_ONSET]).Body))
    assert read.Events[0].EventFields[0].Value.year == 1601


def test_a_field_that_is_encoded_once_is_the_same_as_one_that_is_not() -> None:
    text = ua.LocalizedText("Lager", "en")
    kept, plain = (ua.EventFieldList(1, [kind(text, V.LocalizedText)]) for kind in (Kept, ua.Variant))
    assert events([kept, kept]).Body == events([plain, plain]).Body


def test_a_message_of_both_kinds_is_read_back() -> None:
    value = ua.DataValue(ua.Variant(7, V.Int32), ua.StatusCode(0))
    row = ua.EventFieldList(ClientHandle=4, EventFields=[ua.Variant("x", V.String)])
    result = ua.PublishResponse()
    result.Parameters.NotificationMessage.NotificationData = [
        events([row]), data_changes([ua.MonitoredItemNotification(ClientHandle=3, Value=value)])
    ]  # fmt: skip
    read = struct_from_binary(ua.PublishResponse, Buffer(struct_to_binary(result)))
    said, changed = read.Parameters.NotificationMessage.NotificationData
    assert (said.Events[0].ClientHandle, said.Events[0].EventFields[0].Value) == (4, "x")
    assert (changed.MonitoredItems[0].ClientHandle, changed.MonitoredItems[0].Value.Value.Value) == (3, 7)
