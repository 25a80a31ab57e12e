"""Nodes of an asset that are judged by what the others say, too: in the order in which their windows come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pytest
from structlog.testing import capture_logs

from gateway import config
from gateway.core.entry import NO_OPINION, Body, Learned, Scored
from gateway.core.rescore import Pending
from gateway.detectors.feature_sets import SLOW
from gateway.detectors.fusion import NODES, Fusion
from gateway.detectors.judged import judged, names
from gateway.detectors.place import Settings
from gateway.runtime.inbound import Places
from gateway.runtime.learning import UNIT, Learners
from gateway.runtime.learning_fused import is_fused, loaded
from gateway.runtime.learning_how import How, Lessons
from gateway.runtime.learning_place import WEEK_MS

LEARN, EVERY_MS, TURN_MS = 64, 10_000, 1000
WANTED = 100  # false alarms a week
FELT = {"a": 1.0, "b": 0.8, "c": -0.6}
"""How the first feature of each node goes with the load, in octaves; the second is its own."""
Asset = dict[str, np.ndarray]


def asset(rows: int, nodes: str = "abc", *, seed: int = 1, smooth: float = 0.98, more: float = 0.0) -> Asset:
    """Feature vectors of each node [rows, 3]: a load that all feel, `more` in the last 100, and their own noise."""
    rng = np.random.default_rng(seed)
    load = rng.normal(0, 1, rows)
    for at in range(1, rows):
        load[at] = smooth * load[at - 1] + np.sqrt(1 - smooth**2) * load[at]
    load[-100:] += more
    found = {}
    for node, felt in FELT.items():
        octaves = np.stack([felt * load, 0 * load], axis=1) + rng.normal(0, 0.1, (rows, 2))
        if node in nodes:
            found[node] = np.stack([np.zeros(rows), octaves[:, 0] * 4096, 2 ** (12 + octaves[:, 1])], axis=1).round()
    return found


def windows(of: Asset, begin: int = 0, end: int | None = None, turn_ms: int = TURN_MS) -> Iterator[tuple[int, Pending]]:
    """In turns, so far apart, as entries of the journal; NaN: the node is silent."""
    length = len(next(iter(of.values())))
    for at in range(begin, length if end is None else end):
        for turn, (node, rows) in enumerate(sorted(of.items())):
            if np.isfinite(rows[at]).all():
                event_ms, values = EVERY_MS * at + turn_ms * turn, tuple(int(v) for v in rows[at])
                yield 10 * at + turn + 1, Pending(node, "learner", event_ms, 2**50, SLOW, values, False)


def learners(
    fused: Sequence[str] = "abc", *, states: dict[str, bytes] | None = None, since: dict[str, int] | None = None,
    learn: int = LEARN,
) -> Learners:  # fmt: skip
    known, assets = {} if since is None else since, {"motor": fused} if fused else {}
    return Learners(states or {}, lambda node: known.get(node, 0), Lessons(How(learn, WANTED), fused=assets))


def said(at: Learners, of: Asset, begin: int = 0, end: int | None = None) -> list[Body | Places]:
    return at.score(dict(windows(of, begin, end)))


def scores(said: Sequence[object], node: str = "") -> list[Scored]:
    turn = sorted(FELT).index(node) + 1 if node else 0
    return [item for item in said if isinstance(item, Scored) and turn in (0, item.window % 10)]


def learned(said: Sequence[object], what: str) -> list[Learned]:
    return [item for item in said if isinstance(item, Learned) and item.what == what]


def alarmed(said: Sequence[object]) -> float:
    """The share of windows at which an alarm stands."""
    return float(np.mean([score.value > UNIT for score in scores(said)]))


def silent(of: Asset, node: str, begin: int, end: int | None = None) -> Asset:
    rows = of[node].copy()
    rows[begin:end] = np.nan
    return {**of, node: rows}


@pytest.mark.parametrize(("smooth", "learn", "reach"), [(0.98, 64, 1), (0.0, 160, 4)])
def test_a_node_is_judged_as_evaluation_judges_it(smooth: float, learn: int, reach: int) -> None:
    """b wakes last: of a moment it has heard everyone. With noise that is worth it, rows are averaged. Evaluation has
    the daemon's classes, and its own way of putting nodes beside each other."""
    rows = asset(300, "ab", smooth=smooth)
    rows["b"][200:230, 1] += 6000
    found = scores(learners("ab", learn=learn).score(dict(windows(rows, turn_ms=0))), "b")[learn:]
    terms = {node: judged(SLOW, 1, of_node) for node, of_node in rows.items()}
    fusion = Fusion(dict.fromkeys(rows, names(SLOW, 1)), Settings(learn=learn, events=2 * WANTED * EVERY_MS / WEEK_MS))
    fusion.commission({node: of_node[:learn] for node, of_node in terms.items()})
    assert fusion.places["b"].reach == reach
    expected = []
    for at in range(learn, 300):
        score = fusion.judge({node: of_node[at : at + 1] for node, of_node in terms.items()}).nodes[0, 1]
        value, latched = round(UNIT * score), fusion.besides["b"].alarm.latched
        expected.append(max(value, UNIT + 1) if latched else min(value, UNIT))
    assert [score.value for score in found] == expected
    assert max(expected) > UNIT > min(expected)


