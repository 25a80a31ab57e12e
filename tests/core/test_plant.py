"""What a plant says of itself."""

from dataclasses import replace

import pytest

from gateway.core.nodes import NodeTags
from gateway.core.plant import NODE_TAGS, AlarmId, AlarmKind, AlarmText, Priority, Scope
from tests.core.plants import plant

NAMING_BOTH = AlarmText("{node} on {asset}", "{asset} with {node}", "go to {node}, {node}", Priority.HIGH, 600)


@pytest.mark.parametrize(
    ("alarm", "asset", "nodes"),
    [
        (AlarmId(Scope.NODE, "d", AlarmKind.NODE_LOST), "fan", "d"),
        (AlarmId(Scope.NODE, "b", AlarmKind.SENSOR_FAULT), "pump", "b"),
        (AlarmId(Scope.ASSET, "pump", AlarmKind.ANOMALY), "pump", "a, b, c"),
    ],
)
def test_an_alarm_tells_the_names_of_its_asset_and_nodes(alarm: AlarmId, asset: str, nodes: str) -> None:
    told = replace(plant(), alarms=dict.fromkeys(AlarmKind, NAMING_BOTH)).told(alarm)
    assert told == AlarmText(
        f"{nodes} on {asset}", f"{asset} with {nodes}", f"go to {nodes}, {nodes}", Priority.HIGH, 600
    )


def test_an_asset_without_nodes_is_told_of_by_name() -> None:
    bare = replace(plant({"fan": ""}), alarms=dict.fromkeys(AlarmKind, NAMING_BOTH))
    told = bare.told(AlarmId(Scope.ASSET, "fan", AlarmKind.ANOMALY))
    assert (told.cause, told.consequence) == (" on fan", "fan with ")


def test_an_alarm_that_is_not_configured_tells_nothing() -> None:
    with pytest.raises(KeyError):
        plant().told(AlarmId(Scope.NODE, "gone", AlarmKind.NODE_LOST))


def test_a_nodes_tags_are_named_in_their_order():
    assert NodeTags._fields == tuple(tag.name for tag in NODE_TAGS)
