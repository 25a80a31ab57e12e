import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import extensions, outputs
from gateway.core.plant import AlarmKind, Asset, Liveness, Node, Plant, Priority
from gateway.runtime.reload import Difference, Makeup, Reloaded, Reloads, difference
from tests.outputs import host
from tests.outputs.host import RULE
from tests.runtime.house import PATIENCE_S, until

TEXTS = dict.fromkeys(AlarmKind, host.TEXTS[AlarmKind.NODE_LOST]) | host.TEXTS


def plant_of(assets: dict[str, int], nodes: dict[str, tuple[str, int]]) -> Plant:
    """A plant whose every alarm has a text."""
    return replace(host.plant_of(assets, nodes), alarms=TEXTS)


PLANT = replace(host.PLANT, alarms=TEXTS)

tables = st.dictionaries(st.sampled_from(["link a", "link b", "link c", "output x", "output y"]), st.integers(0, 2))
values = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2))


def shown_by(parts: Mapping[str, object], of: Mapping[str, object]) -> dict[str, object]:
    return {part: of.get(part[-1]) for part in parts if part.startswith("output")}


@st.composite
def makeups(draw: st.DrawFn) -> Makeup:
    parts = draw(tables)
    return Makeup(draw(values), draw(values), draw(values), parts, shown_by(parts, draw(values)), PLANT)


@given(makeups())
def test_the_same_configuration_changes_nothing(makeup: Makeup) -> None:
    assert difference(makeup, makeup) == Difference()
    assert difference(makeup, makeup).told() == ()


@given(makeups(), makeups())
def test_what_is_stopped_started_and_restarted_leads_from_the_old_parts_to_the_new(old: Makeup, new: Makeup) -> None:
    change = difference(old, new)
    running = {part: (old.parts[part], old.shown.get(part)) for part in old.parts}
    for part in (*change.stop, *change.restart):
        del running[part]  # KeyError: it did not run
    for part in (*change.restart, *change.start):
        assert part not in running
        running[part] = (new.parts[part], new.shown.get(part))
    assert running == {part: (new.parts[part], new.shown.get(part)) for part in new.parts}


@given(makeups(), makeups())
def test_only_what_differs_is_touched(old: Makeup, new: Makeup) -> None:
    change = difference(old, new)
    same = {p for p in old.parts.keys() & new.parts.keys() if old.parts[p] == new.parts[p]}
    assert not {p for p in same if old.shown.get(p) == new.shown.get(p)} & {
        *change.stop,
        *change.restart,
        *change.start,
    }
    for there, wanted, named in (
        (old.fixed, new.fixed, change.refused),
        (old.live, new.live, change.live),
        (old.models, new.models, change.models),
    ):
        assert set(named) == {k for k in there.keys() | wanted.keys() if there.get(k) != wanted.get(k)}


@given(makeups(), makeups())
def test_there_and_back_again_undoes_it(old: Makeup, new: Makeup) -> None:
    there, back = difference(old, new), difference(new, old)
    assert (there.start, there.stop, there.restart) == (back.stop, back.start, back.restart)
    assert (there.refused, there.live, there.models) == (back.refused, back.live, back.models)


def of(plant: Plant) -> Makeup:
    return Makeup({}, {}, {}, {}, {}, plant)


def test_a_changed_plant_is_told_in_words() -> None:
    new = Plant(
        site="works",
        assets={
            "pump-1": replace(PLANT.assets["pump-1"], feeds=("saw-3",)), "saw-3": Asset("saw-3", "n", "l", 4, RULE),
        },
        nodes={
            "n1": replace(PLANT.nodes["n1"], asset="saw-3"), "n2": replace(PLANT.nodes["n2"], model="m"),
            "n8": Node("n8", b"1234", "saw-3", 7),
        },
        alarms=TEXTS | {AlarmKind.NODE_LOST: replace(TEXTS[AlarmKind.NODE_LOST], action="wait")},
        liveness=Liveness(late_after=2),
        rescoring=replace(PLANT.rescoring, deadline_ms=1),
        correlate_ms=1,
    )  # fmt: skip
    assert difference(of(PLANT), of(new)).told() == (
        "asset fan-2: removed", "asset saw-3: added", "node n7: removed", "node n8: added", "asset pump-1: changed",
        "node n1: moved from pump-1 to saw-3", "node n2: changed", "alarm.node_lost: changed",
        "correlation.within_s: changed", "liveness: changed", "rescoring.deadline_s: changed",
    )  # fmt: skip


