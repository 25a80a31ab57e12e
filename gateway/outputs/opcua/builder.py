"""Puts types and folders into asyncua's address space without its AddNodes service, whose cost per node grows with the
number of its siblings.
"""

from __future__ import annotations

from dataclasses import dataclass

from asyncua import ua
from asyncua.server.address_space import AddressSpace, AttributeValue, NodeData
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from gateway.outputs.opcua.attributes import (
    CONCRETE,
    HAS_PROPERTY,
    HAS_SUBTYPE,
    HAS_TYPE,
    NOTIFIER,
    Attributes,
    Identity,
    of_variable,
    plain,
)
from gateway.outputs.opcua.ids import named, standard

_HAS_RULE = standard(ObjectIds.HasModellingRule)
_MANDATORY = standard(ObjectIds.ModellingRule_Mandatory)


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
        kind = standard(ObjectIds.FolderType)
        return self._add(self._own(identifier, name, ua.NodeClass.Object, kind), place, "", NOTIFIER)

    def object_type(self, identifier: str, parent: ua.NodeId, name: str, about: str = "") -> ua.NodeId:
        """A subtype of `parent`."""
        place = Place(parent, HAS_SUBTYPE)
        return self._add(self._own(identifier, name, ua.NodeClass.ObjectType, None), place, about, CONCRETE)

    def variable(
        self,
        identifier: str,
        place: Place,
        name: str,
        kind: int,
        value: AttributeValue,
        data_type: int,
        about: str = "",
    ) -> ua.NodeId:
        """A variable that clients can only read; `kind` and `data_type` are standard ids."""
        identity = self._own(identifier, name, ua.NodeClass.Variable, standard(kind))
        return self._add(identity, place, about, of_variable(value, data_type))

    def property(
        self, owner: ua.NodeId, name: str, value: AttributeValue, data_type: int, *, own: bool = False
    ) -> ua.NodeId:
        """A property of `owner`; its name is in OPC UA's namespace unless it is our `own`."""
        node, kind = self.node_id(f"{owner.Identifier!s}.{name}"), standard(ObjectIds.PropertyType)
        identity = Identity(node, name, self._namespace if own else 0, ua.NodeClass.Variable, kind)
        return self._add(identity, Place(owner, HAS_PROPERTY), "", of_variable(value, data_type))

    def mandatory(self, declaration: ua.NodeId) -> None:
        """Give an instance declaration of a type its modelling rule."""
        self.reference(declaration, _HAS_RULE, _MANDATORY, both=False)

    def make_notifier(self, node: ua.NodeId) -> None:
        """Let clients subscribe to events at a node of the standard address space."""
        self._space[node].attributes.update(NOTIFIER)

    def reference(self, source: ua.NodeId, kind: ua.NodeId, target: ua.NodeId, *, both: bool = True) -> None:
        """A reference, and its inverse unless not `both`."""
        self._space[source].references.append(self.identity(target).reference(kind))
        if both:
            self._space[target].references.append(self.identity(source).reference(kind, forward=False))

    def announce(self, source: ua.NodeId, kind: ua.NodeId, target: Identity) -> None:
        """A reference to a node that is made when somebody looks at it."""
        self._space[source].references.append(target.reference(kind))

    def types_of(self, kind: ua.NodeId) -> frozenset[ua.NodeId]:
        """A type and all its supertypes."""
        found = {kind}
        for reference in self._space[kind].references:
            if reference.ReferenceTypeId == HAS_SUBTYPE and not reference.IsForward:
                found |= self.types_of(reference.NodeId)
        return frozenset(found)

    def identity(self, node: ua.NodeId) -> Identity:
        """What a reference to a node says of it. KeyError if there is no such node."""
        data = self._space[node]
        kind = next((r.NodeId for r in data.references[:1] if r.ReferenceTypeId == HAS_TYPE), None)
        name = plain(data.attributes[AttributeIds.BrowseName])
        node_class = ua.NodeClass(plain(data.attributes[AttributeIds.NodeClass]))
        return Identity(node, name.Name, name.NamespaceIndex, node_class, kind)

    def _own(self, identifier: str, name: str, node_class: ua.NodeClass, kind: ua.NodeId | None) -> Identity:
        return Identity(self.node_id(identifier), name, self._namespace, node_class, kind)

    def _add(self, identity: Identity, place: Place, about: str, attributes: Attributes) -> ua.NodeId:
        node = identity.node
        if node in self._space:
            raise ValueError(f"two nodes would have the id {node.Identifier!r}")
        data = NodeData(node)
        data.attributes = {**identity.attributes(about), **attributes}
        self._space[node] = data
        if identity.kind is not None:
            self.reference(node, HAS_TYPE, identity.kind, both=False)
        self.reference(place.parent, place.reference, node)
        return node