def test_each_learns_by_itself_and_beside_the_others_as_soon_as_it_can() -> None:
    found = said(learners(), asset(LEARN + 2))
    assert [item.node for item in learned(found, "commissioned")] == ["a", "b", "c"]
    assert [(item.node, item.told) for item in learned(found, "given")] == [
        ("a", "64 windows beside b; c; b and c"),
        ("b", "64 windows beside a; c; a and c"),
        ("c", "64 windows beside a; b; a and b"),
    ]
    assert {s.threshold for s in scores(found)[: 3 * LEARN]} == {NO_OPINION}
    assert {s.threshold for s in scores(found)[3 * LEARN :]} == {UNIT}


def test_a_fault_that_no_node_can_find_by_itself_is_found() -> None:
    together, alone = [], []
    for seed in range(3):
        rows = asset(250, "ab", seed=seed)
        rows["b"][156:, 1] += 4096 // 2  # as if the load were another for one node, but well within what it has seen
        found = [scores(said(learners(fused, learn=96), rows), "b") for fused in ("ab", "")]
        assert alarmed(found[0][:156]) == 0
        together.append(alarmed(found[0][170:]))
        alone.append(alarmed(found[1]))
    assert min(together) > 0.8 and max(alone) == 0


def test_what_all_feel_counts_less_than_what_one_feels() -> None:
    """The windows of b are the same: if a feels it, too, it is load."""
    for seed in range(3):
        calm, loaded = asset(220, "ab", seed=seed), asset(220, "ab", seed=seed, more=3)
        by_one, by_all = (
            [score.value for score in scores(said(learners("ab"), rows), "b")[-90:]]
            for rows in ({"a": calm["a"], "b": loaded["b"]}, loaded)
        )
        assert np.mean(by_all) < np.mean(by_one) / 2


def test_without_one_the_others_go_on_as_if_it_had_never_been() -> None:
    rows = silent(asset(300), "c", LEARN + 3)
    rows["b"][200:, 1] += 2000
    three, two = said(learners(), rows), said(learners("ab"), {node: rows[node] for node in "ab"})
    for node in "ab":
        values = [[score.value for score in scores(found, node)[LEARN + 6 :]] for found in (three, two)]
        assert np.allclose(*values, atol=25) and max(values[0]) > UNIT


def test_where_nobody_else_is_there_a_node_is_its_place() -> None:
    rows = silent(silent(asset(200), "a", 0), "b", 0)
    rows["c"][150:] += 3000
    assert scores(said(learners(), rows)) == scores(said(learners(""), rows))


