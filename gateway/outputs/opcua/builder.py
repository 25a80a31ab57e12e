"""Puts nodes into asyncua's address space without its AddNodes service, whose cost per node grows with the number of
its siblings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from asyncua import ua
from asyncua.server.address_space import AddressSpace, AttributeValue, NodeData
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from gateway.outputs.opcua.ids import named, standard

_TEXT, _BYTE, _UINT32 = ua.VariantType.LocalizedText, ua.VariantType.Byte, ua.VariantType.UInt32


HAS_COMPONENT = standard(ObjectIds.HasComponent)
HAS_PROPERTY = standard(ObjectIds.HasProperty)
ORGANIZES = standard(ObjectIds.Organizes)
HAS_SUBTYPE = standard(ObjectIds.HasSubtype)
_HAS_TYPE = standard(ObjectIds.HasTypeDefinition)
_HAS_RULE = standard(ObjectIds.HasModellingRule)
_MANDATORY = standard(ObjectIds.ModellingRule_Mandatory)
_SUBSCRIBE_TO_EVENTS = 1


def constant(value: object, variant: ua.VariantType) -> AttributeValue:
    """An attribute that never changes: one object serves all nodes that have it, which is most of the memory."""
    return AttributeValue(ua.DataValue(ua.Variant(value, variant)))


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
_ANY_LENGTH = AttributeValue(ua.DataValue(ua.Variant([0], _UINT32)))
_NOTIFIER = {**_FIXED, AttributeIds.EventNotifier: constant(_SUBSCRIBE_TO_EVENTS, _BYTE)}
_CONCRETE = {**_FIXED, AttributeIds.IsAbstract: constant(False, ua.VariantType.Boolean)}
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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node hangs: under which parent, by which hierarchical reference."""

    parent: ua.NodeId
    reference: ua.NodeId


class Builder:
    """Adds nodes with string ids in one namespace."""

    def __init__(self, space: AddressSpace, namespace: int) -> None:
        self._space = space
        self._namespace = namespace

    def node_id(self, identifier: str) -> ua.NodeId:
        """The NodeId of a string id."""
        return named(identifier, self._namespace)

    def folder(self, identifier: str, place: Place, name: str) -> ua.NodeId:
        """A folder that passes on the events of what is below it."""
        return self.object(identifier, place, name, standard(ObjectIds.FolderType))

    def object(self, identifier: str, place: Place, name: str, kind: ua.NodeId, about: str = "") -> ua.NodeId:
        """An object whose events can be subscribed to."""
        browse = ua.QualifiedName(name, self._namespace)
        return self._add(identifier, place, browse, about, ua.NodeClass.Object, kind, _NOTIFIER)

    def object_type(self, identifier: str, parent: ua.NodeId, name: str, about: str = "") -> ua.NodeId:
        """A subtype of `parent`."""
        place = Place(parent, HAS_SUBTYPE)
        browse = ua.QualifiedName(name, self._namespace)
        return self._add(identifier, place, browse, about, ua.NodeClass.ObjectType, None, _CONCRETE)

    def variable(
        self,
        identifier: str,
        place: Place,
        name: str,
        kind: int,
        value: AttributeValue,
        data_type: int,
        about: str = "",
        namespace: int | None = None,
    ) -> ua.NodeId:
        """A variable that clients can only read; `kind` and `data_type` are standard ids, `namespace` is that of its
        name if it is not the builder's.
        """
        is_list = isinstance(_plain(value), list)
        attributes = {
            **_READ_ONLY,
            AttributeIds.DataType: _data_type(data_type),
            AttributeIds.ValueRank: _LIST if is_list else _SCALAR,
            AttributeIds.Value: value,
        }
        if is_list:
            attributes[AttributeIds.ArrayDimensions] = _ANY_LENGTH
        browse = ua.QualifiedName(name, self._namespace if namespace is None else namespace)
        return self._add(identifier, place, browse, about, ua.NodeClass.Variable, standard(kind), attributes)

    def property(
        self, owner: ua.NodeId, name: str, value: AttributeValue, data_type: int, *, own: bool = False
    ) -> ua.NodeId:
        """A property of `owner`; its name is in OPC UA's namespace unless it is our `own`."""
        place = Place(owner, HAS_PROPERTY)
        kind = ObjectIds.PropertyType
        namespace = self._namespace if own else 0
        return self.variable(f"{owner.Identifier!s}.{name}", place, name, kind, value, data_type, namespace=namespace)

    def mandatory(self, declaration: ua.NodeId) -> None:
        """Give an instance declaration of a type its modelling rule."""
        self.reference(declaration, _HAS_RULE, _MANDATORY, both=False)

    def attribute(self, node: ua.NodeId, attribute: AttributeIds) -> AttributeValue:
        """The slot that holds an attribute's value."""
        return self._space[node].attributes[attribute]

    def make_notifier(self, node: ua.NodeId) -> None:
        """Let clients subscribe to events at a node of the standard address space."""
        self._space[node].attributes.update(_NOTIFIER)

    def reference(self, source: ua.NodeId, kind: ua.NodeId, target: ua.NodeId, *, both: bool = True) -> None:
        """A reference, and its inverse unless not `both`."""
        self._space[source].references.append(self._describe(target, kind, forward=True))
        if both:
            self._space[target].references.append(self._describe(source, kind, forward=False))

    def types_of(self, kind: ua.NodeId) -> frozenset[ua.NodeId]:
        """A type and all its supertypes."""
        found = {kind}
        for reference in self._space[kind].references:
            if reference.ReferenceTypeId == HAS_SUBTYPE and not reference.IsForward:
                found |= self.types_of(reference.NodeId)
        return frozenset(found)

    def _add(
        self,
        identifier: str,
        place: Place,
        browse: ua.QualifiedName,
        about: str,
        node_class: ua.NodeClass,
        kind: ua.NodeId | None,
        attributes: Mapping[AttributeIds, AttributeValue],
    ) -> ua.NodeId:
        node = self.node_id(identifier)
        if node in self._space:
            raise ValueError(f"two nodes would have the id {identifier!r}")
        data = NodeData(node)
        data.attributes = {
            AttributeIds.NodeId: constant(node, ua.VariantType.NodeId),
            AttributeIds.NodeClass: _CLASSES[node_class],
            AttributeIds.BrowseName: _browse_name(browse.Name, browse.NamespaceIndex),
            AttributeIds.DisplayName: _localized(browse.Name, None),
            AttributeIds.Description: _localized(about, "en" if about else None),
            **attributes,
        }
        self._space[node] = data
        if kind is not None:
            self.reference(node, _HAS_TYPE, kind, both=False)
        self.reference(place.parent, place.reference, node)
        return node

    def _describe(self, node: ua.NodeId, kind: ua.NodeId, *, forward: bool) -> ua.ReferenceDescription:
        data = self._space[node]
        type_definition = next((r.NodeId for r in data.references[:1] if r.ReferenceTypeId == _HAS_TYPE), None)
        return ua.ReferenceDescription(
            ReferenceTypeId=kind,
            IsForward=forward,
            NodeId=node,
            BrowseName=_plain(data.attributes[AttributeIds.BrowseName]),
            DisplayName=_plain(data.attributes[AttributeIds.DisplayName]),
            NodeClass=ua.NodeClass(_plain(data.attributes[AttributeIds.NodeClass])),
            TypeDefinition=type_definition or ua.NodeId(),
        )


def _plain(attribute: AttributeValue) -> Any:
    """The value in an attribute, None if there is none."""
    value = attribute.value
    return value.Value.Value if value is not None and value.Value is not None else None
