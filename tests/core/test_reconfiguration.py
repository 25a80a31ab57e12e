"""Another configuration: what is gone ends and leaves nothing behind, what is new begins, what stays goes on."""

from dataclasses import replace

from gateway.core import snapshot
from gateway.core.command import CommandKind, Outcome
from gateway.core.entry import Configured, decode, encode
from gateway.core.plant import Plant, Rule
from gateway.core.update import AlarmState, Quality
from tests.core.plants import Bench, anomaly, flag, health, ms, plant, report, window

PUMP, FAN = anomaly("pump"), anomaly("fan")


def both() -> Bench:
    """One open incident of pump and fan."""
    return Bench.of(plant(), born=600).flags((0, "a"), (1, "b"), (2, "d"), (3, "e"))


def nothing_dangles(bench: Bench, configured: Plant) -> None:
    engine = bench.engine
    assert set(engine.ledger.tags) == {tag for tag, _ in configured.tags()}
    assert set(engine.alarms.alarms) <= set(configured.alarm_ids())
    assert set(engine.assets.evidence) == set(configured.assets) == set(engine.assets.quality)
    assert set(engine.nodes.nodes) == set(configured.nodes)
    assert {b.asset for i in engine.incidents.incidents.values() for b in i.bouts} <= set(configured.assets)
    assert {p.node for p in engine.waiting.values()} <= set(configured.nodes)
    assert len(engine.present_tags()) == len(list(configured.tags()))
    snapshot.restore(snapshot.take(engine))


def test_the_alarm_of_an_asset_that_is_gone_ends():
    bench = both()
    without = plant({"fan": "de"})
    bench.at(10, Configured(without))
    change = bench.alarm(PUMP)
    assert (change.transition, change.state, change.comment) == (
        "returned", AlarmState.NORMAL, "no longer part of the plant",
    )  # fmt: skip
    (incident,) = bench.open()
    assert (incident.transition, incident.assets, incident.origin) == ("revised", ("fan",), "fan")
    assert (bench.alarm(FAN).transition, bench.alarm(FAN).first_out) == ("revised", True)
    assert bench.tag("gateway/gateway/alarms_active").value == 1
    nothing_dangles(bench, without)
    bench.flags((20, "d"))
    assert bench.until(200).story()[-1] == (1, "closed")
    assert bench.asks(201, CommandKind.ACKNOWLEDGE, str(PUMP)).outcome is Outcome.UNKNOWN_ALARM


def test_the_incident_of_an_only_asset_that_is_gone_closes():
    bench = Bench.of(plant()).flags((0, "a"), (1, "b"))
    without = plant({"fan": "de"})
    bench.at(10, Configured(without))
    assert bench.story() == [(1, "opened"), (1, "closed")]
    assert bench.tag("gateway/gateway/incidents_open").value == 0
    nothing_dangles(bench, without)
    bench.until(1000)


def test_a_shelved_alarm_of_an_asset_that_is_gone_is_no_surprise_later():
    bench = Bench.of(plant())
    bench.asks(1, CommandKind.SHELVE, str(PUMP), comment="noise", until_s=100)
    bench.at(10, Configured(plant({"fan": "de"})))
    assert bench.alarm(PUMP).state is AlarmState.NORMAL
    bench.at(20, Configured(plant()))
    bench.until(200)
    assert bench.history(PUMP) == ["shelved", "returned"]


def test_the_evidence_of_a_node_that_is_gone_does_not_count():
    bench = both()
    without = plant({"pump": "ac", "fan": "de"})
    bench.at(10, Configured(without))
    assert [i.assets for i in bench.open()] == [("fan",)]
    assert bench.history(PUMP) == ["raised", "returned"]
    assert bench.tag("asset/pump/evidence").value == 1
    nothing_dangles(bench, without)
    bench.at(11, report("b", flag(), ms(11)))
    assert bench.engine.ledger.counters["report_of_unknown_node"] == 1


