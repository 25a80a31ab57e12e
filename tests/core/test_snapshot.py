"""Snapshots: restore + the rest = straight through, and what cannot be restored says so."""

import cbor2
import pytest

from gateway.core import assets, snapshot
from gateway.core.command import CommandKind
from gateway.core.engine import ENGINE_VERSION
from gateway.core.snapshot import SnapshotBroken
from gateway.core.update import encode_decision
from tests.core.plants import Bench, anomaly, birth, flag, health, plant


def eventful() -> Bench:
    """Everything a snapshot has to hold: waiting windows, open and closed incidents, delays, a shelf, a restart."""
    bench = Bench.of(plant(model="m", on_delay_s=3, off_delay_s=4), born=20)
    bench.flags((1, "a"), (2, "b")).flags((3, "d"), (4, "e"))
    bench.says(5, "c", flag(features=True))
    bench.asks(6, CommandKind.SHELVE, str(anomaly("fan")), comment="noise", until_s=90)
    bench.scored(7, bench.entries[-2].id, 10)
    bench.says(8, "a", health(why=4))
    bench.until(150)
    bench.restarts(160)
    bench.says(170, "a", birth(30))
    bench.says(171, "a", flag(features=True), late_s=1)
    bench.asks(173, CommandKind.ACKNOWLEDGE, str(anomaly("pump")))
    bench.flags((174, "b"), (60, "c"), (61, "b"), late_s=200)
    bench.until(900)
    return bench


def forgetful() -> Bench:
    """A long incident whose beginning is out of reach, and data that comes too late for it."""
    bench = Bench.of(plant())
    for second in range(0, 1500, 50):
        bench.flags((second, "d"), (second + 1, "e"))
        if second % 400 == 0:
            bench.flags((second + 2, "a"), (second + 3, "b"))
    bench.flags((1, "c"), (600, "c"), (1300, "c"), late_s=1500)
    return bench.until(5000)


@pytest.mark.parametrize("script", [eventful, forgetful])
def test_from_every_point_the_rest_is_the_same(script, monkeypatch):
    monkeypatch.setattr(assets, "LATE_MS", 500_000)
    bench = script()
    engine = type(bench.engine)()
    for index, entry in enumerate(bench.entries):
        restored = snapshot.restore(snapshot.take(engine))
        assert restored.incidents.bouts == {name: bouts for name, bouts in engine.incidents.bouts.items() if bouts}
        for later, expected in zip(bench.entries[index:], bench.decisions[index:], strict=True):
            decision = restored.apply(later)
            assert encode_decision(decision.updates, decision.waiting) == expected, (index, later)
        assert snapshot.take(restored) == snapshot.take(bench.engine)
        engine.apply(entry)


def test_a_snapshot_tells_what_is_present():
    bench = eventful()
    restored = snapshot.restore(snapshot.take(bench.engine))
    assert restored.present_tags() == bench.engine.present_tags()
    assert restored.present_alarms() == bench.engine.present_alarms()
    assert restored.next_wake_ms == bench.engine.next_wake_ms
    assert restored.ledger.counters == bench.engine.ledger.counters


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: b"",
        lambda state: b"\xff",
        lambda state: cbor2.dumps(7),
        lambda state: cbor2.dumps([]),
        lambda state: cbor2.dumps({}),
        lambda state: cbor2.dumps({"version": ENGINE_VERSION}),
        lambda state: cbor2.dumps(cbor2.loads(state) | {"alarms": [[b"\x80"]]}),
        lambda state: cbor2.dumps(cbor2.loads(state) | {"incidents": [[1]]}),
        lambda state: cbor2.dumps(cbor2.loads(state) | {"nodes": {"a": 1}}),
        lambda state: cbor2.dumps(cbor2.loads(state) | {"timers": 1}),
        lambda state: state[: len(state) // 2],
    ],
)
def test_what_cannot_be_restored(damage):
    with pytest.raises(SnapshotBroken):
        snapshot.restore(damage(snapshot.take(eventful().engine)))
