"""The nodes of an asset together: what is guaranteed, what a missing node changes, and that it is worth it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.detectors.fusion import NODES, Fusion, beside
from gateway.detectors.fusion.evidence import ALONE
from gateway.detectors.place import Place, Settings
from gateway.detectors.place import given as place_given
from gateway.detectors.place import state as place_state
from gateway.detectors.place.normal import Stuck
from gateway.detectors.place.state import StateRefused
from gateway.training import metrics

NODE = {"current": ["mean", "ripple"], "sound": ["loud"], "vibration": ["x", "y", "z"]}
LEARN = 240
few = settings(max_examples=3, deadline=None)


def asset(rows: int, seed: int = 0, more: np.ndarray | float = 0.0) -> dict[str, np.ndarray]:
    """A load that all nodes feel, each in its own way, `more` of it, and their own noise."""
    rng = np.random.default_rng(seed)
    felt = np.zeros(rows)
    for at in range(1, rows):
        felt[at] = 0.98 * felt[at - 1] + rng.normal(0, 0.2)
    felt += more
    return {
        node: felt[:, None] * rng.uniform(0.5, 1.5, len(names)) + rng.normal(0, 0.1, (rows, len(names)))
        for node, names in NODE.items()
    }


def part(rows: dict[str, np.ndarray], begin: int, end: int | None = None) -> dict[str, np.ndarray]:
    return {node: of_node[begin:end] for node, of_node in rows.items()}


def learned(rows: dict[str, np.ndarray], **kinds: object) -> Fusion:
    fusion = Fusion({node: NODE[node] for node in rows}, Settings(learn=LEARN, **kinds))
    fusion.commission(part(rows, 0, LEARN))
    return fusion


def test_what_all_nodes_feel_surprises_less_and_what_one_feels_is_found():
    """Five assets under more load than was ever seen, and then a small fault of one node that it cannot find itself."""
    alone, early, late = [], [], []
    for seed in range(5):
        rows = asset(800, seed, more=np.clip(np.arange(800) - LEARN, 0, 100) * 0.03)
        rows["sound"][600:] += 1.5
        places = {node: Place(NODE[node], Settings(learn=LEARN)) for node in rows}
        for node, place in places.items():
            place.commission(rows[node][:LEARN])
        latched = {node: place.judge(rows[node][LEARN:]).latched for node, place in places.items()}
        fused = learned(rows).judge(part(rows, LEARN))
        alone.append((max(each[100:360].mean() for each in latched.values()), latched["sound"][370:].mean()))
        early.append(fused.latched[100:360].mean())
        late.append((fused.latched[370:].mean(), np.mean(fused.leading[370:] == sorted(NODE).index("sound"))))
    common, fault = np.mean(alone, axis=0)
    assert np.mean(early) < common / 3 and fault < 0.5 and (np.mean(late, axis=0) > 0.9).all()


@few
@given(st.integers(0, 20))
def test_where_a_node_is_missing_it_is_as_if_it_had_never_been(seed):
    """The joint Gaussian without its rows and columns: scores are those of the fusion of the others."""
    rows = asset(400, seed)
    rows["vibration"][300:] += 3
    both = {node: rows[node] for node in ("current", "vibration")}
    three, two = learned(rows, events=3e-3, average=4), learned(both, events=2e-3, average=4)
    found, expected = three.judge(part(both, LEARN)), two.judge(part(both, LEARN))
    assert np.isnan(found.nodes[:, 1]).all()
    assert np.allclose(found.nodes[:, [0, 2]], expected.nodes, rtol=1e-9) and np.allclose(found.score, expected.score)
    assert np.array_equal(found.latched, expected.latched) and found.latched[-50:].any()


def test_a_node_alone_is_its_place():
    rows = asset(600)
    of_node = rows["vibration"]
    of_node[400:] += 5
    place = Place(NODE["vibration"], Settings(learn=LEARN, events=1e-3, average=3))
    place.commission(of_node[:LEARN])
    fusion = learned({"vibration": of_node}, events=1e-3, average=3)
    fused, verdicts = fusion.judge({"vibration": of_node[LEARN:]}), place.judge(of_node[LEARN:])
    strange = verdicts.error > 1
    assert np.allclose(fused.score[strange], verdicts.score[strange]) and np.array_equal(
        fused.latched, verdicts.latched
    )


def test_nodes_come_and_go():
    rows = asset(600)
    fusion = learned(rows)
    now = part(rows, LEARN)
    now["sound"] = np.full((360, 1), np.nan)
    now["sound"][100:200] = rows["sound"][LEARN + 100 : LEARN + 200]
    now["current"][50:60] = np.nan
    now["vibration"][55:58] = np.nan
    found = fusion.judge(now)
    assert np.array_equal(np.isnan(found.score), [55 <= at < 58 for at in range(360)])
    assert np.array_equal(found.leading == -1, np.isnan(found.score)) and not found.latched.any()
    assert not len(fusion.judge({}).score)


def test_the_mean_of_a_node_that_was_missing_begins_anew():
    rows = asset(600)
    fusion = learned(rows, average=9)
    seen = fusion.besides["vibration"]
    fusion.judge({node: of_node[LEARN:300] for node, of_node in rows.items() if node != "sound"})
    back = part(rows, 300, 302)
    fusion.judge(part(back, 0, 1))
    assert np.array_equal(seen.means["sound"], back["sound"][0])
    fusion.judge(part(back, 1, 2), [0])
    assert all(np.array_equal(of_node, back[node][1]) for node, of_node in seen.means.items())
    assert np.array_equal(fusion.places["vibration"].mean, back["vibration"][1])
    fusion.judge(part(rows, 302, 303))
    assert np.allclose(seen.means["sound"], 0.8 * back["sound"][1] + 0.2 * rows["sound"][302])


@few
@given(st.integers(0, 9), st.sampled_from(sorted(NODE)), st.floats(1, 1e6))
def test_a_node_that_is_far_off_alarms_whatever_the_others_say(seed, node, far):
    """By construction: what it would alarm at by itself, were a tenth of the events wanted."""
    rows = asset(LEARN + 20, seed)
    fusion = learned(rows, average=1)
    now = part(rows, LEARN)
    for name in now:
        now[name] = now[name] + (far if name == node else far / 2)
    place = fusion.places[node]
    own = place.known.at().errors(now[node]) / place.limit.threshold(ALONE * place.settings.events)
    scores = fusion.judge(now).nodes[:, sorted(NODE).index(node)]
    assert (scores[:1] >= own[:1] * 0.9999).all()


def test_far_off_is_reached():
    """So that the test above judges something."""
    rows = asset(LEARN + 20)
    place = learned(rows, average=1).places["sound"]
    assert place.known.at().errors(rows["sound"][LEARN:] + 1000).min() > place.limit.threshold(ALONE / 3 / 2000)


def test_alarm_events_are_at_most_three_times_those_wanted():
    """Pooled over five assets at 1 in 100, all nodes together."""
    events = 0
    for seed in range(5):
        latched = learned(asset(LEARN + 300, seed), events=1 / 100).judge(part(asset(LEARN + 300, seed), LEARN)).latched
        events += int(np.sum(latched[1:] & ~latched[:-1]) + latched[0])
    assert 0 < events <= 3 * 5 * 300 / 100


@few
@given(st.permutations(sorted(NODE)), st.integers(0, 5))
def test_the_order_of_nodes_does_not_matter(order, seed):
    rows = asset(300, seed)
    first = learned(rows).judge(part(rows, LEARN))
    other = learned({node: rows[node] for node in order}).judge(part(rows, LEARN))
    assert np.array_equal(first.nodes, other.nodes) and np.array_equal(first.latched, other.latched)


@few
@given(st.lists(st.integers(0, 160), max_size=3), st.integers(0, 3))
def test_kept_and_cut_it_goes_on_as_it_was(cuts, seed):
    rows = asset(400, seed)
    rows["sound"][300:340] += 3
    rows["current"][330:350] = np.nan
    expected = learned(rows).judge(part(rows, LEARN), [20])
    fusion, found = learned(rows), []
    for begin, end in pairwise(sorted({0, *cuts, 160})):
        for node in fusion.nodes:
            fusion.places[node] = place_state.load(place_state.dump(fusion.places[node]))
            fusion.besides[node] = beside.load(beside.dump(fusion.besides[node]))
        found.append(fusion.judge(part(rows, LEARN + begin, LEARN + end), [20 - begin] if begin <= 20 < end else []))
    assert np.array_equal(np.concatenate([each.nodes for each in found]), expected.nodes, equal_nan=True)
    assert np.array_equal(np.concatenate([each.latched for each in found]), expected.latched)


def test_a_node_whose_every_feature_is_constant_is_missing_and_the_others_go_on():
    rows = asset(600)
    rows["sound"][:] = 7
    fusion = learned(rows)
    assert fusion.refused == {"sound": "never changed while learning: loud"}
    others = {node: rows[node] for node in ("current", "vibration")}
    found, expected = fusion.judge(part(rows, LEARN)), learned(others).judge(part(others, LEARN))
    assert np.isnan(found.nodes[:, 1]).all() and np.isfinite(found.score).all()
    assert np.array_equal(found.latched, expected.latched)
    with pytest.raises(Stuck):
        learned({node: np.ones_like(of_node) for node, of_node in rows.items()})


def test_a_feature_of_another_node_that_never_changed_does_not_keep_this_one_from_learning():
    rows = asset(600)
    rows["vibration"][:, 1] = 7
    fusion = learned(rows)
    assert not fusion.refused and ("current", "vibration") in fusion.besides["sound"].given
    assert not fusion.judge(part(rows, LEARN)).latched.any()
    with pytest.raises(Stuck, match="loud") as stuck:
        still, beside_it = np.ones((LEARN, 1)), rows["vibration"][:LEARN]
        Place(["loud"], Settings(learn=LEARN), place_given.given).commission(still, contexts=beside_it)
    assert stuck.value.features == (0,)


def test_faults_have_names():
    with pytest.raises(ValueError, match=f"1 to {NODES}"):
        Fusion({str(number): ["x"] for number in range(NODES + 1)})
    with pytest.raises(ValueError, match="0 nodes"):
        Fusion({})
    plain = beside.unpacked(beside.dump(learned(asset(LEARN)).besides["sound"]))
    for state in (
        b"",
        b"\xa0",
        beside.packed({**plain, "beside": 1}),
        beside.packed({**plain, "given": [[["x"], {}]]}),
    ):
        with pytest.raises(StateRefused):
            beside.load(state)


# --- never worse, as measured: against the same nodes each by itself, which share the wanted alarms in the same way

ROWS, BEGIN = 640, 480
TOLERANCE = 0.02
"""Of AUROC."""


def simulated(kind: str, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Three nodes whose levels wander, and a load unless they are independent; from BEGIN on "sound" has a fault."""
    rng = np.random.default_rng(seed)
    load, *own = (smooth(rng, ROWS, 0.98, 0.2), *(smooth(rng, ROWS, 0.97, 0.1) for _ in NODE))
    load *= kind != "independent"
    load += 2.5 * np.clip((np.arange(ROWS) - LEARN) / 60, 0, 1) * (kind == "more load")
    rows = {
        node: np.outer(load, rng.uniform(0.5, 1.5, len(names))) + np.outer(level, rng.uniform(0.2, 0.4, len(names)))
        + rng.normal(0, 0.15, (ROWS, len(names)))
        for level, (node, names) in zip(own, NODE.items(), strict=True)
    }  # fmt: skip
    rows["sound"][BEGIN:] += 1.2
    if kind == "noise":
        rows["current"] = rng.standard_t(2, (ROWS, 2)) * 3
    elif kind == "broken":
        rows["current"] = rng.uniform(-32768, 32767, (ROWS, 2))
    elif kind == "constant":
        rows["current"][:] = 7
    elif kind == "missing":
        rows["current"][LEARN + 100 :] = np.nan
    return rows, (np.arange(ROWS) >= BEGIN)[LEARN:].astype(np.int8)


