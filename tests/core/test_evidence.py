"""K of n in a sliding window of event time: what is enough, what is not."""

import pytest

from gateway.core.evidence import Basis, Evidence, Verdict
from gateway.core.plant import AlarmKind, Rule, Scope
from gateway.core.update import Quality, TagChange
from gateway.wire.messages import LearnerState
from tests.core.plants import RULE, AlarmId, Bench, anomaly, birth, code_of, flag, health, ms, plant

PUMP = anomaly("pump")


@pytest.mark.parametrize(
    ("what", "k", "spoken", "opens"),
    [
        ("exactly k", 2, [(0, "a"), (30, "b")], True),
        ("k - 1", 2, [(0, "a")], False),
        ("k of three", 3, [(0, "a"), (10, "b"), (20, "c")], True),
        ("one short of three", 3, [(0, "a"), (10, "b")], False),
        ("the same node twice is one node", 2, [(0, "a"), (10, "a"), (20, "a")], False),
        ("the same node twice and another", 2, [(0, "a"), (10, "a"), (20, "b")], True),
        ("last moment of the window", 2, [(0, "a"), (59.999, "b")], True),
        ("one moment after the window", 2, [(0, "a"), (60, "b")], False),
        ("the window slides", 2, [(0, "a"), (50, "a"), (100, "b")], True),
        ("three in turn, never two within a window", 2, [(0, "a"), (60, "b"), (120, "c")], False),
        ("a node of another asset does not count", 2, [(0, "a"), (1, "d")], False),
        ("k of one", 1, [(0, "a")], True),
    ],
)
def test_k_of_n(what, k, spoken, opens):
    bench = Bench.of(plant(rule=Rule(k, 60_000, 120_000))).flags(*spoken)
    assert bool(bench.open()) is opens, what


@pytest.mark.parametrize("quiet_s", [0, 5, 30])
def test_a_quiet_time_shorter_than_the_window_does_not_cut_the_window(quiet_s):
    bench = Bench.of(plant(rule=Rule(2, 60_000, quiet_s * 1000))).flags((0, "a"), (45, "b"))
    assert [i.onset_ms for i in bench.open()] == [ms(0)]
    assert not bench.until(105).open()
    assert bench.story() == [(1, "opened"), (1, "closed")]


def test_onset_decision_and_nodes():
    bench = Bench.of(plant()).flags((0, "a"), (100, "c"), (130, "a"), (150, "b"))
    (raised,) = bench.alarms(PUMP)
    opened, grown = bench.incidents()
    assert (opened.onset_ms, opened.source_ms, opened.nodes) == (ms(100), ms(130), ("a", "c"))
    assert (grown.transition, grown.nodes, grown.source_ms) == ("grown", ("a", "b", "c"), ms(150))
    assert (raised.onset_ms, raised.incident, raised.first_out) == (ms(130), 1, True)


def test_state_follows_evidence():
    bench = Bench.of(plant(), born=600)
    assert bench.tag("asset/pump/state").value == 0
    bench.says(1, "a", flag(score=160))
    assert (bench.tag("asset/pump/state").value, bench.tag("asset/pump/score").value) == (1, 400)
    assert bench.tag("asset/pump/evidence").value == 1
    bench.says(2, "b", flag(score=144))
    assert (bench.tag("asset/pump/state").value, bench.tag("asset/pump/incident").value) == (2, 1)
    bench.until(70)
    assert (bench.tag("asset/pump/evidence").value, bench.tag("asset/pump/state").value) == (0, 2)
    bench.until(122)
    assert (bench.tag("asset/pump/state").value, bench.tag("asset/pump/incident").value) == (0, 0)


@pytest.mark.parametrize("why", [4, 5, 6, 7, 8])
def test_sensor_faults_are_never_evidence(why):
    bench = Bench.of(plant())
    for second, node in enumerate("abc"):
        bench.says(second, node, flag(why=why))
        bench.says(second, node, health(why=why))
    assert not bench.incidents()
    assert bench.tag("asset/pump/evidence").value == 0
    fault = AlarmId(Scope.NODE, "a", AlarmKind.SENSOR_FAULT)
    assert bench.history(fault) == ["raised"]
    assert bench.tag("node/a/sensor").value == why
    bench.says(10, "a", health(score=90))
    assert bench.history(fault) == ["raised", "returned"]
    assert (bench.tag("node/a/score").quality, bench.tag("node/a/sensor").value) == (Quality.GOOD, 0)


