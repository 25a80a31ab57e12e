"""The learner in C is the reference to the bit: vectors, histories of any kind, and what it promises."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.detectors import feature_sets
from gateway.detectors.learner import Learner, LearnerRefused, Reply, State
from tests.nodes import learner_reference as ref
from tests.nodes import learner_vectors
from tests.nodes.learner_arithmetic import quick_log2

pytestmark = pytest.mark.usefixtures("node_build")

VECTORS = json.loads((learner_vectors.FOLDER / "learner.json").read_text())
KINDS = {feature_sets.Kind.LEVEL: ref.LEVEL, feature_sets.Kind.SCALE: ref.SCALE, feature_sets.Kind.LOG: ref.LOG}


class Both:
    """C and the reference side by side; every answer is compared."""

    def __init__(self, feature_set=1, channels=2, **setup):
        self.c = Learner(feature_set, channels, **setup)
        self.kinds = [KINDS[kind] for kind in feature_sets.kinds(feature_set, channels)]
        windows, events, average = (setup.get(name, 0) for name in ("windows", "events_ppb", "average"))
        self.model = ref.Learner(feature_set, channels, self.kinds, windows, events, average)
        assert not self.model.misfit

    def window(self, values):
        """Learn or judge, whichever is due."""
        if self.model.state == ref.LEARNING:
            assert self.c.learn(values) == self.model.learn(values)
        else:
            expected = self.model.detect(values)[1]
            assert list(vars_of(self.c.detect(values))) == list(vars_of(expected))
        self.same()

    def call(self, name, *arguments):
        try:
            getattr(self.c, name)(*arguments)
            reply = Reply.OK
        except LearnerRefused as refused:
            reply = refused.reply
        expected = getattr(self.model, name)(*arguments)
        assert expected is None or reply == expected
        self.same()

    def same(self):
        found, model = self.c.diagnose(), self.model
        learned = len(model.rows) if model.state == ref.LEARNING else model.limit.learned
        assert (found.state, found.learned, found.wanted) == (model.state, learned, model.windows)
        assert (found.refused, found.followed, found.events_ppb) == (model.refused, model.followed, model.events)
        assert found.drift_q8 == model.drift_q8()
        assert self.c.save() == (model.save() or b"")


def vars_of(verdict):
    return (getattr(verdict, name) for name in verdict.__slots__)


def windows(kinds, seed, n, spread=0.1):
    """Windows of a machine that runs steadily, [n][features]."""
    random = np.random.default_rng(seed)
    places = random.choice([3, 200, 5000, 300000], len(kinds))
    factors = np.exp2(random.normal(0, spread, (n, len(kinds))))
    return np.rint(places * factors + random.normal(0, 2, (n, len(kinds)))).astype(int).tolist()


# --- the bits


def test_the_file_is_what_the_reference_writes():
    assert (learner_vectors.FOLDER / "learner.json").read_text() == learner_vectors.text()


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_a_vector_holds(case):
    learner = Learner(case["feature_set"], case["channels"], windows=case["windows"],
                      events_ppb=case["events_ppb"], average=case["average"])  # fmt: skip
    for features, expected in zip(case["learn"], case["replies"], strict=True):
        assert learner.learn(features) == expected
    assert learner.save().hex() == case["image"]
    for features, expected in zip(case["detect"], case["verdicts"], strict=True):
        assert list(vars_of(learner.detect(features))) == expected
    assert learner.save().hex() == case["image_after"]


def test_logarithms_are_near_the_true_ones():
    for x in [1, 2, 3, 5, 17, 1000, 4095, 4096, 4097, 2**31, 2**32 - 1]:
        assert abs(quick_log2(x) / 4096 - np.log2(x)) < 0.01
    found = [quick_log2(x) for x in range(1, 5000)]
    assert found == sorted(found)


@st.composite
def histories(draw):
    feature_set, channels = draw(st.sampled_from([1, 2, 3])), draw(st.integers(1, 9))
    setup = {
        "windows": draw(st.sampled_from([0, 24, 25, 56, 250])),
        "events_ppb": draw(st.sampled_from([0, 1, 200_000, 10**8, 2**32 - 1])),
        "average": draw(st.integers(1, 5)),
    }
    doings = st.sampled_from(["window"] * 8 + ["save", "load", "merge", "rollback", "freeze", "thaw", "acknowledge",
                                               "sensitivity", "relearn", "step", "wild"])  # fmt: skip
    start = draw(st.integers(0, 70)), draw(st.sampled_from([0, 0.001, 0.1, 0.5, 1, 20]))
    return feature_set, channels, setup, start, draw(st.integers(0, 2**32 - 1)), draw(st.lists(doings, max_size=60))


@settings(max_examples=100, deadline=None)
@given(histories())
def test_any_history_is_the_same_in_c_and_in_the_reference(history):
    feature_set, channels, setup, (start, strength), seed, doings = history
    both = Both(feature_set, channels, **setup)
    random = np.random.default_rng(seed)
    steady = iter(windows(both.kinds, seed, 700, random.choice([0, 0.05, 0.5])))
    factor, images = 1.0, []
    for i in range(int(random.choice([5, both.model.windows, both.model.windows + 60]))):
        both.window([int(value * (strength if i < start else 1)) for value in next(steady)])
    for doing in doings:
        if doing in ("window", "step"):
            factor *= float(random.uniform(0.5, 2)) if doing == "step" else 1
            for _ in range(int(random.integers(1, 10))):
                both.window([int(value * factor) for value in next(steady)])
        elif doing == "wild":
            both.window(random.integers(-(2**31), 2**31, len(both.kinds)).tolist())
        elif doing == "save":
            images.extend([both.c.save()] if both.c.save() else [])
        elif doing in ("load", "merge"):
            if images:
                both.call(doing, images[int(random.integers(len(images)))])
        elif doing in ("freeze", "thaw"):
            both.call("freeze", doing == "freeze")
        else:
            both.call(doing, *([int(random.integers(0, 2**31))] if doing == "sensitivity" else []))
    if both.model.state >= ref.WATCHING:
        assert [both.c.rate_ppb(s) for s in range(0, 120, 7)] == [both.model.rate_ppb(s) for s in range(0, 120, 7)]


@pytest.mark.parametrize(("feature_set", "channels"), [(1, 1), (1, 6), (2, 3), (2, 9), (3, 2)])
def test_extremes_overflow_nothing(feature_set, channels):
    both = Both(feature_set, channels, windows=24, average=3)
    low, high = [-(2**31)] * len(both.kinds), [2**31 - 1] * len(both.kinds)
    for i in range(60):
        both.window(high if i % 3 else low)


# --- what it does


def learned(feature_set=1, channels=1, n=120, seed=1, **setup):
    learner = Learner(feature_set, channels, windows=n, **setup)
    kinds = [KINDS[kind] for kind in feature_sets.kinds(feature_set, channels)]
    rows = windows(kinds, seed, 1200)
    replies = [learner.learn(row) for row in rows[:n]]
    assert replies == [Reply.MORE] * (n - 1) + [Reply.DONE]
    return learner, rows[n:]


def test_it_judges_only_what_it_has_learned():
    learner = Learner(1, 1, windows=24)
    with pytest.raises(LearnerRefused, match="not_now"):
        learner.detect([1, 2, 3])
    assert learner.save() == b"" and learner.rate_ppb(50) == 0
    learner, rows = learned()
    assert learner.learn(rows[0]) == Reply.NOT_NOW
    with pytest.raises(ValueError, match="2 features where the feature set has 3"):
        learner.detect(rows[0][:2])


def test_it_refuses_to_learn_what_looks_anomalous():
    learner = Learner(1, 1, windows=56)
    rows = windows([0, 1, 1], 5, 56)
    for i, row in enumerate(rows):
        if i % 4 == 1 and i >= 7:
            assert learner.learn([row[0], row[1] * 16, row[2]]) == Reply.ANOMALOUS
        assert learner.learn(row) == (Reply.DONE if i == 55 else Reply.MORE)
    clean = Learner(1, 1, windows=56)
    for row in rows:
        clean.learn(row)
    assert learner.save() == clean.save() and learner.diagnose().refused == 12


def starting(rows, start, strength=0.1):
    """The same windows, in the first `start` of which the machine runs with that share of its strength."""
    return [[int(v * strength) for v in row] if i < start else row for i, row in enumerate(rows)]


def until_done(learner, rows):
    """What a learner answers, until it has learned."""
    replies = []
    for row in rows:
        replies.append(learner.learn(row))
        if replies[-1] == Reply.DONE:
            return replies
    raise AssertionError(f"not enough windows: {learner.diagnose()}")


@pytest.mark.parametrize("start", [1, 3, 6])
def test_a_start_in_the_first_chunk_is_not_learned(start):
    """Chunks of 7. It takes a chunk longer, and then knows as much as one that began when the machine ran."""
    rows = windows([0, 1, 1], 5, 120)
    learner = Learner(1, 1, windows=56)
    replies = until_done(learner, starting(rows, start))
    assert replies == [Reply.MORE] * 62 + [Reply.DONE]
    later = Learner(1, 1, windows=56)
    assert len(until_done(later, rows[7:])) == 56
    for factor in (1, 1.5, 2, 4):
        row = [rows[0][0], *(round(factor * v) for v in rows[0][1:])]
        found, expected = learner.detect(row), later.detect(row)
        assert found.anomalous == expected.anomalous
        ratio = found.error / found.threshold / (expected.error / expected.threshold)
        assert ratio == pytest.approx(1, abs=0.25)  # its steps are those in which the start had room


@pytest.mark.parametrize("start", [7, 9, 25, 55])
def test_what_has_lasted_less_long_was_not_normal(start):
    """Still for longer than a chunk: what runs is refused for as long as that, and then it begins anew."""
    rows = starting(windows([0, 1, 1], 5, 240), start, 0.001)
    learner = Learner(1, 1, windows=56)
    replies = until_done(learner, rows)
    assert replies == [Reply.MORE] * start + [Reply.ANOMALOUS] * start + [Reply.MORE] * 55 + [Reply.DONE]
    assert not learner.detect(rows[-1]).anomalous and learner.detect(rows[0]).anomalous


def test_it_begins_anew_three_times_at_most():
    """A machine that changes between two conditions for ever is learned at last, as far as one of them goes."""
    rows = windows([0, 1, 1], 5, 600)
    changing = [[int(v * (0.001 if i // 8 % 2 else 1)) for v in row] for i, row in enumerate(rows)]
    replies = until_done(Learner(1, 1, windows=56), changing)
    assert replies.count(Reply.ANOMALOUS) >= 3 * 8 and len(replies) < 200


def test_a_machine_that_runs_as_it_does_seldom_looks_like_one_that_starts():
    """Of 60 learners, whose machine's chunks differ, one in ten at most takes a chunk longer."""
    random, longer = np.random.default_rng(11), 0
    for _ in range(60):
        learner = Learner(1, 3, windows=64)
        place, replies = random.uniform(2000, 20000, 9), []
        while Reply.DONE not in replies:
            if len(replies) % 8 == 0:
                chunk = random.normal(0, 0.05, 9)
            replies.append(
                learner.learn(np.rint(place * np.exp2(chunk + random.normal(0, 0.1, 9))).astype(int).tolist())
            )
        longer += len(replies) > 64
    assert longer <= 6


