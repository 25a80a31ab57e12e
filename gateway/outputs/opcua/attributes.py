"""Attributes of nodes, as asyncua's address space holds them. What never changes is one object for all nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from asyncua import ua
from asyncua.server.address_space import AttributeValue
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from gateway.outputs.opcua.ids import standard

Attributes = Mapping[AttributeIds, AttributeValue]

HAS_COMPONENT = standard(ObjectIds.HasComponent)
HAS_PROPERTY = standard(ObjectIds.HasProperty)
HAS_SUBTYPE = standard(ObjectIds.HasSubtype)
HAS_TYPE = standard(ObjectIds.HasTypeDefinition)
HAS_NOTIFIER = standard(ObjectIds.HasNotifier)
ORGANIZES = standard(ObjectIds.Organizes)

_TEXT, _BYTE, _UINT32 = ua.VariantType.LocalizedText, ua.VariantType.Byte, ua.VariantType.UInt32
_SUBSCRIBE_TO_EVENTS = 1


class _Nobody(dict[int, Any]):
    """Who is told of changes of what never changes. It is shared, so nothing may stay in it."""

    def __setitem__(self, handle: int, callback: Any) -> None:
        pass

    def pop(self, handle: int, default: Any = None) -> Any:
        return default


_NOBODY = _Nobody()


class Constant(AttributeValue):
    """An attribute that never changes."""

    def __init__(self, value: ua.DataValue) -> None:
        super().__init__(value)
        self.datachange_callbacks = _NOBODY


def constant(value: object, variant: ua.VariantType) -> Constant:
    """An attribute that never changes."""
    return Constant(ua.DataValue(ua.Variant(value, variant)))


def plain(attribute: AttributeValue) -> Any:
    """The value in an attribute, None if there is none."""
    value = attribute.value
    return value.Value.Value if value is not None and value.Value is not None else None


_FIXED = {
    AttributeIds.WriteMask: constant(0, _UINT32),
    AttributeIds.UserWriteMask: constant(0, _UINT32),
}
_READ_ONLY = {
    **_FIXED,
    AttributeIds.AccessLevel: constant(1, _BYTE),
    AttributeIds.UserAccessLevel: constant(1, _BYTE),
    AttributeIds.MinimumSamplingInterval: constant(0.0, ua.VariantType.Double),
    AttributeIds.Historizing: constant(False, ua.VariantType.Boolean),
}
_SCALAR, _LIST = constant(-1, ua.VariantType.Int32), constant(1, ua.VariantType.Int32)
_ANY_LENGTH = Constant(ua.DataValue(ua.Variant([0], _UINT32)))
NOTIFIER: Attributes = {**_FIXED, AttributeIds.EventNotifier: constant(_SUBSCRIBE_TO_EVENTS, _BYTE)}
CONCRETE: Attributes = {**_FIXED, AttributeIds.IsAbstract: constant(False, ua.VariantType.Boolean)}
_CLASSES = {c: constant(c, ua.VariantType.Int32) for c in ua.NodeClass}


@lru_cache(maxsize=256)
def _data_type(identifier: int) -> AttributeValue:
    return constant(standard(identifier), ua.VariantType.NodeId)


@lru_cache(maxsize=256)
def _browse_name(name: str, namespace: int) -> AttributeValue:
    return constant(ua.QualifiedName(name, namespace), ua.VariantType.QualifiedName)


@lru_cache(maxsize=256)
def _localized(text: str, locale: str | None) -> AttributeValue:
    return constant(ua.LocalizedText(text, locale), _TEXT)


def of_variable(value: AttributeValue, data_type: int) -> Attributes:
    """What a variable has that clients can only read; `data_type` is a standard id."""
    is_list = isinstance(plain(value), list)
    length = {AttributeIds.ArrayDimensions: _ANY_LENGTH} if is_list else {}
    return {
        **_READ_ONLY,
        **length,
        AttributeIds.DataType: _data_type(data_type),
        AttributeIds.ValueRank: _LIST if is_list else _SCALAR,
        AttributeIds.Value: value,
    }


@dataclass(frozen=True, slots=True)
class Identity:
    """What every node has, and what a reference says of its target."""

    node: ua.NodeId
    name: str
    namespace: int  # of the name
    node_class: ua.NodeClass
    kind: ua.NodeId | None  # type definition of objects and variables

    def attributes(self, about: str) -> dict[AttributeIds, AttributeValue]:
        """The attributes of all classes of nodes."""
        return {
            AttributeIds.NodeId: constant(self.node, ua.VariantType.NodeId),
            AttributeIds.NodeClass: _CLASSES[self.node_class],
            AttributeIds.BrowseName: _browse_name(self.name, self.namespace),
            AttributeIds.DisplayName: _localized(self.name, None),
            AttributeIds.Description: _localized(about, "en" if about else None),
        }

    def reference(self, reference: ua.NodeId, *, forward: bool = True) -> ua.ReferenceDescription:
        """A reference that has this node as its target."""
        return ua.ReferenceDescription(
            ReferenceTypeId=reference,
            IsForward=forward,
            NodeId=self.node,
            BrowseName=plain(_browse_name(self.name, self.namespace)),
            DisplayName=plain(_localized(self.name, None)),
            NodeClass=self.node_class,
            TypeDefinition=self.kind or ua.NodeId(),
        )
