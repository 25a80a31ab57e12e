"""Incidents open, grow, close; late data revises them; the order of arrival does not matter in the end."""

from itertools import permutations

from gateway.core import assets
from gateway.core.plant import Rule
from tests.core.plants import Bench, anomaly, code_of, flag, health, ms, plant, report

PUMP, FAN = anomaly("pump"), anomaly("fan")
LINE = {"mill": "ab", "pump": "cd", "fan": "ef"}
FEEDS = {"mill": ("pump",), "pump": ("fan",)}


def test_an_incident_closes_when_quiet():
    bench = Bench.of(plant()).flags((0, "a"), (10, "b"))
    assert bench.until(129.999).open()
    assert not bench.until(130).open()
    closed = bench.incidents()[-1]
    assert (closed.transition, closed.source_ms, closed.at_ms) == ("closed", ms(130), ms(130))
    assert bench.history(PUMP) == ["raised", "returned"]
    assert bench.tag("gateway/gateway/incidents_open").value == 0


def test_every_further_verdict_keeps_it_open():
    bench = Bench.of(plant()).flags((0, "a"), (10, "b"), (129, "a"))
    assert bench.until(248).open()
    assert not bench.until(249).open()


def test_after_the_quiet_a_new_one_opens():
    bench = Bench.of(plant()).flags((0, "a"), (10, "b"), (130, "a"), (131, "b"))
    assert bench.story() == [(1, "opened"), (1, "closed"), (2, "opened")]
    assert bench.history(PUMP) == ["raised", "returned", "raised"]


def test_neighbours_join_one_incident():
    bench = Bench.of(plant()).flags((0, "a"), (10, "b"), (100, "d"), (110, "e"))
    (incident,) = bench.open()
    assert (incident.assets, incident.origin, incident.nodes) == (("pump", "fan"), "pump", ("a", "b", "d", "e"))
    assert (bench.alarm(PUMP).first_out, bench.alarm(FAN).first_out) == (True, False)
    assert bench.tag("asset/fan/incident").value == 1
    bench.until(131)
    assert bench.history(PUMP) == ["raised", "returned"]
    assert bench.open()[0].assets == ("pump", "fan")
    bench.until(230)
    assert bench.story() == [(1, "opened"), (1, "grown"), (1, "closed")]


def test_who_does_not_feed_the_other_does_not_join():
    bench = Bench.of(plant(feeds={})).flags((0, "a"), (1, "b"), (2, "d"), (3, "e"))
    assert [i.assets for i in bench.open()] == [("pump",), ("fan",)]


def test_too_far_apart_in_time_does_not_join():
    bench = Bench.of(plant(rule=Rule(2, 60_000, 600_000))).flags((0, "a"), (10, "b"), (131, "d"), (132, "e"))
    assert len(bench.open()) == 2
    bench.flags((140, "a"))  # but now the pump is anomalous while the fan is
    assert [i.assets for i in bench.open()] == [("pump", "fan")]
    assert bench.story()[-2:] == [(2, "refuted"), (1, "grown")]
    assert bench.alarm(FAN).transition == "revised"
    assert (bench.alarm(FAN).incident, bench.tag("asset/fan/incident").value) == (1, 1)


def test_the_origin_is_where_it_began_and_upstream_at_a_tie():
    bench = Bench.of(plant()).flags((0, "d"), (0, "a"), (1, "e"), (1, "b"))
    assert bench.open()[0].origin == "pump"
    bench = Bench.of(plant()).flags((0, "d"), (1, "a"), (2, "e"), (3, "b"))
    assert bench.open()[0].origin == "fan"


def test_late_data_moves_the_origin_and_the_first_out_alarm():
    bench = Bench.of(plant()).flags((50, "d"), (51, "e"))
    bench.flags((40, "a"), (41, "b"), late_s=30)
    (incident,) = bench.open()
    assert (incident.origin, incident.onset_ms) == ("pump", ms(40))
    assert (bench.alarm(PUMP).first_out, bench.alarm(FAN).first_out) == (True, False)
    assert bench.history(FAN) == ["raised", "revised"]


def test_late_data_revises_the_onset():
    bench = Bench.of(plant()).flags((50, "a"), (60, "b"))
    bench.flags((45, "c"), late_s=20)
    assert bench.story() == [(1, "opened"), (1, "revised")]
    assert (bench.open()[0].onset_ms, bench.alarm(PUMP).onset_ms) == (ms(45), ms(50))
    assert bench.history(PUMP) == ["raised", "revised"]


