"""The plant as OPC UA nodes: Objects/Stethos, then areas, lines, assets, and the nodes on them.

String ids that do not depend on where a thing stands: moving an asset to another line, adding or removing one, and
restarting leave every id as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache

from asyncua import ua
from asyncua.server.address_space import AddressSpace, AttributeValue
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from gateway.core.plant import TAG_TYPES, AlarmId, AlarmKind, Asset, Plant, Scope, TagId, TagType
from gateway.core.update import Quality, TagChange
from gateway.outputs.opcua.builder import (
    HAS_COMPONENT,
    ORGANIZES,
    Builder,
    Place,
    constant,
)
from gateway.outputs.opcua.event import SERVER
from gateway.outputs.opcua.ids import standard
from gateway.outputs.opcua.settings import Settings
from gateway.outputs.opcua.values import Form, data_value, span, unit

NAMESPACE = "urn:stethos:plant"

_HAS_NOTIFIER = standard(ObjectIds.HasNotifier)
_HAS_CONDITION = standard(ObjectIds.HasCondition)
_GENERATES = standard(ObjectIds.GeneratesEvent)
_TYPE_NAMES = {Scope.GATEWAY: "GatewayType", Scope.ASSET: "AssetType", Scope.NODE: "NodeType"}
_ALARM_TYPES = {
    AlarmKind.ANOMALY: ("AnomalyAlarmType", "An asset does not sound as it should: an incident with evidence"),
    AlarmKind.NODE_LOST: ("NodeLostAlarmType", "A node has missed its own schedule for too long"),
    AlarmKind.SENSOR_FAULT: ("SensorFaultAlarmType", "A node says that its sensor is faulty"),
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


@cache
def _properties(tag: TagType) -> tuple[tuple[str, AttributeValue, int], ...]:
    """Name, value and data type of the properties of a kind of Tag."""
    structure = ua.VariantType.ExtensionObject
    if Form.of(tag).variable_type == ObjectIds.AnalogItemType:
        return (
            ("EngineeringUnits", constant(unit(tag), structure), ObjectIds.EUInformation),
            ("EURange", constant(span(tag), structure), ObjectIds.Range),
        )
    if tag.states:
        names = [ua.LocalizedText(state, "en") for state in tag.states]
        return (("EnumStrings", constant(names, ua.VariantType.LocalizedText), ObjectIds.LocalizedText),)
    return ()


class Slot:
    """A Tag's variable: keeps its newest change and makes the value when somebody reads it."""

    __slots__ = ("_attribute", "_change", "_form", "_served")

    def __init__(self, attribute: AttributeValue, form: Form, change: TagChange) -> None:
        self._attribute = attribute
        self._form = form
        self._change = change
        self._served = datetime.now(UTC)
        attribute.value_callback = self.read

    def read(self, node: ua.NodeId | None = None, attribute: AttributeIds | None = None) -> ua.DataValue:
        """The value as it is now; the arguments are asyncua's."""
        return data_value(self._form, self._change, self._served)

    async def write(self, change: TagChange, served: datetime) -> bool:
        """Take a change and tell the subscriptions, if there are any. False if its value cannot be of this Tag."""
        if not self._form.fits(change.value):
            return False
        self._change = change
        self._served = served
        if self._attribute.datachange_callbacks:
            value = self.read()
            for handle, callback in tuple(self._attribute.datachange_callbacks.items()):
                await callback(handle, value)
        return True


class Space:
    """The nodes of one plant in one server's address space."""

    def __init__(self, space: AddressSpace, namespace: int, plant: Plant) -> None:
        """Raises ValueError if two things of the plant would have the same id."""
        self._plant = plant
        self._builder = Builder(space, namespace)
        self._slots: dict[TagId, Slot] = {}
        self._above: dict[ua.NodeId, ua.NodeId] = {}  # notifier -> the one above it
        self.alarm_types = self._add_alarm_types()
        self._types = {scope: self._add_type(scope) for scope in Scope}
        self._add_plant()

    def slot(self, tag: TagId) -> Slot | None:
        """The variable of a Tag, None if the plant has no such Tag."""
        return self._slots.get(tag)

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
            self._add_variable(kind, tag, f"type.{scope}.{tag.name}", is_declaration=True)
        for alarm in AlarmKind:
            if alarm.scope is scope:
                builder.reference(kind, _GENERATES, self.alarm_type(alarm), both=False)
        return kind

    def _add_variable(self, owner: ua.NodeId, tag: TagType, identifier: str, *, is_declaration: bool) -> ua.NodeId:
        builder = self._builder
        form = Form.of(tag)
        variable = builder.variable(
            identifier, Place(owner, HAS_COMPONENT), tag.name, form.variable_type, _nothing(), form.variant.value,
            tag.description,
        )  # fmt: skip
        properties = [builder.property(variable, name, value, data_type) for name, value, data_type in _properties(tag)]
        if is_declaration:
            for declaration in (variable, *properties):
                builder.mandatory(declaration)
        return variable

    def _add_plant(self) -> None:
        builder, plant = self._builder, self._plant
        builder.make_notifier(SERVER)
        root = builder.folder("site", Place(standard(ObjectIds.ObjectsFolder), ORGANIZES), "Stethos")
        builder.property(root, "Site", constant(plant.site, ua.VariantType.String), ObjectIds.String, own=True)
        self._put_below(SERVER, root)
        self._add_thing(Scope.GATEWAY, "gateway", Place(root, HAS_COMPONENT))
        for asset in sorted(plant.assets.values(), key=lambda a: a.slot):
            home = self._add_thing(Scope.ASSET, asset.name, Place(self._line_of(root, asset), ORGANIZES))
            for node in plant.nodes_of[asset.name]:
                self._add_thing(Scope.NODE, node.name, Place(home, HAS_COMPONENT))

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

    def _add_thing(self, scope: Scope, name: str, place: Place) -> ua.NodeId:
        """The object of a gateway, asset or node with its Tags."""
        builder = self._builder
        thing = builder.object(object_identifier(scope, name), place, name, self._types[scope])
        self._put_below(place.parent, thing)
        for tag in TAG_TYPES[scope]:
            tag_id = TagId(scope, name, tag.name)
            variable = self._add_variable(thing, tag, tag_identifier(tag_id), is_declaration=False)
            attribute = builder.attribute(variable, AttributeIds.Value)
            nothing = TagChange(tag_id, None, Quality.NO_DATA, 0)
            self._slots[tag_id] = Slot(attribute, Form.of(tag), nothing)
        for alarm in AlarmKind:
            if alarm.scope is scope:
                builder.reference(thing, _HAS_CONDITION, self.alarm_type(alarm), both=False)
        return thing

    def _put_below(self, upper: ua.NodeId, lower: ua.NodeId) -> None:
        self._above[lower] = upper
        self._builder.reference(upper, _HAS_NOTIFIER, lower)