def test_it_is_said_once_which_others_count() -> None:
    with capture_logs() as logs:
        said(learners(), silent(silent(asset(200), "b", 100, 150), "c", 120))
    told = [line["what"] for line in logs if line["event"] == "learner" and line["node"] == "a" and "told" not in line]
    assert told == [
        "by itself", "given b",  # c is there, and tells nothing more
        "given c, without b", "by itself, without b, c", "given b, without c",
    ]  # fmt: skip


@pytest.mark.parametrize(("smooth", "learn", "cuts"), [(0.98, 64, (7, 3 * LEARN + 1, 280, 400)), (0.0, 160, (540,))])
def test_cut_anywhere_it_goes_on_as_if_there_had_been_no_restart(
    smooth: float, learn: int, cuts: Sequence[int]
) -> None:
    rows = silent(asset(learn + 90, smooth=smooth), "b", learn + 30, learn + 50)
    rows["a"][learn + 66 :, 1] += 8000
    every = [*windows(rows)]
    whole = [item for item in learners(learn=learn).score(dict(every)) if not isinstance(item, Places)]
    for cut in cuts:
        before = learners(learn=learn)
        first = before.score(dict(every[:cut]))
        after = learners(states=before.states(), learn=learn).score(dict(every[cut:]))
        assert [item for item in [*first, *after] if not isinstance(item, Places)] == whole, cut


def test_what_is_kept_while_it_learns_is_all_of_it() -> None:
    rows = asset(120)
    first = said(learners(), rows, 0, 40)
    (kept,) = [item for item in first if isinstance(item, Places)]
    assert {key for key in kept.states if is_fused(key)} == {"motor:a", "motor:b", "motor:c"}
    after = said(learners(states=dict(kept.states)), rows, 40)
    assert [*scores(first), *scores(after)] == scores(said(learners(), rows))


def test_a_node_that_begins_anew_makes_only_what_needs_it_learn_anew() -> None:
    since: dict[str, int] = {}
    at, rows = learners(since=since), asset(300)
    rows["b"][100:, 1] += 9000
    said(at, rows, 0, 100)
    since["b"] = 10 * 100 + 1  # moved
    with capture_logs() as logs:
        said(at, {node: rows[node] for node in "ac"}, 100, 101)  # before it is heard again
        assert [line["what"] for line in logs] == ["given c, without b", "given a, without b"]
        found = said(at, rows, 101)
    assert [item.node for item in learned(found, "commissioned")] == ["b"]
    assert {item.node: item.told for item in learned(found, "given")} == {
        "a": "64 windows beside b; b and c",
        "b": "64 windows beside a; c; a and c",
        "c": "64 windows beside b; a and b",
    }  # fmt: skip
    told = [line["what"] for line in logs if line["event"] == "learner" and line["node"] == "a" and "told" not in line]
    assert told == ["given c, without b", "given c", "given b"]
    assert all(score.value <= UNIT for node in "ac" for score in scores(found, node)[-100:])


