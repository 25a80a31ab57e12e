"""The gateway's own learner: a place for each node, learned from its first windows, kept, and begun anew."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from gateway.core.entry import NO_OPINION, Learned, Scored
from gateway.core.rescore import Pending
from gateway.detectors.feature_sets import INVARIANT
from gateway.detectors.place.prior import Prior
from gateway.runtime.inbound import Places
from gateway.runtime.learning import UNIT, Learners, loaded

LEARN = 64
FEATURES = 16


def windows(n: int, *, louder: float = 0.0, seed: int = 1) -> list[tuple[int, ...]]:
    """Of feature set 2, three axes: octaves / 4096 around what is usual."""
    usual = np.random.default_rng(9).normal(0, 4096, FEATURES)
    rows = usual + np.random.default_rng(seed).normal(0, 400, (n, FEATURES)) + louder * 4096
    return [tuple(int(v) for v in row) for row in rows]


def pending(rows: list[tuple[int, ...]], node: str = "n1", first: int = 1) -> dict[int, Pending]:
    return {
        first + i: Pending(node, "learner", 10_000 * (first + i), 2**50, INVARIANT, row, False)
        for i, row in enumerate(rows)
    }


def learners(states: dict[str, bytes] | None = None, learn_from: dict[str, int] | None = None) -> Learners:
    since = {} if learn_from is None else learn_from
    return Learners(states or {}, lambda node: since.get(node, 0), windows=LEARN, false_alarms_a_week=1)


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


def test_another_feature_set_is_another_place() -> None:
    at = learners()
    at.score(pending(windows(LEARN)))
    short = {500: Pending("n1", "learner", 1, 2**50, INVARIANT, (1,) * 14, False)}  # of one axis
    assert scores(at.score(short))[0].threshold == NO_OPINION
    (refused,) = scores(at.score({501: Pending("n1", "learner", 1, 2**50, 77, (1, 2), False)}))
    assert refused.failure == "2 features of no set"


def test_a_channel_that_never_changes_is_named_and_not_learned() -> None:
    at = learners()
    rows = [(*row[:3], 7, *row[4:]) for row in windows(LEARN)]
    (refused,) = learned(at.score(pending(rows)))
    assert refused.what == "refused" and "f3" in refused.told
    assert learned(at.score(pending(windows(LEARN), first=200)))[0].what == "commissioned"


def test_what_cannot_be_read_is_learned_anew(capsys: pytest.CaptureFixture[str]) -> None:
    at = learners({"n1": b"\xff", "n2": b"\xa1\x61x\x01"})
    assert not at.states()


def fleet(*places: Learners) -> bytes:
    """What these places have taught, merged as `stethos learner merge` does."""
    lessons = [Prior.load(loaded(state).lesson) for at in places for state in at.states().values()]
    return reduce(Prior.merge, lessons).dump()


def taught(seed: int) -> Learners:
    at = learners()
    apart = np.random.default_rng(seed).normal(0, 200, FEATURES)  # no two places are quite alike
    at.score(pending([tuple(int(v) for v in row + apart) for row in np.array(windows(LEARN, seed=seed))]))
    return at


def test_with_a_fleet_of_like_machines_it_judges_from_the_first_window_on() -> None:
    known = fleet(*map(taught, range(10, 16)))
    at = Learners({}, lambda node: 0, LEARN, 1, known)
    usual = scores(at.score(pending(windows(LEARN - 1, seed=30))))
    assert all(s.threshold == UNIT and s.value <= UNIT for s in usual)
    loud = Learners({}, lambda node: 0, LEARN, 1, known).score(pending(windows(5, louder=3, seed=31)))
    assert [s.value > UNIT for s in scores(loud)][2:] == [True, True, True]
    assert learned(at.score(pending(windows(1, seed=32), first=500)))[0].what == "commissioned"
    assert Prior.load(fleet(at)).means.count == 1


def test_a_fleet_that_cannot_be_read_is_none() -> None:
    at = Learners({}, lambda node: 0, LEARN, 1, b"no fleet")
    assert {s.threshold for s in scores(at.score(pending(windows(3))))} == {NO_OPINION}