def test_late_data_opens_an_incident_wholly_in_the_past():
    bench = Bench.of(plant()).flags((0, "a"))
    bench.says(512, "b", flag(age_code=code_of(480)))  # 32
    assert bench.story() == [(1, "opened"), (1, "closed")]
    raised, returned = bench.alarms(PUMP)
    assert (raised.transition, raised.source_ms, raised.at_ms) == ("raised", ms(32), ms(512))
    assert (returned.transition, returned.source_ms) == ("returned", ms(152))
    assert (returned.active, returned.acknowledged) == (False, False)  # a person still has to see it
    assert bench.tag("asset/pump/state").value == 0
    assert bench.engine.next_wake_ms is None


def test_late_data_on_a_closed_incident_revises_it_and_raises_nothing():
    bench = Bench.of(plant()).flags((0, "a"), (10, "b")).until(200)
    bench.flags((5, "c"), late_s=300)
    assert bench.story() == [(1, "opened"), (1, "closed"), (1, "grown")]
    assert bench.incidents()[-1].nodes == ("a", "b", "c")
    assert not bench.incidents()[-1].open
    assert bench.history(PUMP) == ["raised", "returned"]


def test_late_data_on_the_last_but_one_incident_revises_that_one():
    bench = Bench.of(plant()).flags((0, "a"), (10, "b"), (300, "a"), (310, "b"))
    bench.flags((5, "c"), late_s=306)
    assert bench.story()[-1] == (1, "grown")
    assert [i.incident for i in bench.open()] == [2]
    assert bench.history(PUMP) == ["raised", "returned", "raised"]


def test_late_data_before_an_open_incident_opens_one_in_the_past_and_leaves_the_alarm_alone():
    bench = Bench.of(plant()).flags((1000, "a"), (1001, "b"))
    bench.flags((100, "a"), (101, "b"), late_s=920)
    assert bench.story() == [(1, "opened"), (2, "opened"), (2, "closed")]
    assert [i.incident for i in bench.open()] == [1]
    assert bench.history(PUMP) == ["raised"]


def test_late_data_that_bridges_two_incidents_makes_them_one():
    bench = Bench.of(plant()).flags((0, "a"), (10, "b"), (200, "a"), (210, "b"))
    bench.flags((105, "c"), late_s=106)
    assert bench.story()[-2:] == [(2, "refuted"), (1, "grown")]
    (incident,) = bench.open()
    assert (incident.incident, incident.onset_ms) == (1, ms(0))
    assert (bench.alarm(PUMP).incident, bench.tag("asset/pump/incident").value) == (1, 1)
    assert not bench.until(331).open()


def test_late_data_that_brings_an_asset_back_into_an_open_incident_raises_its_alarm():
    bench = Bench.of(plant(rule=Rule(1, 1, 89_500)))
    for second, node in ((224, "a"), (224, "d"), (313, "d"), (313, "a")):  # a's asset seemed to be over
        bench.at(401, report(node, flag(), ms(second)))
        bench.at(401, report(node, health(), ms(second) + 1))
    (incident,) = bench.open()
    assert incident.assets == ("pump", "fan")
    assert (bench.alarm(PUMP).active, bench.alarm(FAN).active) == (True, True)


def test_late_data_brings_a_closed_incident_back():
    bench = Bench.of(plant()).flags((0, "a"), (10, "b")).until(200)
    bench.flags((100, "a"), late_s=101)
    assert [i.incident for i in bench.open()] == [1]
    assert bench.history(PUMP) == ["raised", "returned", "raised"]
    bench.until(220)
    assert bench.history(PUMP)[-1] == "returned"


def test_the_order_of_arrival_does_not_matter_in_the_end():
    spoken = [(0, "a"), (5, "b"), (20, "c"), (25, "d"), (40, "e"), (45, "f")]
    ends = set()
    for order in permutations(spoken):
        bench = Bench.of(plant(LINE, feeds=FEEDS))
        for index, (second, node) in enumerate(order):
            bench.says(second, node, flag(), late_s=50 + index - second)
        ends.add(tuple((frozenset(i.assets), i.nodes, i.origin, i.onset_ms) for i in bench.open()))
        assert {bench.alarm(anomaly(name)).active for name in LINE} == {True}
    assert ends == {((frozenset(LINE), tuple("abcdef"), "mill", ms(0)),)}


