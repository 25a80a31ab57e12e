"""The served part of OPC UA's own address space, beside asyncua's whole one."""

from __future__ import annotations

import pytest
from asyncua import ua
from asyncua.server.address_space import AddressSpace, NodeManagementService
from asyncua.server.standard_address_space.standard_address_space import fill_address_space
from asyncua.ua.attribute_ids import AttributeIds as Attribute

from gateway.outputs.opcua import standard
from gateway.outputs.opcua.space import Space
from tests.outputs.opcua.plants import make_plant


@pytest.fixture(scope="module")
def whole() -> AddressSpace:
    space = AddressSpace()
    fill_address_space(NodeManagementService(space))
    return space


@pytest.fixture(scope="module")
def served() -> AddressSpace:
    space = AddressSpace()
    standard.fill(space)
    return space


def value(space: AddressSpace, node: ua.NodeId, attribute: Attribute) -> object:
    return space.read_attribute_value(node, attribute).Value.Value


def nodes(space: AddressSpace) -> set[ua.NodeId]:
    return set(space.keys())


def test_what_is_served_is_as_in_the_standard(whole: AddressSpace, served: AddressSpace) -> None:
    assert len(nodes(served)) < len(nodes(whole)) / 4
    for node in nodes(served):
        ours, theirs = served[node], whole[node]
        assert {a: str(v) for a, v in ours.attributes.items()} == {a: str(v) for a, v in theirs.attributes.items()}
        assert {str(r) for r in ours.references} <= {str(r) for r in theirs.references}


def test_nothing_refers_to_what_is_not_there(served: AddressSpace) -> None:
    missing = set()
    for node in nodes(served):
        missing |= {r.NodeId for r in served[node].references} - nodes(served)
        missing |= {r.ReferenceTypeId for r in served[node].references} - nodes(served)
        if Attribute.DataType in served[node].attributes:
            missing |= {value(served, node, Attribute.DataType)} - nodes(served)
    assert missing == set()


def test_every_node_can_be_browsed_to_from_the_root(served: AddressSpace) -> None:
    reached, ahead = set(), [ua.NodeId(ua.ObjectIds.RootFolder)]
    while ahead:
        node = ahead.pop()
        if node not in reached:
            reached.add(node)
            ahead += [r.NodeId for r in served[node].references if r.IsForward]
    assert {n.Identifier for n in nodes(served) - reached} == set()


def test_the_server_does_not_promise_what_it_has_not(served: AddressSpace) -> None:
    below = {r.BrowseName.Name for r in served[ua.NodeId(ua.ObjectIds.Server)].references if r.IsForward}
    assert {"ServerStatus", "ServerCapabilities", "NamespaceArray", "ServerDiagnostics"} <= below
    assert not {"PublishSubscribe", "ServerConfiguration", "ResendData"} & below


def test_the_plants_nodes_refer_to_what_is_there() -> None:
    space = AddressSpace()
    standard.fill(space)
    Space(space, 2, make_plant())
    seen, ahead = set(), [ua.NodeId("site", 2)]
    while ahead:
        node = ahead.pop()
        if node in seen:
            continue
        seen.add(node)
        for reference in space[node].references:
            target = space[reference.NodeId]
            assert reference.NodeId in space
            assert reference.ReferenceTypeId in space
            assert reference.BrowseName == value(space, reference.NodeId, Attribute.BrowseName)
            assert reference.NodeClass == value(space, reference.NodeId, Attribute.NodeClass)
            back = [(r.NodeId, r.ReferenceTypeId) for r in target.references if r.IsForward != reference.IsForward]
            if reference.NodeId.NamespaceIndex == 2 and not str(reference.NodeId.Identifier).startswith("type."):
                assert (node, reference.ReferenceTypeId) in back, "both ends know of it"
                ahead.append(reference.NodeId)
        if Attribute.DataType in space[node].attributes:
            assert value(space, node, Attribute.DataType) in space
    assert len([n for n in seen if str(n.Identifier).endswith(".EURange")]) == 3 * 5 + 2


@pytest.mark.parametrize(
    "path", ["node.n-9", "node.n-1.speed", "node.n-1.sensor.EURange", "node.n-1.score.EURange.x", ""]
)
def test_there_is_no_node_that_the_plant_has_not(path: str) -> None:
    space = AddressSpace()
    standard.fill(space)
    Space(space, 2, make_plant())
    node = ua.NodeId(path, 2)
    assert node not in space
    assert space.get(node) is None
    assert space.read_attribute_value(node, Attribute.Value).StatusCode.name == "BadNodeIdUnknown"
    with pytest.raises(KeyError):
        space[node]