def test_three_of_five_latch_until_ten_are_quiet():
    learner, rows = learned()
    odd = [rows[0][0], *(value * 8 for value in rows[0][1:])]
    pattern = "nnnnnxnxnnnxxnxnnnnnnnnnnnn"
    verdicts = [learner.detect(odd if p == "x" else row) for p, row in zip(pattern, rows, strict=False)]
    found = "".join("L" if verdict.latched else "." for verdict in verdicts)
    assert found == "." * 14 + "L" * 10 + "..."


def test_a_level_that_jumps_is_no_anomaly_but_a_move_after_which_it_learns_again():
    learner, rows = learned()
    before = learner.save()
    verdicts = [learner.detect([row[0] + 4000, *row[1:]]) for row in rows[:5]]
    assert [v.moved for v in verdicts] == [False, False, True, True, True]
    assert not any(v.anomalous for v in verdicts)
    learner.acknowledge()
    assert learner.diagnose().state == State.LEARNING
    for row in rows[:120]:
        learner.learn([row[0] + 4000, *row[1:]])
    assert not any(learner.detect([row[0] + 4000, *row[1:]]).moved for row in rows[120:160])
    learner.rollback()
    assert learner.save() == before and learner.detect(rows[200]).similarity >= 50
    with pytest.raises(LearnerRefused, match="not_now"):
        learner.rollback()