def test_an_asset_that_comes_and_goes_in_a_long_incident():
    bench = Bench.of(plant(correlate_s=100_000))
    for second in range(0, 2000, 50):
        bench.flags((second, "d"), (second + 1, "e"))
        if second % 400 == 0:
            bench.flags((second + 2, "a"), (second + 3, "b"))
    assert {number for number, _ in bench.story()} == {1}
    assert (bench.open()[0].onset_ms, bench.open()[0].assets) == (ms(0), ("fan", "pump"))
    assert bench.history(PUMP).count("raised") == 5
    assert not bench.until(3000).open()


def test_what_cannot_be_reached_any_more_is_let_go(monkeypatch):
    monkeypatch.setattr(assets, "LATE_MS", 1_000_000)
    bench = Bench.of(plant(feeds={}))
    for second in range(0, 10_000, 200):
        bench.flags((second, "a"), (second + 1, "b"))
        assert len(bench.engine.incidents.incidents) <= 7
    assert bench.story()[-1] == (50, "opened")
    bench.flags((5000, "c"), late_s=4900)
    assert bench.engine.ledger.counters["verdict_too_late"] == 1


def test_of_an_asset_that_comes_and_goes_all_day_only_so_many_bouts_can_be_changed(monkeypatch):
    monkeypatch.setattr(assets, "MAX_BOUTS", 5)
    bench = Bench.of(plant(feeds={}))
    for second in range(0, 10_000, 200):
        bench.flags((second, "a"), (second + 1, "b"), (second + 1, "d"), (second + 2, "e"))
    incidents, counters = bench.engine.incidents, bench.engine.ledger.counters
    assert {name: len(bouts) for name, bouts in incidents.bouts.items()} == {"pump": 5, "fan": 5}
    assert len(incidents.incidents) == 10
    assert counters["bout_crowded_out"] == 90
    assert [i.incident for i in bench.open()] == [99, 100]
    bench.flags((9201, "c"), late_s=800)  # of the last five
    assert (bench.incidents()[-1].transition, bench.incidents()[-1].nodes) == ("grown", ("a", "b", "c"))
    assert "verdict_too_late" not in counters
    bench.flags((8801, "c"), late_s=1200)
    assert counters["verdict_too_late"] == 1
    assert bench.until(20_000).open() == []


def test_what_is_crowded_out_was_said_before(monkeypatch):
    monkeypatch.setattr(assets, "MAX_BOUTS", 2)
    bench = Bench.of(plant(feeds={}))
    for second in (0, 1000, 2000):
        bench.flags((second, "a"), (second + 1, "b"))
    for second in (1400, 600):  # history, in between
        bench.flags((second, "a"), (second + 1, "b"), late_s=3000 - second)
    assert [step for step in bench.story() if step[0] == 4] == [(4, "opened"), (4, "closed")]
    assert bench.engine.ledger.counters["verdict_too_late"] == 2  # before what is remembered
    assert bench.until(4000).story().count((3, "closed")) == 1


def test_a_long_incident_does_not_grow_without_end(monkeypatch):
    monkeypatch.setattr(assets, "LATE_MS", 1_000_000)
    bench = Bench.of(plant())
    for second in range(0, 20_000, 50):
        bench.flags((second, "d"), (second + 1, "e"))
        if second % 400 == 0:
            bench.flags((second + 2, "a"), (second + 3, "b"))
    (incident,) = bench.engine.incidents.incidents.values()
    assert len(incident.bouts) <= 6
    assert (incident.assets, bench.open()[0].onset_ms) == (("fan", "pump"), ms(0))
    assert bench.open()[0].nodes == ("a", "b", "d", "e")


def test_derived_source_times_never_go_back():
    bench = Bench.of(plant()).flags((100, "a"))
    bench.flags((90, "b"), late_s=11)
    assert (bench.tag("asset/pump/state").value, bench.tag("asset/pump/state").source_ms) == (2, ms(100))


def test_nothing_happens_in_the_future():
    bench = Bench.of(plant())
    bench.says(100, "a", flag(), late_s=-50)
    assert bench.tag("node/a/score").source_ms == ms(50)