def test_what_others_have_seen_of_a_node_before_it_was_moved_is_not_learned_from() -> None:
    since: dict[str, int] = {}
    at, rows = learners("ab", since=since), asset(3 * LEARN, "ab")
    said(at, rows, 0, LEARN // 2)
    since["b"] = 10 * (LEARN // 2)
    (of_a,) = [item for item in learned(said(at, rows, LEARN // 2), "given") if item.node == "a"]
    assert loaded(of_a.state).beside.count > LEARN // 2 + LEARN


def test_the_same_time_is_what_is_usual_for_the_rarer_of_two() -> None:
    """c wakes at every fifth turn: it counts until it is late by half of that again."""
    rows = asset(600)
    rows["c"][np.arange(600) % 5 != 0] = np.nan
    with capture_logs() as logs:
        said(learners(), silent(rows, "c", 500))
    told = [line["what"] for line in logs if line["event"] == "learner" and line["node"] == "a" and "told" not in line]
    assert told == ["by itself", "given b", "given b, without c"]


def test_a_window_that_was_held_up_counts_for_nobody_else() -> None:
    at, rows = learners("ab"), asset(200, "ab")
    said(at, rows, 0, 150)
    old = {9000: next(pending for entry, pending in windows(rows, 20, 21) if pending.node == "b")}
    with capture_logs() as logs:
        at.score(old)
        said(at, rows, 150)
    told = [(line["node"], line["what"]) for line in logs]
    assert told == [("b", "by itself, without a"), ("a", "by itself, without b"), ("b", "given a"), ("a", "given b")]


def test_nodes_that_are_there_by_turns_are_all_learned_and_what_waits_is_bounded() -> None:
    rows = asset(8 * LEARN)
    turn = (np.arange(8 * LEARN) // 8) % 2 == 0
    rows["b"][turn], rows["c"][~turn] = np.nan, np.nan
    at = learners()
    found = said(at, rows)
    beside = {
        choice for item in learned(found, "given") if item.node == "a" for choice in loaded(item.state).beside.given
    }
    assert {("b",), ("c",)} <= beside
    assert all(len(loaded(s).beside.moments) <= 2 * LEARN for key, s in at.states().items() if is_fused(key))


def test_a_node_that_never_changes_keeps_only_those_beside_it_from_learning() -> None:
    at, rows = learners("ab"), asset(3 * LEARN, "ab")
    rows["b"][:] = 4096
    found = said(at, rows)
    told = [(item.node, item.told) for item in learned(found, "refused")]
    assert told.count(("b", f"never changed while learning: {', '.join(names(SLOW, 1))}")) == 3
    assert told.count(("a", "beside b: never changed while learning: b [0], b [1]")) == 2 and len(told) == 5
    assert {score.threshold for score in scores(found, "a")[LEARN:]} == {UNIT}
    assert all(len(loaded(s).beside.moments) <= 2 * LEARN for key, s in at.states().items() if is_fused(key))


def test_it_can_be_turned_on_and_off_and_each_keeps_what_it_has_learned() -> None:
    at, rows = learners(""), asset(5 * LEARN)
    assert len(learned(said(at, rows, 0, LEARN), "commissioned")) == 3
    at.tune(Lessons(How(LEARN, WANTED), fused={"motor": "ab"}))
    found = said(at, rows, LEARN, 3 * LEARN)
    assert not learned(found, "commissioned") and [item.node for item in learned(found, "given")] == ["b", "a"]
    at.tune(Lessons(How(LEARN, WANTED), fused={"motor": "abc"}))
    found = said(at, rows, 3 * LEARN)
    assert {item.told for item in learned(found, "given")} >= {"64 windows beside c; b and c"}
    at.tune(Lessons(How(LEARN, WANTED)))
    assert len({score.model for score in scores(said(at, rows, 5 * LEARN - 1))}) == 3


def test_what_cannot_be_read_is_learned_anew() -> None:
    at, rows = learners("ab"), asset(200, "ab")
    said(at, rows, 0, LEARN + 1)
    states = {key: b"\xa0" if is_fused(key) else state for key, state in at.states().items()}
    found = said(learners("ab", states=states), rows, LEARN + 1)
    assert not learned(found, "commissioned") and len(learned(found, "given")) == 2


def test_as_many_as_the_configuration_takes_can_be_fused() -> None:
    assert config.MOST_FUSED == NODES


def test_the_model_of_a_score_names_who_counted() -> None:
    found = said(learners("ab"), silent(asset(200, "ab"), "b", 150))
    by_time = [score.model for score in scores(found, "a")[LEARN + 2 :]]
    assert sum(one != other for one, other in pairwise(by_time)) == 1 and len(by_time[0]) == 32
