"""The plant as OPC UA nodes: Objects/Stethos, then areas, lines, assets, and the nodes on them.

String ids that do not depend on where a thing stands: moving an asset to another line, adding or removing one, and
restarting leave every id as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from asyncua import ua
from asyncua.server.address_space import AddressSpace, AttributeValue
from asyncua.ua.object_ids import ObjectIds

from gateway.core.plant import TAG_TYPES, AlarmId, AlarmKind, Asset, Plant, Scope, TagId, TagType
from gateway.outputs.opcua.attributes import (
    HAS_COMPONENT,
    HAS_NOTIFIER,
    ORGANIZES,
    Identity,
    constant,
)
from gateway.outputs.opcua.builder import Builder, Place
from gateway.outputs.opcua.event import SERVER, Event
from gateway.outputs.opcua.ids import standard
from gateway.outputs.opcua.settings import Settings
from gateway.outputs.opcua.slots import slots_of
from gateway.outputs.opcua.things import Nodes, Thing, Things, properties
from gateway.outputs.opcua.values import Form

NAMESPACE = "urn:stethos:plant"

_HAS_CONDITION = standard(ObjectIds.HasCondition)
_GENERATES = standard(ObjectIds.GeneratesEvent)
_TYPE_NAMES = {Scope.GATEWAY: "GatewayType", Scope.ASSET: "AssetType", Scope.NODE: "NodeType"}
_ALARM_TYPES = {
    AlarmKind.ANOMALY: ("AnomalyAlarmType", "An asset does not sound as it should: an incident with evidence"),
    AlarmKind.NODE_LOST: ("NodeLostAlarmType", "A node has missed its own schedule for too long"),
    AlarmKind.SENSOR_FAULT: ("SensorFaultAlarmType", "A node says that its sensor is faulty"),
    AlarmKind.JOURNAL_SPACE: ("JournalSpaceAlarmType", "The gateway's disk or journal is nearly full"),
    AlarmKind.OUTPUT_BEHIND: ("OutputBehindAlarmType", "An output is so far behind that events will be given up"),
}
_ALARM_PROPERTIES = {  # name -> data type
    "Cause": ObjectIds.LocalizedText,
    "Consequence": ObjectIds.LocalizedText,
    "Action": ObjectIds.LocalizedText,
    "ResponseTime": ObjectIds.Duration,
    "OnsetTime": ObjectIds.UtcTime,
    "Incident": ObjectIds.UInt32,  # 0: none
    "FirstOut": ObjectIds.Boolean,
}


def tag_identifier(tag: TagId) -> str:
    """String id of a Tag's variable: "asset.pump-1.state"."""
    return f"{tag.scope}.{tag.name}.{tag.tag}"


def object_identifier(scope: Scope, name: str) -> str:
    """String id of an asset's or node's object: "asset.pump-1"."""
    return f"{scope}.{name}"


def condition_identifier(alarm: AlarmId) -> str:
    """String id of an Alarm's condition: "asset.pump-1.anomaly.alarm". There is no node of that id."""
    return f"{alarm.scope}.{alarm.name}.{alarm.kind}.alarm"


def addresses(plant: Plant, settings: Settings) -> Mapping[TagId, str]:
    """The NodeId of every Tag, with the namespace by its URI (Part 6, 5.3.1.10), as `stethos tags` prints it."""
    return {tag: f"nsu={NAMESPACE};s={tag_identifier(tag)}" for tag, _ in plant.tags()}


def _nothing() -> AttributeValue:
    return constant(None, ua.VariantType.Null)


