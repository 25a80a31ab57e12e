"""The nodes of the gateway, the assets and the nodes on them, made when a client looks and not kept.

A plant of 1,000 nodes has 20,000 OPC UA nodes. Kept, they would cost a second at the start and 50 MB; all that lasts
here is a Slot for each Tag.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from asyncua import ua
from asyncua.server.address_space import AttributeValue, NodeData
from asyncua.ua.object_ids import ObjectIds

from gateway.core.plant import TAG_TYPES, Scope, TagId, TagType
from gateway.outputs.opcua.attributes import (
    HAS_COMPONENT,
    HAS_NOTIFIER,
    HAS_PROPERTY,
    HAS_TYPE,
    NOTIFIER,
    Attributes,
    Identity,
    constant,
    of_variable,
)
from gateway.outputs.opcua.ids import named, standard
from gateway.outputs.opcua.slots import Slot
from gateway.outputs.opcua.values import Form, span, unit

_PROPERTY = Identity(standard(ObjectIds.PropertyType), "PropertyType", 0, ua.NodeClass.VariableType, None)

References = Sequence[ua.ReferenceDescription]


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a kind of Tag: name, value and data type."""

    name: str
    value: AttributeValue
    data_type: int


@cache
def properties(tag: TagType) -> tuple[Property, ...]:
    """The properties that the variables of a kind of Tag have (Part 8, 5.3)."""
    structure = ua.VariantType.ExtensionObject
    if Form.of(tag).variable_type == ObjectIds.AnalogItemType:
        return (
            Property("EngineeringUnits", constant(unit(tag), structure), ObjectIds.EUInformation),
            Property("EURange", constant(span(tag), structure), ObjectIds.Range),
        )
    if tag.states:
        names = [ua.LocalizedText(state, "en") for state in tag.states]
        return (Property("EnumStrings", constant(names, ua.VariantType.LocalizedText), ObjectIds.LocalizedText),)
    return ()


class Made(NodeData):
    """A node whose references are made when they are asked for."""

    def __init__(self, node: ua.NodeId, attributes: Attributes, references: Callable[[], References]) -> None:
        self.nodeid = node
        self.attributes = dict(attributes)
        self.call = None
        self._references = references

    @property
    def references(self) -> Any:  # type: ignore[override]  # a list that nobody appends to
        """References to and from this node."""
        return self._references()


@dataclass(slots=True)
class Thing:
    """The object of the gateway, an asset or a node. `below`: what hangs on it besides its Tags."""

    scope: Scope
    identity: Identity
    parent: Identity
    reference: ua.NodeId  # from the parent
    below: list[Thing] = field(default_factory=list)


class Things:
    """All objects of a plant, by their string ids."""

    def __init__(
        self,
        namespace: int,
        slots: Mapping[TagId, Slot],
        kinds: Mapping[ua.NodeId, Identity],
        conditions: Mapping[Scope, References],
    ) -> None:
        """`kinds`: the types of objects and variables; `conditions`: references to the alarm types of each scope."""
        self._namespace = namespace
        self._slots = slots
        self._kinds = kinds
        self._conditions = conditions
        self._things: dict[str, Thing] = {}

    def add(self, thing: Thing) -> None:
        """Raises ValueError if another has its id, or one of its Tags' ids."""
        identifier = str(thing.identity.node.Identifier)
        if identifier in self._things or identifier.count(".") != 1:
            raise ValueError(f"two nodes would have the id {identifier!r}")
        self._things[identifier] = thing

    def get(self, node: ua.NodeId) -> NodeData | None:
        """The object, variable or property of that id, None if there is none."""
        if node.NamespaceIndex != self._namespace or not isinstance(node.Identifier, str):
            return None
        scope, _, path = node.Identifier.partition(".")
        name, *path_below = path.split(".")
        thing = self._things.get(f"{scope}.{name}")
        if thing is None:
            return None
        match path_below:
            case []:
                return Made(thing.identity.node, self._attributes(thing), partial(self._of_object, thing))
            case [tag]:
                return self._variable(thing, tag)
            case [tag, name]:
                return self._property(thing, tag, name)
        return None

    def _attributes(self, thing: Thing) -> Attributes:
        return {**thing.identity.attributes(""), **NOTIFIER}

    def _of_object(self, thing: Thing) -> References:
        assert thing.identity.kind is not None
        tags = [self._tag(thing, tag) for tag in TAG_TYPES[thing.scope]]
        return [
            self._kinds[thing.identity.kind].reference(HAS_TYPE),
            thing.parent.reference(thing.reference, forward=False),
            thing.parent.reference(HAS_NOTIFIER, forward=False),
            *(tag.reference(HAS_COMPONENT) for tag in tags),
            *self._conditions[thing.scope],
            *(each.identity.reference(each.reference) for each in thing.below),
            *(each.identity.reference(HAS_NOTIFIER) for each in thing.below),
        ]

    def _tag(self, thing: Thing, tag: TagType) -> Identity:
        node = named(f"{thing.identity.node.Identifier!s}.{tag.name}", self._namespace)
        return Identity(node, tag.name, self._namespace, ua.NodeClass.Variable, standard(Form.of(tag).variable_type))

    def _variable(self, thing: Thing, name: str) -> NodeData | None:
        tag = next((t for t in TAG_TYPES[thing.scope] if t.name == name), None)
        if tag is None:
            return None
        slot = self._slots[TagId(thing.scope, thing.identity.name, name)]
        form, identity = Form.of(tag), self._tag(thing, tag)
        attributes = {**identity.attributes(tag.description), **of_variable(slot.attribute, form.variant.value)}

        def references() -> References:
            assert identity.kind is not None
            return [
                self._kinds[identity.kind].reference(HAS_TYPE),
                thing.identity.reference(HAS_COMPONENT, forward=False),
                *(self._of_tag(identity, p).reference(HAS_PROPERTY) for p in properties(tag)),
            ]

        return Made(identity.node, attributes, references)

    def _of_tag(self, tag: Identity, of: Property) -> Identity:
        node = named(f"{tag.node.Identifier!s}.{of.name}", self._namespace)
        return Identity(node, of.name, 0, ua.NodeClass.Variable, _PROPERTY.node)

    def _property(self, thing: Thing, tag_name: str, name: str) -> NodeData | None:
        for tag in TAG_TYPES[thing.scope]:
            for each in properties(tag) if tag.name == tag_name else ():
                if each.name == name:
                    owner = self._tag(thing, tag)
                    identity = self._of_tag(owner, each)
                    attributes = {**identity.attributes(""), **of_variable(each.value, each.data_type)}
                    references = [_PROPERTY.reference(HAS_TYPE), owner.reference(HAS_PROPERTY, forward=False)]
                    return Made(identity.node, attributes, partial(list, references))
        return None


class Nodes(dict[ua.NodeId, NodeData]):
    """asyncua's table of nodes, with those that are made when somebody looks."""

    def __init__(self, kept: Mapping[ua.NodeId, NodeData], things: Things) -> None:
        super().__init__(kept)
        self._things = things

    def __missing__(self, node: ua.NodeId) -> NodeData:
        made = self._things.get(node)
        if made is None:
            raise KeyError(node)
        return made

    def __contains__(self, node: object) -> bool:
        return super().__contains__(node) or (isinstance(node, ua.NodeId) and self._things.get(node) is not None)

    def get(self, node: ua.NodeId, default: Any = None) -> Any:
        """The node of that id, kept or made."""
        found = super().get(node)
        if found is None:
            found = self._things.get(node)
        return default if found is None else found