def smooth(rng: np.random.Generator, rows: int, keep: float, step: float) -> np.ndarray:
    found = rng.normal(0, step, rows)
    for at in range(1, rows):
        found[at] += keep * found[at - 1]
    return found


def apart(rows: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Each node that can learn by itself: the largest score, and whether an alarm of any stands."""
    scores, latched = [], np.zeros(ROWS - LEARN, bool)
    for node, of_node in rows.items():
        fusion = Fusion({node: NODE[node]}, Settings(learn=LEARN, events=Settings().events / len(NODE)))
        try:
            fusion.commission({node: of_node[:LEARN]})
        except Stuck:
            continue
        found = fusion.judge({node: of_node[LEARN:]})
        scores.append(found.score)
        latched |= found.latched
    return np.fmax.reduce(scores), latched


@pytest.mark.parametrize(
    ("kind", "assets"),
    [("independent", 3), ("load", 3), ("more load", 8), ("noise", 3), ("missing", 3), ("broken", 3), ("constant", 3)],
)
def test_fused_nodes_are_not_worse_than_each_by_itself(kind, assets):
    auroc, events, standing = np.zeros(2), np.zeros(2, int), np.zeros(2)
    for seed in range(assets):
        rows, fault = simulated(kind, seed)
        fused = learned(rows).judge(part(rows, LEARN))
        for which, (score, latched) in enumerate([apart(rows), (fused.score, fused.latched)]):
            auroc[which] += metrics.auroc(fault, score) / assets
            events[which] += np.sum(np.diff(latched[fault == 0].astype(int), prepend=0) == 1)
            standing[which] += latched[fault == 0].mean() / assets
    assert auroc[1] >= auroc[0] - TOLERANCE and standing[1] <= standing[0]
    if kind == "more load":  # where alarms stand all the time, few begin
        assert standing[1] < 2 / 3 * standing[0]
    else:
        assert events[1] <= events[0] + 1
    if kind != "independent":
        assert auroc[1] > auroc[0] + 0.2


def test_nodes_that_have_nothing_in_common_are_judged_as_if_they_were_alone():
    rows, _ = simulated("independent", 1)
    fused = learned(rows).judge(part(rows, LEARN))
    score, latched = apart(rows)
    assert np.array_equal(fused.score, score) and np.array_equal(fused.latched, latched)
