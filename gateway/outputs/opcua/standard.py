"""The part of OPC UA's own address space that this server has: what the plant's nodes refer to, and the Server object.

asyncua fills in all 6,000 nodes of the standard: types of publish-subscribe, certificate management, file transfer and
more, none of which it serves. That takes most of the start and a fifth of the memory, and promises clients what is not
there. Servers need only the types that they use (Part 5, 4.1).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from asyncua import ua
from asyncua.server.address_space import AddressSpace, NodeManagementService
from asyncua.ua.object_ids import ObjectIds

_SUBTYPE = ObjectIds.HasSubtype
_NOT_FOLLOWED = {
    ObjectIds.GeneratesEvent, ObjectIds.AlwaysGeneratesEvent, ObjectIds.HasDescription,
    ObjectIds.HasHistoricalConfiguration,
}  # fmt: skip
_ROOTS = (
    ObjectIds.RootFolder,
    *range(ObjectIds.Boolean, ObjectIds.Image + 1),  # built-in data types and what they are derived from
    *(  # what the plant's nodes are made of
        ObjectIds.BaseDataVariableType, ObjectIds.AnalogItemType, ObjectIds.MultiStateDiscreteType,
        ObjectIds.PropertyType, ObjectIds.FolderType, ObjectIds.BaseObjectType, ObjectIds.EUInformation,
        ObjectIds.Range, ObjectIds.UtcTime, ObjectIds.Duration, ObjectIds.HasCondition, ObjectIds.HasNotifier,
    ),
    *(  # events, and what clients commonly filter conditions by
        ObjectIds.OffNormalAlarmType, ObjectIds.RefreshStartEventType, ObjectIds.RefreshEndEventType,
        ObjectIds.RefreshRequiredEventType, ObjectIds.ProcessConditionClassType,
        ObjectIds.MaintenanceConditionClassType, ObjectIds.SystemConditionClassType,
        ObjectIds.ShelvedStateMachineType, ObjectIds.GeneratesEvent,
    ),
)  # fmt: skip
_LEFT_OUT = {
    ObjectIds.ServerConfiguration, ObjectIds.PublishSubscribe, ObjectIds.Aliases, ObjectIds.Locations,
    ObjectIds.Server_ServerCapabilities_RoleSet, ObjectIds.Dictionaries, ObjectIds.Quantities,
    ObjectIds.Resources, ObjectIds.DefaultHAConfiguration, ObjectIds.DefaultHEConfiguration,
    ObjectIds.ServerLog, ObjectIds.Server_GetMonitoredItems, ObjectIds.Server_ResendData,
    ObjectIds.Server_SetSubscriptionDurable, ObjectIds.Server_RequestServerStateChange,
    ObjectIds.HistoryServerCapabilities, ObjectIds.FileSystem, ObjectIds.OPCBinarySchema_TypeSystem,
    ObjectIds.XmlSchema_TypeSystem, ObjectIds.HAConfiguration,
}  # fmt: skip
_EMPTIED = {ObjectIds.Server_ServerCapabilities_AggregateFunctions}  # mandatory, but none is there
_ENCODINGS = {"Default XML", "Default JSON"}  # the server speaks binary only

Edges = Mapping[int, Iterable[tuple[int, int]]]


class _Collected:
    """Takes what asyncua's generated code adds."""

    def __init__(self) -> None:
        self.nodes: list[ua.AddNodesItem] = []
        self.references: list[ua.AddReferencesItem] = []

    def add_nodes(self, items: Iterable[ua.AddNodesItem]) -> None:
        """Nodes, each with its parent and type."""
        self.nodes.extend(items)

    def add_references(self, items: Iterable[ua.AddReferencesItem]) -> None:
        """Further references."""
        self.references.extend(items)


def fill(space: AddressSpace) -> None:
    """Put the served part of the standard address space into an empty one."""
    from asyncua.server.standard_address_space import standard_address_space_services as generated
    from asyncua.server.standard_address_space.standard_address_space import PostponeReferences

    collected = _Collected()
    generated.create_standard_address_space_Services(collected)  # type: ignore[no-untyped-call]
    served = _closure(_edges(collected))
    with PostponeReferences(NodeManagementService(space)) as sink:  # type: ignore[no-untyped-call]
        sink.add_nodes([n for n in collected.nodes if _id(n.RequestedNewNodeId) in served])
        sink.add_references(
            [
                r
                for r in collected.references
                if {_id(r.SourceNodeId), _id(r.ReferenceTypeId), _id(r.TargetNodeId)} <= served
            ]
        )


def _edges(collected: _Collected) -> Edges:
    """Node -> (kind of reference, target), to where the closure goes."""
    edges: dict[int, list[tuple[int, int]]] = defaultdict(list)
    spurned = {_id(n.RequestedNewNodeId) for n in collected.nodes if n.BrowseName.Name in _ENCODINGS} | _LEFT_OUT

    def add(source: int, kind: int, target: int) -> None:
        if kind == _SUBTYPE:  # a type needs what it is derived from, not what is derived from it
            edges[target].append((kind, source))
        elif kind not in _NOT_FOLLOWED and source not in _EMPTIED and target not in spurned:
            edges[source].append((kind, target))

    for node in collected.nodes:
        this = _id(node.RequestedNewNodeId)
        if not node.ParentNodeId.is_null():
            add(_id(node.ParentNodeId), _id(node.ReferenceTypeId), this)
        for used in (node.TypeDefinition, getattr(node.NodeAttributes, "DataType", None)):
            if used is not None and not used.is_null():
                add(this, ObjectIds.HasTypeDefinition, _id(used))
    for reference in collected.references:
        ends = _id(reference.SourceNodeId), _id(reference.TargetNodeId)
        source, target = ends if reference.IsForward else reversed(ends)
        add(source, _id(reference.ReferenceTypeId), target)
    return edges


def _closure(edges: Edges) -> set[int]:
    """Everything that is reached from the roots, and the kinds of the references on the way."""
    reached: set[int] = set()
    ahead = list(_ROOTS)
    while ahead:
        node = ahead.pop()
        if node not in reached:
            reached.add(node)
            for pair in edges.get(node, ()):
                ahead.extend(pair)
    return reached


def _id(node: ua.NodeId) -> int:
    """Identifier of a node of OPC UA's namespace, which are numbers."""
    assert isinstance(node.Identifier, int)
    return int(node.Identifier)
