"""Silence is no all-clear: what k nodes have said last stands until they say otherwise."""

from gateway.core import assets, snapshot
from gateway.core.entry import Configured
from gateway.core.plant import Rule
from gateway.core.update import Quality
from tests.core.plants import Bench, anomaly, health, ms, plant, window

PUMP = anomaly("pump")
HOUR = 3600


def dying() -> Bench:
    """Two of three nodes find the pump anomalous, and are never heard again. Their heartbeat is 15 minutes."""
    return Bench.of(plant(), born=900, well=False).flags((20, "a"), (21, "b"))


def test_an_alarm_does_not_return_because_its_nodes_have_died():
    bench = dying().until(3 * HOUR)
    assert bench.history(PUMP) == ["raised"]
    assert bench.story() == [(1, "opened")]
    assert (bench.tag("asset/pump/state").value, bench.tag("asset/pump/state").quality) == (2, Quality.LOST)
    assert bench.tag("asset/pump/evidence").value == 2


def test_it_returns_when_fewer_than_k_still_say_so():
    bench = dying().until(HOUR)
    bench.says(HOUR, "a", health())
    assert bench.history(PUMP) == ["raised", "returned"]
    assert bench.alarm(PUMP).source_ms == ms(HOUR), "a has been quiet for long, and now we know that it is well"
    assert bench.story() == [(1, "opened"), (1, "closed")]
    assert bench.tag("asset/pump/state").value == 1  # b is still suspect
    bench.says(HOUR + 200, "b", window())
    assert bench.tag("asset/pump/state").value == 0


def test_an_all_clear_soon_after_waits_for_the_quiet():
    bench = dying()
    for node in "ab":
        bench.says(30, node, health())
    assert bench.history(PUMP) == ["raised"]
    bench.until(142)
    assert bench.history(PUMP) == ["raised", "returned"]
    assert bench.alarm(PUMP).source_ms == ms(21 + 120)


def test_a_node_that_was_well_in_time_and_heard_late_ends_it_in_hindsight():
    bench = dying().until(HOUR)
    bench.says(30, "b", health(), late_s=HOUR)
    assert bench.history(PUMP) == ["raised", "returned"]
    bench.says(25, "a", health(), late_s=HOUR)
    assert bench.tag("asset/pump/state").value == 0


def test_a_new_flag_during_the_silence_goes_on_with_the_same_incident():
    bench = dying().until(HOUR).flags((HOUR, "c"))
    assert [number for number, _ in bench.story()] == [1, 1]
    assert bench.open()[0].nodes == ("a", "b", "c")
    assert bench.open()[0].onset_ms == ms(20)


def test_late_flags_that_are_the_last_word_are_not_history():
    bench = Bench.of(plant(), well=False).flags((0, "a"), (1, "b"), late_s=HOUR)
    assert bench.history(PUMP) == ["raised"]
    assert bench.open()[0].onset_ms == ms(0)


def test_one_of_three_that_is_silent_makes_no_incident_but_stays_suspect():
    bench = Bench.of(plant(), well=False).flags((0, "a")).until(HOUR)
    assert bench.incidents() == []
    assert bench.tag("asset/pump/state").value == 1
    bench.says(HOUR, "a", health())
    assert bench.tag("asset/pump/state").value == 0


def test_a_health_above_the_threshold_is_no_all_clear():
    bench = dying().until(HOUR)
    bench.says(HOUR, "a", health(score=144))
    bench.says(HOUR, "b", health(score=144))
    assert bench.history(PUMP) == ["raised"]
    bench.until(HOUR + 600)
    assert bench.history(PUMP) == ["raised"]


def test_the_gateway_was_away_for_a_month():
    bench = dying()
    bench.until(100)
    bench.ticking = False
    bench.restarts(30 * 24 * HOUR)
    bench.ticking = True
    bench.until(30 * 24 * HOUR + 600)
    assert bench.history(PUMP) == ["raised"]
    assert [(i.incident, i.onset_ms) for i in bench.open()] == [(1, ms(20))]
    assert len(bench.engine.assets.evidence["pump"].verdicts) <= assets.MAX_VERDICTS
    now = 30 * 24 * HOUR + 600
    bench.flags((now, "c"))
    assert [(i.incident, i.onset_ms, i.nodes) for i in bench.open()] == [(1, ms(20), ("a", "b", "c"))]
    assert len(bench.engine.assets.evidence["pump"].verdicts) <= assets.MAX_VERDICTS
    for node in "abc":
        bench.says(now + 1, node, health())
    bench.until(now + 121)
    assert bench.history(PUMP) == ["raised", "returned"]


def test_a_removed_node_has_no_last_word():
    bench = Bench.of(plant(nodes={"pump": "abc"}), well=False).flags((0, "a"), (1, "b")).until(HOUR)
    bench.at(HOUR, Configured(plant(nodes={"pump": "bc"}, rule=Rule(2, 60_000, 120_000))))
    bench.until(HOUR + 300)
    assert not bench.open()


def test_a_node_takes_no_last_word_to_another_asset():
    bench = Bench.of(plant(nodes={"pump": "ab", "fan": "de"}), well=False).flags((0, "a"), (1, "b")).until(HOUR)
    bench.at(HOUR, Configured(plant(nodes={"fan": "deab"}, feeds={})))
    assert bench.engine.assets.anomalous_ms == {}
    assert bench.tag("asset/fan/state").value == 0
    assert not bench.open()


def test_a_snapshot_in_the_silence_goes_on_as_if_there_had_been_none():
    bench = dying().until(HOUR)
    other = snapshot.restore(snapshot.take(bench.engine))
    decision = bench.says(HOUR, "a", health())
    assert other.apply(bench.entries[-1]) == decision
    assert snapshot.take(other) == snapshot.take(bench.engine)


def test_history_does_not_clear_an_alarm_that_waits_for_its_delay():
    bench = Bench.of(plant(rule=Rule(1, 1000, 0), on_delay_s=7), born=900, well=False)
    bench.flags((20, "a"))
    bench.flags((6, "a"), late_s=15)  # known to be over, as a has spoken since
    assert bench.story() == [(1, "opened"), (2, "opened"), (2, "closed")]
    assert bench.history(PUMP) == []
    assert bench.until(28).history(PUMP) == ["raised"]


def test_what_is_refuted_leaves_the_alarm_to_what_goes_on():
    bench = Bench.of(plant({"pump": "ab"}, rule=Rule(1, 1, 0)), born=900, well=False)
    bench.flags((0, "a"), (0, "b"))
    bench.at(1, Configured(plant({"pump": "ab"}, rule=Rule(1, 72, 3903))))
    bench.flags((2, "b"))
    bench.at(3, Configured(plant({"pump": "a"}, rule=Rule(1, 1, 1001))))  # b was all of the present
    (incident,) = bench.open()
    assert incident.nodes == ("a",)
    assert bench.history(PUMP)[-1] != "returned"
    assert bench.tag("asset/pump/state").value == 2
