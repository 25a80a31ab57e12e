"""The node's claim counts at once, the Score revises it; a deadline ends the waiting."""

import pytest

from gateway.config import CONTEXT
from gateway.core import assets, rescore
from gateway.core.entry import NO_OPINION
from gateway.core.evidence import Basis
from gateway.core.plant import Rule
from gateway.core.update import Quality
from tests.core.plants import Bench, anomaly, flag, ms, plant, window

PUMP = anomaly("pump")


def claimed() -> tuple[Bench, int, int]:
    """An incident on two claims that wait for their Scores, and the entries that brought them."""
    bench = Bench.of(plant(model="m"), well=False)
    bench.says(0, "a", flag(features=True))
    bench.says(1, "b", flag(features=True))
    return bench, bench.entries[-2].id, bench.entries[-1].id


def basis(bench: Bench) -> list[Basis]:
    return [verdict.basis for verdict in bench.engine.assets.evidence["pump"].verdicts]


def test_a_claim_counts_at_once_and_waits_with_a_deadline():
    bench, first, second = claimed()
    assert bench.history(PUMP) == ["raised"]
    assert bench.tag("node/a/anomalous").quality is Quality.UNSCORED
    assert {e: p.deadline_ms for e, p in bench.engine.waiting.items()} == {first: ms(5), second: ms(6)}
    assert bench.engine.next_wake_ms == ms(5)


def test_a_confirming_score():
    bench, first, _ = claimed()
    bench.scored(2, first, 250)
    assert basis(bench) == [Basis.SCORE, Basis.CLAIM]
    assert (bench.tag("node/a/host_score").value, bench.tag("node/a/anomalous").quality) == (250, Quality.GOOD)
    assert bench.tag("asset/pump/score").value == 250
    assert len(bench.open()) == 1


def test_a_refuting_score_takes_the_ground_away():
    bench, first, _ = claimed()
    bench.scored(2, first, 100)  # at the threshold is not above it
    assert bench.story() == [(1, "opened"), (1, "refuted")]
    assert bench.history(PUMP) == ["raised", "returned"]
    assert (bench.tag("node/a/anomalous").value, bench.tag("asset/pump/state").value) == (False, 1)
    assert not bench.open()


def test_a_refuted_neighbour_leaves_the_incident_to_the_others():
    bench = Bench.of(plant(model="m"), well=False)
    bench.says(0, "a", flag(features=True))
    bench.says(0, "b", flag(features=True))
    entry = bench.entries[-1].id
    bench.says(1, "d", flag(features=True))
    bench.says(1, "e", flag(features=True))
    assert bench.alarm(PUMP).first_out
    bench.scored(2, entry, 0)
    (incident,) = bench.open()
    assert (incident.transition, incident.assets, incident.origin) == ("revised", ("fan",), "fan")
    assert (bench.alarm(anomaly("fan")).transition, bench.alarm(anomaly("fan")).first_out) == ("revised", True)


def test_a_refuting_score_after_the_end_refutes_what_is_over():
    bench = Bench.of(plant(model="m"))
    bench.says(0, "a", flag(features=True), late_s=900)
    bench.says(1, "b", flag(features=True), late_s=900)
    assert bench.story() == [(1, "opened"), (1, "closed")]
    bench.scored(902, bench.entries[-2].id, 50)  # of the Flag before the last all-clear
    assert bench.story()[-1] == (1, "refuted")
    assert bench.history(PUMP) == ["raised", "returned"]


@pytest.mark.parametrize(("middle", "last", "onset"), [(100, 200, 200), (60, 120, 120), (60, 119.999, 0)])
def test_a_refuted_verdict_in_the_middle_makes_two_of_one(middle, last, onset):
    bench = Bench.of(plant(model="m", rule=Rule(1, 60_000, 120_000)))
    for second, node in ((0, "a"), (last, "b"), (middle, "c")):
        bench.says(second, node, flag(features=True), late_s=last - second)
    entry = bench.entries[-2].id
    assert [i.onset_ms for i in bench.open()] == [ms(0)]
    bench.scored(last + 1, entry, 0)
    assert [i.onset_ms for i in bench.open()] == [ms(onset)]
    assert bench.tag("asset/pump/state").value == 2