def test_what_creeps_away_is_drift_or_alarm_and_is_not_forgotten():
    """Slow enough to be followed: it is followed half-way to the threshold, and reported; then alarms come."""
    learner, rows = learned(events_ppb=1000)
    drifted = latched = None
    for i, row in enumerate(rows * 12):
        grown = 2 ** (i / 6000)
        verdict = learner.detect([row[0], *(round(value * grown) for value in row[1:])])
        drifted = i if drifted is None and verdict.drifted else drifted
        latched = i if latched is None and verdict.latched else latched
    assert drifted is not None and latched is not None and 500 < drifted < latched
    assert 181 <= learner.diagnose().drift_q8 < 240


def test_frozen_it_does_not_follow():
    learner, rows = learned()
    learner.freeze(True)
    assert learner.diagnose().state == State.FROZEN
    before = learner.save()
    for row in rows[:200]:
        learner.detect(row)
    assert learner.save() == before
    learner.freeze(False)
    for row in rows[:200]:
        learner.detect(row)
    assert learner.save()[: len(before) // 2] != before[: len(before) // 2] and learner.diagnose().followed > 150


def test_sensitivity_moves_the_threshold_and_nothing_else():
    learner, rows = learned()
    thresholds = []
    for events in (1000, 10**5, 10**7):
        learner.sensitivity(events)
        verdict = learner.detect(rows[0])
        thresholds.append(verdict.threshold)
        assert learner.rate_ppb(50) == pytest.approx(events, rel=0.01)
    assert thresholds == sorted(thresholds, reverse=True) and len(set(thresholds)) == 3
    rates = [learner.rate_ppb(similarity) for similarity in range(101)]
    assert rates == sorted(rates) and rates[0] < rates[100]


def test_similarity_is_50_at_the_threshold():
    learner, rows = learned()
    for factor in np.linspace(1, 4, 60):
        verdict = learner.detect([rows[0][0], *(round(value * factor) for value in rows[0][1:])])
        assert (verdict.similarity < 50) == verdict.anomalous == (verdict.error > verdict.threshold)
        assert (verdict.score > 128) <= verdict.anomalous


def test_false_alarms_come_as_often_as_promised():
    """Chunks that differ, as a machine's hours do: 12 learners, 500 windows each in chunks of 15, one in 100 wanted."""
    random = np.random.default_rng(7)
    events = total = 0
    for _ in range(12):
        learner = Learner(1, 3, windows=120, events_ppb=10_000_000)
        place = random.uniform(2000, 20000, 9)
        latched = False
        for i in range(1020):
            if i % 15 == 0:
                chunk = random.normal(0, 0.05, 9)
            row = np.rint(place * np.exp2(chunk + random.normal(0, 0.1, 9))).astype(int).tolist()
            if learner.diagnose().state == State.LEARNING:
                learner.learn(row)
                continue
            found = learner.detect(row).latched
            events += found and not latched
            latched = found
            total += 1
    assert total >= 12 * 900 - 100
    assert 0.25 <= events / (total / 100) <= 2


@pytest.mark.parametrize("setup", [{"windows": 16}, {"average": 6}, {"windows": 23}])
def test_what_does_not_fit_is_refused(setup):
    with pytest.raises(LearnerRefused, match="misfit"):
        Learner(1, 1, **setup)
    with pytest.raises(KeyError):
        Learner(9, 1)


@pytest.mark.parametrize(("feature_set", "channels", "least"), [(1, 6, 160), (2, 3, 200), (2, 6, 64), (2, 9, 32)])
def test_so_many_windows_fit(feature_set, channels, least):
    assert Learner(feature_set, channels).diagnose().wanted >= least
