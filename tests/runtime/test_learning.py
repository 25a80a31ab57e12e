"""The gateway's own learner: a place for each node, learned from its first windows, kept, and begun anew."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from gateway.core.entry import NO_OPINION, Learned, Scored
from gateway.core.rescore import Pending
from gateway.detectors.feature_sets import INVARIANT
from gateway.detectors.judged import names
from gateway.detectors.place.form import Form
from gateway.detectors.place.prior import Prior
from gateway.runtime.inbound import Places
from gateway.runtime.learning import UNIT, Learners
from gateway.runtime.learning_how import How, Lessons
from gateway.runtime.learning_place import AtPlace

LEARN = 64
FEATURES = 16
LESSONS = Lessons(How(LEARN, 1))


def windows(n: int, *, louder: float = 0.0, seed: int = 1) -> list[tuple[int, ...]]:
    """Of feature set 2, three axes: octaves / 4096 around what is usual."""
    usual = np.random.default_rng(9).normal(0, 4096, FEATURES)
    rows = usual + np.random.default_rng(seed).normal(0, 400, (n, FEATURES)) + louder * 4096
    return [tuple(int(v) for v in row) for row in rows]


def pending(
    rows: list[tuple[int, ...]], node: str = "n1", first: int = 1, *, claimed: bool = False
) -> dict[int, Pending]:
    return {
        first + i: Pending(node, "learner", 10_000 * (first + i), 2**50, INVARIANT, row, claimed)
        for i, row in enumerate(rows)
    }


def learners(states: dict[str, bytes] | None = None, learn_from: dict[str, int] | None = None) -> Learners:
    since = {} if learn_from is None else learn_from
    return Learners(states or {}, lambda node: since.get(node, 0), LESSONS)


def scores(said: list[object]) -> list[Scored]:
    return [item for item in said if isinstance(item, Scored)]


def learned(said: list[object]) -> list[Learned]:
    return [item for item in said if isinstance(item, Learned)]


def test_it_has_no_opinion_while_it_learns_and_one_after() -> None:
    at = learners()
    said = at.score(pending(windows(LEARN)))
    assert [s.threshold for s in scores(said)] == [NO_OPINION] * LEARN
    (commissioned,) = learned(said)
    assert (commissioned.node, commissioned.what) == ("n1", "commissioned")
    assert commissioned.told == "64 windows, 10 s apart; wanted: 1 false alarms a week"
    usual = scores(at.score(pending(windows(50, seed=2), first=100)))
    assert all(s.threshold == UNIT and s.value <= UNIT for s in usual)
    loud = scores(at.score(pending(windows(5, louder=2, seed=3), first=200)))
    assert [s.value > UNIT for s in loud] == [False, False, True, True, True], "three of five are an alarm"
    assert {s.model for s in usual} == {s.model for s in loud} and len(loud[0].model) == 32


def test_what_was_learned_goes_on_after_a_restart_as_if_there_had_been_none() -> None:
    for cut in (10, LEARN, LEARN + 30):
        rows = [*windows(LEARN + 60), *windows(8, louder=1, seed=5)]
        whole = scores(learners().score(pending(rows)))
        before = learners()
        first = before.score(pending(rows[:cut]))
        after = learners(before.states()).score(pending(rows[cut:], first=cut + 1))
        assert [*scores(first), *scores(after)] == whole


def test_each_window_is_kept_while_it_learns_and_what_was_followed_now_and_then() -> None:
    at = learners()
    (kept,) = [item for item in at.score(pending(windows(10))) if isinstance(item, Places)]
    assert set(kept.states) == {"n1"}
    again = learners(dict(kept.states))
    assert learned(again.score(pending(windows(LEARN - 10, seed=4), first=11)))


def test_nodes_do_not_learn_from_each_other() -> None:
    at = learners()
    at.score(pending(windows(LEARN)))
    said = at.score(pending(windows(10), node="n2", first=200))
    assert {s.threshold for s in scores(said)} == {NO_OPINION}


def test_a_node_that_was_moved_learns_anew() -> None:
    since: dict[str, int] = {}
    at = learners(learn_from=since)
    at.score(pending(windows(LEARN)))
    since["n1"] = 100
    said = at.score(pending(windows(LEARN, louder=3), first=101))
    assert {s.threshold for s in scores(said)} == {NO_OPINION} and learned(said)
    usual_now = scores(at.score(pending(windows(20, louder=3, seed=2), first=300)))
    assert all(s.value <= UNIT for s in usual_now)


def test_what_the_node_itself_calls_anomalous_is_not_learned_as_normal() -> None:
    at = learners()
    at.score(pending(windows(LEARN // 2)))
    fault = at.score(pending(windows(40, louder=3, seed=3), first=100, claimed=True))
    assert {s.threshold for s in scores(fault)} == {NO_OPINION}, "its claims stand"
    assert at.not_learned == 40
    (waits,) = learned(fault)
    assert (waits.what, waits.told[:36]) == ("waits", "24 windows in a row that the node it")
    again = learners(at.states())
    said = again.score(pending(windows(LEARN // 2, seed=4), first=200))
    assert learned(said)[0].told.startswith("64 windows")
    loud = scores(again.score(pending(windows(5, louder=3, seed=5), first=300, claimed=True)))
    assert [s.value > UNIT for s in loud][2:] == [True] * 3, "the fault is one still"
    assert again.not_learned == 0, "who has learned judges, whoever claims what"


def test_it_is_said_again_when_others_had_come_between() -> None:
    at = learners()
    for first in (100, 200):
        assert not learned(at.score(pending(windows(23), first=first, claimed=True)))
        at.score(pending(windows(1), first=first + 50))
    assert [item.what for item in learned(at.score(pending(windows(60), first=300, claimed=True)))] == ["waits"]


def test_where_somebody_has_said_that_this_is_normal_it_learns_whatever_the_node_says() -> None:
    since: dict[str, int] = {}
    told: set[str] = set()
    at = Learners({}, lambda node: since.get(node, 0), LESSONS, ordered=told.__contains__)
    at.score(pending(windows(LEARN)))
    since["n1"] = 100
    assert not learned(at.score(pending(windows(20, louder=3), first=101, claimed=True))), "moved: nobody has said so"
    since["n1"] = 150
    told.add("n1")
    half = pending(windows(LEARN, louder=3), first=151, claimed=True)
    at.score(dict([*half.items()][:10]))
    again = Learners(at.states(), lambda node: since[node], LESSONS, ordered=told.__contains__)
    assert learned(again.score(dict([*half.items()][10:])))[0].what == "commissioned"
    usual_now = scores(again.score(pending(windows(20, louder=3, seed=2), first=300, claimed=True)))
    assert all(s.value <= UNIT for s in usual_now)


def test_another_feature_set_is_another_place() -> None:
    at = learners()
    at.score(pending(windows(LEARN)))
    short = {500: Pending("n1", "learner", 1, 2**50, INVARIANT, (1,) * 14, False)}  # of one axis
    assert scores(at.score(short))[0].threshold == NO_OPINION
    (refused,) = scores(at.score({501: Pending("n1", "learner", 1, 2**50, 77, (1, 2), False)}))
    assert refused.failure == "2 features of no set"


def test_a_feature_that_never_changes_is_named_and_one_of_all_is_refused() -> None:
    at = learners()
    (refused,) = learned(at.score(pending([windows(1)[0]] * LEARN)))
    assert refused.what == "refused" and names(INVARIANT, 3)[3] in refused.told
    (known,) = learned(at.score(pending([(*row[:3], 7, *row[4:]) for row in windows(LEARN)], first=200)))
    assert known.what == "commissioned" and known.told.endswith(f"; never changed: {names(INVARIANT, 3)[3]}")


def test_what_cannot_be_read_is_learned_anew(capsys: pytest.CaptureFixture[str]) -> None:
    at = learners({"n1": b"\xff", "n2": b"\xa1\x61x\x01"})
    assert not at.states()


def fleet(*places: Learners) -> bytes:
    """What these places have taught, merged as `stethos learner merge` does."""
    lessons = [Prior.load(AtPlace.loaded(state).lesson) for at in places for state in at.states().values()]
    return reduce(Prior.merge, lessons).dump()


def taught(seed: int) -> Learners:
    at = learners()
    apart = np.random.default_rng(seed).normal(0, 200, FEATURES)  # no two places are quite alike
    at.score(pending([tuple(int(v) for v in row + apart) for row in np.array(windows(LEARN, seed=seed))]))
    return at


def test_with_a_fleet_of_like_machines_it_judges_from_the_first_window_on() -> None:
    known = fleet(*map(taught, range(10, 16)))
    at = Learners({}, lambda node: 0, Lessons(How(LEARN, 1, known)))
    usual = scores(at.score(pending(windows(LEARN - 1, seed=30))))
    assert all(s.threshold == UNIT and s.value <= UNIT for s in usual)
    loud = Learners({}, lambda node: 0, Lessons(How(LEARN, 1, known))).score(pending(windows(5, louder=3, seed=31)))
    assert [s.value > UNIT for s in scores(loud)][2:] == [True, True, True]
    assert learned(at.score(pending(windows(1, seed=32), first=500)))[0].what == "commissioned"
    assert Prior.load(fleet(at)).means.count == 1


def test_a_fleet_that_cannot_be_read_is_none() -> None:
    at = Learners({}, lambda node: 0, Lessons(How(LEARN, 1, b"no fleet")))
    assert {s.threshold for s in scores(at.score(pending(windows(3))))} == {NO_OPINION}


def test_each_asset_may_have_its_own_fleet_and_its_own_way() -> None:
    known = fleet(*map(taught, range(10, 16)))
    at = Learners({}, lambda node: 0, Lessons(How(LEARN, 1), {"n1": How(LEARN // 2, 5, known)}))
    assert {s.threshold for s in scores(at.score(pending(windows(3))))} == {UNIT}
    assert {s.threshold for s in scores(at.score(pending(windows(3), node="n2", first=100)))} == {NO_OPINION}
    (commissioned,) = learned(at.score(pending(windows(LEARN // 2 - 3), first=200)))
    assert commissioned.told.startswith("32 windows, 10 s apart; wanted: 5 ")


@pytest.mark.parametrize(
    ("born", "why"),
    [
        (Form(samples=256, rate_millihz=208_000), "windows of 128 samples, not 256"),
        (Form(samples=128, rate_millihz=50_000), "208 samples a second, not 50"),
        (Form(samples=128), ""),
    ],
)
def test_a_fleet_of_other_windows_is_refused_by_name(born: Form, why: str) -> None:
    """Features, channels and names are the same: only the Birth tells."""
    births = {"pump": Form(samples=128, rate_millihz=208_000), "n1": born}
    places = [Learners({}, lambda node: 0, LESSONS, form=births.__getitem__) for _ in range(6)]
    for seed, at in enumerate(places, start=10):
        at.score(pending(windows(LEARN, seed=seed), node="pump"))
    at = Learners({}, lambda node: 0, Lessons(How(LEARN, 1, fleet(*places))), form=births.__getitem__)
    said = at.score(pending(windows(3)))
    assert {s.threshold for s in scores(said)} == {NO_OPINION if why else UNIT}
    assert [item.told for item in learned(said)] == [f"what like machines have taught: a fleet of {why}"] * bool(why)


def test_windows_of_another_length_are_another_place() -> None:
    births = {"n1": Form(samples=128)}
    at = Learners({}, lambda node: 0, LESSONS, form=births.__getitem__)
    at.score(pending(windows(LEARN)))
    births["n1"] = Form(samples=128, rate_millihz=208_000)
    assert scores(at.score(pending(windows(1), first=100)))[0].threshold == UNIT, "it says more, and nothing else"
    again = Learners(at.states(), lambda node: 0, LESSONS, form=births.__getitem__)
    births["n1"] = Form(samples=256, rate_millihz=208_000)
    assert scores(again.score(pending(windows(1), first=200)))[0].threshold == NO_OPINION
