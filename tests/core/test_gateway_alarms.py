"""Alarms of the gateway itself: what the runtime notices goes through the same life cycle as everything else."""

from dataclasses import replace

import pytest

from gateway.core import snapshot
from gateway.core.command import CommandKind, Outcome
from gateway.core.entry import Configured, Noticed
from gateway.core.plant import GATEWAY_ALARMS, AlarmId, AlarmKind, Scope
from gateway.core.update import AlarmChange, AlarmState
from tests.core.plants import Bench, ms, plant

SPACE = AlarmId(Scope.GATEWAY, "gateway", AlarmKind.JOURNAL_SPACE)
BEHIND = AlarmId(Scope.GATEWAY, "gateway", AlarmKind.OUTPUT_BEHIND)


def full(active: bool, seconds: float, detail: str = "") -> Noticed:
    return Noticed(AlarmKind.JOURNAL_SPACE, active, ms(seconds), detail)


def test_raised_acknowledged_returned():
    bench = Bench.of(plant())
    bench.at(2, full(True, 1, "12 MiB free"))
    change = bench.alarm(SPACE)
    assert (change.state, change.source_ms, change.comment) == (AlarmState.UNACKNOWLEDGED, ms(1), "12 MiB free")
    assert bench.tag("gateway/gateway/alarms_active").value == 1
    assert bench.asks(3, CommandKind.ACKNOWLEDGE, str(SPACE)).outcome is Outcome.DONE
    bench.at(5, full(False, 4))
    assert (bench.alarm(SPACE).state, bench.alarm(SPACE).source_ms) == (AlarmState.NORMAL, ms(4))
    assert bench.history(SPACE) == ["raised", "acknowledged", "returned"]


def test_what_is_noticed_again_says_nothing_new():
    bench = Bench.of(plant())
    bench.at(1, full(True, 1))
    assert [u for u in bench.at(2, full(True, 1)).updates if isinstance(u, AlarmChange)] == []
    assert bench.at(3, Noticed(AlarmKind.OUTPUT_BEHIND, False, ms(3))).updates == []


def test_its_time_is_not_in_the_future():
    bench = Bench.of(plant())
    bench.at(1, full(True, 60))
    assert bench.alarm(SPACE).source_ms == ms(1)


def test_the_delays_of_the_configuration_count():
    works = plant()
    text = replace(works.alarms[AlarmKind.JOURNAL_SPACE], on_delay_ms=5000)
    bench = Bench.of(replace(works, alarms=works.alarms | {AlarmKind.JOURNAL_SPACE: text}))
    bench.at(1, full(True, 1, "full"))
    assert SPACE not in {change.alarm for change in bench.engine.present_alarms()}
    bench.until(7)
    assert (bench.alarm(SPACE).active, bench.alarm(SPACE).comment) == (True, "full")


@pytest.mark.parametrize("alarm", GATEWAY_ALARMS, ids=str)
def test_they_outlive_every_change_of_the_plant(alarm):
    bench = Bench.of(plant())
    bench.at(1, Noticed(alarm.kind, True, ms(1)))
    bench.at(2, Configured(plant({"mill": "f"}, feeds={})))
    assert bench.alarm(alarm).active
    assert bench.engine.plant.told(alarm).action


def test_a_snapshot_keeps_what_was_noticed():
    bench = Bench.of(plant())
    bench.at(1, full(True, 1, "12 MiB free"))
    restored = snapshot.restore(snapshot.take(bench.engine))
    assert restored.present_alarms() == bench.engine.present_alarms()
    assert restored.alarms.is_active(SPACE)
    assert not restored.alarms.is_active(BEHIND)
    assert snapshot.take(restored) == snapshot.take(bench.engine)