def test_a_beginning_that_only_the_incident_remembers_is_not_refuted(monkeypatch):
    monkeypatch.setattr(assets, "MAX_VERDICTS", 2)
    bench = Bench.of(plant(model="m"), well=False)
    for second, node in enumerate("abc"):
        bench.says(second, node, flag(features=True))
    for entry in list(bench.engine.waiting)[1:]:
        bench.scored(3, entry, 0)
    assert not basis(bench)
    assert [i.onset_ms for i in bench.open()] == [ms(0)]
    assert bench.until(200).story() == [(1, "opened"), (1, "grown"), (1, "closed")]


def test_the_deadline_passes_without_a_score():
    bench, first, _ = claimed()
    bench.until(10)
    assert basis(bench) == [Basis.UNSCORED, Basis.UNSCORED]
    assert not bench.engine.waiting
    assert bench.engine.ledger.counters["window_unscored"] == 2
    assert len(bench.open()) == 1
    bench.scored(11, first, 0)  # too late: the decision has been taken
    assert len(bench.open()) == 1
    assert bench.engine.ledger.counters["score_not_awaited"] == 1


def test_a_failed_score_leaves_the_claim_and_says_why():
    bench, first, _ = claimed()
    bench.scored(2, first, 0, failure="does not fit")
    assert basis(bench)[0] is Basis.UNSCORED
    assert bench.tag("node/a/host_score").quality is Quality.CONFIGURATION
    assert len(bench.open()) == 1


def test_the_score_finds_what_the_node_has_not():
    bench = Bench.of(plant(model="m"), well=False)
    bench.says(0, "a", window())
    entry = bench.entries[-1].id
    assert not basis(bench)
    bench.scored(1, entry, 101)
    assert basis(bench) == [Basis.SCORE]
    assert bench.tag("node/a/anomalous").value is True


def test_a_missing_model_leaves_the_claim_and_says_so():
    bench = Bench.of(plant(model="m", models={}), well=False)
    assert bench.tag("node/a/host_score").quality is Quality.CONFIGURATION
    bench.says(0, "a", flag(features=True))
    assert not bench.engine.waiting
    assert basis(bench) == [Basis.UNSCORED]
    assert bench.tag("node/a/anomalous").quality is Quality.UNSCORED
    assert bench.engine.ledger.counters["model_missing"] == 1


def test_without_features_there_is_nothing_to_score():
    bench = Bench.of(plant(model="m"), well=False)
    bench.says(0, "a", flag())
    assert not bench.engine.waiting
    assert basis(bench) == [Basis.UNSCORED]


def test_more_windows_than_may_wait_do_not_wait(monkeypatch):
    monkeypatch.setattr(rescore, "MAX_PENDING", 2)
    bench = Bench.of(plant(model="m"), well=False)
    for second, node in enumerate("abc"):
        bench.says(second, node, flag(features=True))
    assert len(bench.engine.waiting) == 2
    assert basis(bench) == [Basis.CLAIM, Basis.CLAIM, Basis.UNSCORED]
    assert bench.engine.ledger.counters["rescore_overflow"] == 1


def test_each_window_is_said_to_wait_once():
    bench = Bench.of(plant(model="m"), well=False)
    assert bench.says(0, "a", flag(features=True)).waiting == [(2, ms(5))]
    assert bench.says(1, "b", flag()).waiting == []


def test_who_is_only_context_waits_and_its_own_claim_counts_as_it_is():
    bench = Bench.of(plant(model=CONTEXT, models={CONTEXT: bytes(32)}), well=False)
    bench.says(0, "a", flag(features=True))
    bench.says(1, "b", flag(features=True))
    assert bench.history(PUMP) == ["raised"]
    assert bench.tag("node/a/anomalous").quality is Quality.GOOD, "no second opinion is wanted"
    for entry in [*bench.engine.waiting]:
        bench.scored(2, entry, 0, NO_OPINION)
    assert not bench.engine.waiting and basis(bench) == [Basis.UNSCORED] * 2
    assert "window_unscored" not in bench.engine.ledger.counters