class Space:
    """The nodes of one plant in one server's address space."""

    def __init__(self, space: AddressSpace, namespace: int, plant: Plant) -> None:
        """Raises ValueError if two things of the plant would have the same id."""
        self._plant = plant
        self._namespace = namespace
        self._builder = Builder(space, namespace)
        self.slots = slots_of(plant)
        self.events: dict[AlarmId, tuple[Plant, Event]] = {}  # what an Alarm's events have in common (alarm_event.py)
        self._above: dict[ua.NodeId, ua.NodeId] = {}  # notifier -> the one above it
        self.alarm_types = self._add_alarm_types()
        self._types = {scope: self._builder.identity(self._add_type(scope)) for scope in Scope}
        self._things = self._no_things()
        self._add_plant()
        space._nodes = Nodes(space._nodes, self._things)

    def node_id(self, identifier: str) -> ua.NodeId:
        """The NodeId of a string id."""
        return self._builder.node_id(identifier)

    def source_of(self, alarm: AlarmId) -> ua.NodeId:
        """The object that an Alarm is about."""
        return self.node_id(object_identifier(alarm.scope, alarm.name))

    def notifiers_of(self, alarm: AlarmId) -> tuple[ua.NodeId, ...]:
        """The nodes at which an Alarm's events can be subscribed to, from its source up to the Server object."""
        chain = [self.source_of(alarm)]
        while chain[-1] != SERVER:
            chain.append(self._above[chain[-1]])
        return tuple(chain)

    def _add_alarm_types(self) -> Mapping[AlarmKind, frozenset[ua.NodeId]]:
        """Alarm kind -> its event type, which is the first added, and all supertypes."""
        builder = self._builder
        base = builder.object_type("type.alarm", standard(ObjectIds.OffNormalAlarmType), "StethosAlarmType")
        for name, data_type in _ALARM_PROPERTIES.items():
            builder.mandatory(builder.property(base, name, _nothing(), data_type, own=True))
        types = {}
        for kind, (name, about) in _ALARM_TYPES.items():
            types[kind] = builder.types_of(builder.object_type(f"type.alarm.{kind}", base, name, about))
        return types

    def alarm_type(self, kind: AlarmKind) -> ua.NodeId:
        """The event type of a kind of Alarm."""
        return self.node_id(f"type.alarm.{kind}")

    def _add_type(self, scope: Scope) -> ua.NodeId:
        builder = self._builder
        base = standard(ObjectIds.BaseObjectType)
        kind = builder.object_type(f"type.{scope}", base, _TYPE_NAMES[scope])
        for tag in TAG_TYPES[scope]:
            self._declare(kind, tag, f"type.{scope}.{tag.name}")
        for alarm in AlarmKind:
            if alarm.scope is scope:
                builder.reference(kind, _GENERATES, self.alarm_type(alarm), both=False)
        return kind

    def _declare(self, owner: ua.NodeId, tag: TagType, identifier: str) -> None:
        """The declaration of a Tag's variable in a type."""
        builder = self._builder
        form, place = Form.of(tag), Place(owner, HAS_COMPONENT)
        variable = builder.variable(
            identifier, place, tag.name, form.variable_type, _nothing(), form.variant.value, tag.description
        )
        builder.mandatory(variable)
        for each in properties(tag):
            builder.mandatory(builder.property(variable, each.name, each.value, each.data_type))

    def _no_things(self) -> Things:
        builder = self._builder
        variables = {standard(Form.of(tag).variable_type) for tags in TAG_TYPES.values() for tag in tags}
        kinds = {node: builder.identity(node) for node in variables}
        kinds |= {kind.node: kind for kind in self._types.values()}
        conditions = {
            scope: [
                builder.identity(self.alarm_type(k)).reference(_HAS_CONDITION) for k in AlarmKind if k.scope is scope
            ]
            for scope in Scope
        }
        return Things(self._namespace, self.slots, kinds, conditions)

    def _add_plant(self) -> None:
        builder, plant = self._builder, self._plant
        builder.make_notifier(SERVER)
        root = builder.folder("site", Place(standard(ObjectIds.ObjectsFolder), ORGANIZES), "Stethos")
        builder.property(root, "Site", constant(plant.site, ua.VariantType.String), ObjectIds.String, own=True)
        self._put_below(SERVER, root)
        self._add_thing(Scope.GATEWAY, "gateway", builder.identity(root), HAS_COMPONENT)
        for asset in sorted(plant.assets.values(), key=lambda a: a.slot):
            line = builder.identity(self._line_of(root, asset))
            home = self._add_thing(Scope.ASSET, asset.name, line, ORGANIZES)
            for node in plant.nodes_of[asset.name]:
                home.below.append(self._add_thing(Scope.NODE, node.name, home.identity, HAS_COMPONENT))

    def _line_of(self, root: ua.NodeId, asset: Asset) -> ua.NodeId:
        """The folder an asset stands in, made when its first asset comes."""
        folder, identifier = root, ""
        for level, name in (("area", asset.area), ("line", asset.line)):
            if not name:
                continue
            identifier = f"{level}.{name}" if not identifier else f"{level}.{asset.area}.{name}"
            node = self.node_id(identifier)
            if node not in self._above:
                self._put_below(folder, self._builder.folder(identifier, Place(folder, ORGANIZES), name))
            folder = node
        return folder

    def _add_thing(self, scope: Scope, name: str, parent: Identity, reference: ua.NodeId) -> Thing:
        """The object of a gateway, asset or node with its Tags."""
        node, kind = self.node_id(object_identifier(scope, name)), self._types[scope].node
        thing = Thing(scope, Identity(node, name, self._namespace, ua.NodeClass.Object, kind), parent, reference)
        self._things.add(thing)
        self._above[node] = parent.node
        if scope is not Scope.NODE:  # a folder is kept, and has to know what is in it
            for each in (reference, HAS_NOTIFIER):
                self._builder.announce(parent.node, each, thing.identity)
        return thing

    def _put_below(self, upper: ua.NodeId, lower: ua.NodeId) -> None:
        self._above[lower] = upper
        self._builder.reference(upper, HAS_NOTIFIER, lower)