def test_a_reason_for_a_flag_in_a_health_is_no_sensor_fault():
    bench = Bench.of(plant())
    bench.says(0, "a", health(why=70))
    assert bench.tag("node/a/sensor").value == 0
    assert not bench.alarms(AlarmId(Scope.NODE, "a", AlarmKind.SENSOR_FAULT))


@pytest.mark.parametrize(
    ("why", "name"),
    [(9, "notice_moved"), (10, "notice_drifted"), (11, "notice_deferred"), (15, "notice_hindered")],
)
def test_a_notice_is_neither_evidence_nor_a_fault_and_takes_nothing_back(why, name):
    bench = Bench.of(plant(rule=Rule(k=1, window_ms=60_000, quiet_ms=120_000)), well=False)
    bench.says(1, "a", flag())
    bench.says(2, "b", health(why=4))
    for node in "abc":
        bench.says(3, node, flag(why=why))
    bench.says(4, "c", health(why=why, score=90))
    assert bench.engine.ledger.counters[name] == 3
    assert bench.tag("asset/pump/evidence").value == 1
    assert (bench.tag("node/a/sensor").value, bench.tag("node/b/sensor").value) == (0, 4)
    assert bench.tag("node/a/anomalous").value is True
    assert bench.tag("node/c/sensor").value == 0


@pytest.mark.parametrize("why", [12, 13, 14, 16, 63])
def test_other_reasons_are_evidence(why):
    bench = Bench.of(plant())
    for second, node in enumerate("ab"):
        bench.says(second, node, flag(why=why))
    assert len(bench.incidents()) == 1


def test_what_a_node_has_learned_says_nothing_of_its_machine():
    bench = Bench.of(plant(), born=600)
    before = bench.tag("asset/pump/state")
    decision = bench.says(1, "a", LearnerState(9, 0, 0, 1, b"x"))
    assert not [u for u in decision.updates if isinstance(u, TagChange) and u.tag.name in ("score", "anomalous")]
    assert bench.tag("asset/pump/state") == before


def test_older_news_of_the_sensor_changes_nothing():
    bench = Bench.of(plant())
    bench.says(100, "a", health(why=4))
    bench.says(50, "a", health(), late_s=60)
    assert bench.tag("node/a/sensor").value == 4
    assert bench.tag("node/a/score").quality.is_bad
    bench.says(120, "a", health())
    bench.says(110, "a", health(why=5), late_s=20)
    assert bench.tag("node/a/sensor").value == 0
    assert bench.engine.ledger.counters["sensor_fault_superseded"] == 1


def test_the_events_time_is_arrival_minus_age():
    bench = Bench.of(plant(), well=False)
    bench.says(100, "a", flag(age_code=code_of(64)))
    assert bench.tag("node/a/score").source_ms == ms(36)
    bench.says(101, "b", flag())
    assert not bench.open()  # 36 and 101: not within 60 s of each other


def test_what_a_node_cannot_date_is_counted():
    bench = Bench.of(plant())
    bench.says(200_000, "a", flag(age_code=255))
    assert bench.engine.ledger.counters["verdict_too_late"] == 1


def test_a_fault_of_days_keeps_its_beginning():
    bench = Bench.of(plant(nodes={"pump": "ab"}, rule=RULE))
    bench.flags((0, "a"), (1, "b"))
    for second in range(60, 40_000, 60):
        bench.flags((second, "a"))
    (incident,) = bench.open()
    assert (incident.incident, incident.onset_ms) == (1, ms(0))
    assert bench.engine.ledger.counters["verdict_crowded_out"] > 0
    assert bench.until(50_000).story()[-1] == (1, "closed")
    assert bench.incidents()[-1].source_ms == ms(39_960 + 120)


def test_a_claim_that_is_taken_away_goes_with_the_last_words_that_repeat_it():
    claim = Verdict(ms(5), 7, "a", Basis.CLAIM, 200, 1)
    other = claim._replace(entry=8, node="b")
    evidence = Evidence([claim, other])
    assert evidence.take(7, ms(4)) is None
    assert (evidence.take(7, ms(5)), evidence.verdicts) == (claim, [other])
    evidence = Evidence([claim, other])
    for second in (3, 9):
        evidence.add(claim._replace(event_ms=ms(second), basis=Basis.LAST_WORD))
    assert evidence.take(7, ms(5)).event_ms == ms(3)
    assert evidence.verdicts == [other]


def test_nobody_asks_to_be_woken_without_need():
    bench = Bench.of(plant())
    assert bench.engine.next_wake_ms is None
    bench.says(0, "a", birth(60))
    assert bench.engine.next_wake_ms == ms(60)
