"""The roster: slots never move and are never given away; what an asset does not say, the plant does."""

from gateway import config
from gateway.core import roster
from gateway.core.plant import AlarmKind, Plant, Priority, Rule

ALARM = {"cause": "c", "consequence": "q", "action": "a", "priority": "high", "response_s": 60}


def settings(assets: list[dict[str, object]]) -> config.Settings:
    return config.Settings.model_validate(
        {
            "gateway": {"site": "works"},
            "rule": {"k": 1, "window_s": 30, "quiet_s": 90},
            "alarm": dict.fromkeys(("anomaly", "node_lost", "sensor_fault"), ALARM),
            "asset": tuple({"area": "hall", "line": "one"} | asset for asset in assets),
            "link": ("any",),
            "output": None,
        }
    )


def plan(assets: list[dict[str, object]], previous: Plant | None = None) -> Plant:
    return roster.plan(settings(assets), {"a": (b"kid1", 3)}, {"m": bytes(32)}, previous)


def slots(plant: Plant) -> dict[str, int]:
    return {item.name: item.slot for item in (*plant.assets.values(), *plant.nodes.values())}


def test_slots_follow_the_file_at_first():
    assert slots(plan([{"name": "pump", "nodes": ("a", "b",)}, {"name": "fan", "nodes": ("c",)}])) == {
        "pump": 0, "fan": 1, "a": 0, "b": 1, "c": 2,
    }  # fmt: skip


def test_slots_never_move_and_are_never_given_away():
    first = plan(
        [
            {
                "name": "pump",
                "nodes": (
                    "a",
                    "b",
                ),
            },
            {"name": "fan", "nodes": ("c",)},
        ]
    )
    second = plan(
        [
            {"name": "mill", "nodes": ("d",)},
            {
                "name": "fan",
                "nodes": (
                    "c",
                    "a",
                ),
            },
        ],
        first,
    )
    assert slots(second) == {"fan": 1, "mill": 2, "a": 0, "c": 2, "d": 3}
    third = plan([{"name": "pump", "nodes": ("b",)}, {"name": "fan", "nodes": ("e",)}], second)
    assert slots(third) == {"pump": 0, "fan": 1, "b": 1, "e": 4}


def test_what_an_asset_says_of_itself_wins():
    plant = plan(
        [
            {
                "name": "pump",
                "nodes": (
                    "a",
                    "b",
                ),
                "feeds": ("fan",),
                "model": "m",
                "k": 2,
                "quiet_s": 0.5,
            },
            {"name": "fan", "nodes": ("c",), "alarm": {"anomaly": ALARM | {"priority": "low", "on_delay_s": 1.5}}},
        ]
    )
    assert plant.assets["pump"].rule == Rule(2, 30_000, 500)
    assert plant.assets["fan"].rule == Rule(1, 30_000, 90_000)
    texts = {name: plant.text_of(next(a for a in plant.alarm_ids() if a.name == name)) for name in ("pump", "fan")}
    assert (texts["pump"].priority, texts["fan"].priority) == (Priority.HIGH, Priority.LOW)
    assert texts["fan"].on_delay_ms == 1500
    assert (plant.nodes["a"].model, plant.nodes["c"].model) == ("m", "")
    assert (plant.nodes["a"].kid, plant.nodes["a"].key_generation, plant.nodes["b"].kid) == (b"kid1", 3, b"")
    assert set(plant.alarms) == set(AlarmKind)
    assert plant.neighbours == {"pump": {"fan"}, "fan": {"pump"}}


def test_a_node_without_a_model_that_others_have_as_context_is_heard_for_them():
    pump = {"name": "pump", "nodes": ("a", "b"), "model": {"b": "learner"}, "context": ("a/1", "time of day")}
    found = plan([pump, {"name": "fan", "nodes": ("c",), "model": "m"}])
    assert [found.nodes[name].model for name in "abc"] == [config.CONTEXT, "learner", "m"]
    assert set(found.rescoring.models) == {config.CONTEXT, "learner", "m"}
    without = plan([pump | {"context": ()}])
    assert without.nodes["a"].model == "" and config.CONTEXT not in without.rescoring.models