def test_a_node_that_moves_takes_no_evidence_along():
    bench = Bench.of(plant(model="m"))
    bench.says(0, "a", flag(features=True))
    bench.says(1, "b", flag(features=True))
    bench.says(2, "b", window())
    entry = bench.entries[-1].id
    moved = plant({"pump": "ac", "fan": "deb"}, model="m")
    bench.at(3, Configured(moved))
    assert bench.story()[-1] == (1, "refuted")
    assert (bench.tag("asset/pump/evidence").value, bench.tag("asset/fan/evidence").value) == (1, 0)
    bench.scored(4, entry, 500)
    assert bench.engine.ledger.counters["score_not_awaited"] == 1
    assert bench.engine.ledger.counters["window_of_gone_node"] == 2
    nothing_dangles(bench, moved)


def test_a_node_lost_and_removed_is_counted_no_more():
    bench = Bench.of(plant(), born=60).until(1000)
    assert bench.tag("gateway/gateway/nodes_lost").value == 5
    bench.at(1001, Configured(plant({"fan": "de"})))
    assert bench.tag("gateway/gateway/nodes_lost").value == 2


def test_a_new_node_begins_without_data_and_counts():
    bench = Bench.of(plant({"pump": "a"}, rule=Rule(1, 60_000, 120_000)))
    bench.at(10, Configured(plant({"pump": "ab"})))
    assert bench.tag("node/b/battery").quality is Quality.NO_DATA
    bench.says(11, "b", health())
    bench.flags((12, "a"))
    assert not bench.open()
    bench.flags((13, "b"))
    assert len(bench.open()) == 1


def test_a_stricter_rule_judges_what_goes_on():
    bench = Bench.of(plant()).flags((0, "a"), (1, "b"))
    bench.at(10, Configured(plant(rule=Rule(3, 60_000, 120_000))))
    assert bench.story() == [(1, "opened"), (1, "refuted")]
    assert bench.history(PUMP) == ["raised", "returned"]


def test_a_looser_rule_judges_what_goes_on_but_not_what_is_over():
    bench = Bench.of(plant()).flags((0, "a"), (1000, "a"), (1001, "d"))
    bench.at(1010, Configured(plant(rule=Rule(1, 60_000, 120_000))))
    assert [(i.assets, i.onset_ms) for i in bench.open()] == [(("pump", "fan"), ms(1000))]
    assert {number for number, _ in bench.story()} == {1}


def test_a_shorter_quiet_closes_what_is_quiet():
    bench = Bench.of(plant()).flags((0, "a"), (1, "b"))
    bench.at(100, Configured(plant(rule=Rule(2, 60_000, 60_000))))
    assert bench.story() == [(1, "opened"), (1, "closed")]


def test_the_same_configuration_again_says_nothing():
    bench = both()
    before = len(bench.updates)
    bench.at(10, Configured(plant()))
    assert len(bench.updates) == before


def test_what_is_configured_beside_the_plant_decides_nothing():
    bench = Bench.of(plant(model="m"))
    bench.says(1, "a", flag(features=True))
    bench.scored(2, bench.entries[1].id, 0, failure="does not fit")
    before, tag = len(bench.updates), bench.tag("node/a/host_score")
    assert tag.quality is Quality.CONFIGURATION
    bench.at(3, Configured(plant(model="m"), "journal.keep_days = 1.0", ("journal.keep_days: changed",)))
    assert len(bench.updates) == before and bench.tag("node/a/host_score") == tag


def test_a_mended_bundle():
    bench = Bench.of(plant(model="m", models={}))
    assert bench.tag("node/a/host_score").quality is Quality.CONFIGURATION
    bench.at(10, Configured(plant(model="m")))
    assert bench.tag("node/a/host_score").quality is Quality.NO_DATA


def test_the_order_of_a_mapping_decides_nothing():
    names = {"a-long-name": ("n-10", "n-9"), "b": ("n-8", "z"), "aa": ("y",)}
    live, looser = plant(names, feeds={}), plant(names, feeds={}, rule=Rule(1, 60_000, 120_000))
    one, two = Bench.of(live), Bench.of(turned(live))
    assert decode(*encode(Configured(turned(live)))) == Configured(live)
    for bench, configured in ((one, turned(looser)), (two, looser)):
        bench.flags((1, "n-10"), (2, "n-8"), (3, "y"))
        bench.restarts(5)
        bench.at(6, Configured(configured))
    assert [len(i.assets) for i in one.open()] == [1, 1, 1]
    assert one.decisions == two.decisions


def turned(live: Plant) -> Plant:
    return replace(live, nodes=dict(reversed(live.nodes.items())), assets=dict(reversed(live.assets.items())))
