"""Notifications of values and of events in OPC UA's binary form (Part 6, 5.2).

asyncua's general encoder takes several times as long, and a client that has subscribed to every score, or a storm of
alarms, makes it most of what the server does.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import nodeid_to_binary, struct_to_binary, variant_to_binary

from gateway.core.update import TagChange
from gateway.outputs.opcua.event import Kept
from gateway.outputs.opcua.ids import standard
from gateway.outputs.opcua.values import STATUS, Form, data_value

_DATA_CHANGE = standard(ObjectIds.DataChangeNotification_Encoding_DefaultBinary)
_EVENTS = standard(ObjectIds.EventNotificationList_Encoding_DefaultBinary)
_VALUE, _STATUS, _SOURCE, _SERVER = 1, 2, 4, 8  # bits of a DataValue's first byte
_FORMS = {
    ua.VariantType.Boolean: struct.Struct("<B?"),
    ua.VariantType.Int32: struct.Struct("<Bi"),
    ua.VariantType.UInt32: struct.Struct("<BI"),
    ua.VariantType.Double: struct.Struct("<Bd"),
}
_NULL = b"\0"
_HANDLE, _CODE, _TIME, _LENGTH = struct.Struct("<I"), struct.Struct("<I"), struct.Struct("<q"), struct.Struct("<i")


_EPOCH_MS = 11_644_473_600_000  # from 1601, where OPC UA counts from, to 1970


def data_changes(items: Sequence[ua.MonitoredItemNotification | bytes]) -> ua.ExtensionObject:
    """A DataChangeNotification, encoded; items that are bytes are encoded already. No diagnostics."""
    rows = [
        item if isinstance(item, bytes) else _HANDLE.pack(item.ClientHandle) + _data_value(item.Value) for item in items
    ]
    body = b"".join((_LENGTH.pack(len(rows)), *rows, _LENGTH.pack(0)))
    return ua.ExtensionObject(TypeId=_DATA_CHANGE, Body=ua.ByteString(body))


def tag_change(handle: int, form: Form, change: TagChange, served: datetime) -> bytes:
    """A MonitoredItemNotification with a Tag's `data_value`, encoded without making that first."""
    _, value, quality, source_ms = change
    packed = _FORMS.get(form.variant)
    if packed is None:
        return _HANDLE.pack(handle) + _data_value(data_value(form, change, served))
    if value is None:
        shown = _NULL
    else:
        exact = value / 10**form.decimals if form.decimals and isinstance(value, int) else value
        shown = packed.pack(form.variant, exact)
    mask, source = _VALUE | _STATUS | _SERVER, b""
    if source_ms:
        mask, source = mask | _SOURCE, _TIME.pack((source_ms + _EPOCH_MS) * 10_000)
    return b"".join(
        (_HANDLE.pack(handle), bytes((mask,)), shown, _CODE.pack(STATUS[quality].value), source, _time(served))
    )


def events(rows: Sequence[ua.EventFieldList]) -> ua.ExtensionObject:
    """An EventNotificationList, encoded."""
    parts = [_LENGTH.pack(len(rows))]
    for row in rows:
        parts += (_HANDLE.pack(row.ClientHandle), _LENGTH.pack(len(row.EventFields)), *map(_variant, row.EventFields))
    return ua.ExtensionObject(TypeId=_EVENTS, Body=ua.ByteString(b"".join(parts)))


def _variant(variant: ua.Variant) -> bytes:
    """A field of an event; what is not in the table, by asyncua's encoder. It has none for a null DateTime, which is 0
    (Part 6, 5.2.2.5).
    """
    if type(variant) is Kept:
        return variant.binary
    value, kind = variant.Value, variant.VariantType
    if kind is ua.VariantType.Null:
        return _NULL
    first, pack = _FIELDS.get(kind, _OTHER)
    if value is None and kind is ua.VariantType.DateTime:
        return first + _TIME.pack(0)
    if pack is None or value is None or variant.is_array or isinstance(value, list | tuple):
        return bytes(variant_to_binary(variant))
    return first + pack(value)


def _bytes(data: bytes) -> bytes:
    return _LENGTH.pack(len(data)) + data


@lru_cache(maxsize=1024)
def _localized(text: str | None, locale: str | None) -> bytes:
    return bytes(struct_to_binary(ua.LocalizedText(text, locale)))


def _data_value(value: ua.DataValue) -> bytes:
    """A Tag's value, or whatever else has been subscribed to, by asyncua's encoder."""
    variant = value.Value
    if variant is None or value.StatusCode is None or variant.is_array or value.SourcePicoseconds:
        return bytes(struct_to_binary(value))
    form = _FORMS.get(variant.VariantType)
    if form is not None:
        shown = form.pack(variant.VariantType, variant.Value)
    elif variant.VariantType is ua.VariantType.Null:
        shown = _NULL
    else:
        return bytes(struct_to_binary(value))
    mask, times = _VALUE | _STATUS, b""
    if value.SourceTimestamp is not None:
        mask, times = mask | _SOURCE, _time(value.SourceTimestamp)
    if value.ServerTimestamp is not None:
        mask, times = mask | _SERVER, times + _time(value.ServerTimestamp)
    return bytes((mask,)) + shown + _CODE.pack(value.StatusCode.value) + times


@lru_cache(maxsize=4096)
def _time(at: datetime) -> bytes:
    return _TIME.pack(ua.datetime_to_win_epoch(at))


_PACKERS: Mapping[ua.VariantType, Callable[[Any], bytes]] = {
    ua.VariantType.Boolean: struct.Struct("<?").pack,
    ua.VariantType.UInt16: struct.Struct("<H").pack,
    ua.VariantType.UInt32: struct.Struct("<I").pack,
    ua.VariantType.Double: struct.Struct("<d").pack,
    ua.VariantType.String: lambda text: _bytes(text.encode(errors="surrogateescape")),
    ua.VariantType.ByteString: _bytes,
    ua.VariantType.DateTime: _time,
    ua.VariantType.NodeId: nodeid_to_binary,
    ua.VariantType.LocalizedText: lambda words: _localized(words.Text, words.Locale),
    ua.VariantType.StatusCode: lambda code: _CODE.pack(code.value),
}
_FIELDS = {kind: (bytes((kind.value,)), pack) for kind, pack in _PACKERS.items()}
_OTHER = (b"", None)