def test_what_is_done_is_told_part_by_part() -> None:
    old = Makeup({}, {"journal.group_ms": 4}, {"m": b"1"}, {"link a": 1, "link b": 1}, {}, PLANT)
    new = Makeup({}, {"journal.group_ms": 5}, {"m": b"2"}, {"link b": 2, "link c": 1}, {}, PLANT)
    assert difference(old, new).told() == (
        "link a: stopped", "link b: restarted", "link c: started", "journal.group_ms: changed", "model m: changed",
    )  # fmt: skip


def shown_where(plant: Plant) -> dict[str, object]:
    return {
        name: getattr(module, "shown", outputs.shown)(plant) for name, module in extensions.output_modules().items()
    }


def worded(priority: Priority, cause: str) -> Plant:
    text = replace(PLANT.alarms[AlarmKind.ANOMALY], priority=priority, cause=cause)
    return replace(PLANT, alarms={**PLANT.alarms, AlarmKind.ANOMALY: text})


@pytest.mark.parametrize(
    ("plant", "reopened"),
    [
        (plant_of({"pump-1": 0, "fan-2": 3}, {"n1": ("pump-1", 0), "n2": ("pump-1", 1)}), {"mqtt", "modbus", "opcua"}),
        (replace(PLANT, nodes=PLANT.nodes | {"n9": Node("n9", b"", "fan-2", 9)}), {"mqtt", "modbus", "opcua"}),
        (replace(PLANT, nodes=PLANT.nodes | {"n7": replace(PLANT.nodes["n7"], asset="pump-1")}), {"mqtt", "opcua"}),
        (replace(PLANT, assets=PLANT.assets | {"fan-2": replace(PLANT.assets["fan-2"], line="l")}), {"mqtt", "opcua"}),
        (worded(Priority.HIGH, "{asset} is loud"), {"mqtt", "opcua"}),
        (worded(Priority.LOW, PLANT.alarms[AlarmKind.ANOMALY].cause), {"mqtt", "modbus", "opcua"}),
        (replace(PLANT, site="elsewhere"), {"mqtt", "opcua"}),
        (replace(PLANT, correlate_ms=1, liveness=Liveness(late_after=2)), set()),
        (replace(PLANT, nodes=PLANT.nodes | {"n1": replace(PLANT.nodes["n1"], key_generation=4, kid=b"9")}), set()),
        (replace(PLANT, assets=PLANT.assets | {"fan-2": replace(PLANT.assets["fan-2"], feeds=("pump-1",))}), set()),
    ],
)
def test_an_output_is_opened_again_only_for_what_it_shows(plant: Plant, reopened: set[str]) -> None:
    before, after = shown_where(PLANT), shown_where(plant)
    assert {name for name in before if before[name] != after[name]} == reopened


async def test_who_asks_during_a_reload_shares_the_next_one() -> None:
    begun: list[asyncio.Future[None]] = []

    async def work() -> Reloaded:
        begun.append(asyncio.get_running_loop().create_future())
        number = len(begun)
        await begun[-1]
        return Reloaded((str(number),))

    reloads = Reloads(work)
    running = asyncio.create_task(reloads.run())
    first = reloads.ask()
    await until(lambda: begun)
    second, third = reloads.ask(), reloads.ask()
    begun[0].set_result(None)
    await until(lambda: len(begun) == 2)
    begun[1].set_result(None)
    done = await asyncio.wait_for(asyncio.gather(first, second, third), PATIENCE_S)
    assert [outcome.changed for outcome in done] == [("1",), ("2",), ("2",)]
    assert len(begun) == 2
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
