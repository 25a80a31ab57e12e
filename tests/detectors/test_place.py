"""The gateway's learner at a place: what holds of it for any rows, and on recordings."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.detectors.place import NotFinite, Phase, Place, Settings
from gateway.detectors.place import state as place_state
from gateway.detectors.place.average import worthwhile
from gateway.detectors.place.normal import BETWEEN, Stuck, TooFew, cut, fit
from gateway.detectors.place.prior import Prior
from gateway.detectors.place.state import StateRefused

NAMES = ("flow", "pressure", "current", "temperature")
few = settings(max_examples=20, deadline=None)


def process(rows: int, seed: int = 0, features: int = 4) -> np.ndarray:
    """Noise that is mixed, on levels that wander together: [rows, features]."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(rows, features)) @ rng.normal(size=(features, features))
    wander = np.zeros(rows)
    for at in range(1, rows):
        wander[at] = 0.97 * wander[at - 1] + rng.normal(0, 0.1)
    return mixed + wander[:, None] * np.linspace(1, 2, features) + np.array([32, 0.1, 1, 70])[:features]


def learned(rows: np.ndarray, **kinds: object) -> Place:
    place = Place(NAMES[: rows.shape[1]], Settings(**kinds))
    place.commission(rows)
    return place


# --- streaming


@few
@given(seed=st.integers(0, 9), cuts=st.lists(st.integers(0, 500), max_size=4), dumped=st.booleans())
def test_however_rows_are_cut_and_kept_the_verdicts_are_the_same(seed, cuts, dumped):
    """Learning included; and the state that goes on is the state that went, to the byte."""
    rows = process(500, seed)
    rows[300:400, 0] += 20
    whole = Place(NAMES)
    expected = whole.judge(rows, [100, 350])
    place, found = Place(NAMES), []
    ends = sorted({0, *cuts, 500})
    for begin, end in pairwise(ends):
        if dumped:
            place = place_state.load(place_state.dump(place))
        found.append(place.judge(rows[begin:end], [at - begin for at in (100, 350) if begin <= at < end]))
    for name in ("error", "score", "alarmed", "latched", "leading"):
        assert np.array_equal(
            np.concatenate([getattr(part, name) for part in found]),
            getattr(expected, name),
            equal_nan=name in "error score",
        )
    assert place_state.dump(place) == place_state.dump(whole)
    assert np.isnan(expected.score[:240]).all() and expected.latched[310:400].any()


def test_a_row_is_judged_by_those_before_it_alone():
    rows, other = process(600), process(600)
    other[450:] += 50
    first, second = learned(rows[:240]).judge(rows[240:]), learned(other[:240]).judge(other[240:])
    assert np.array_equal(first.score[:210], second.score[:210])


@few
@given(
    shift=st.lists(st.floats(-100, 100), min_size=4, max_size=4),
    gain=st.lists(st.floats(0.01, 100), min_size=4, max_size=4),
)
def test_units_and_the_order_of_features_do_not_matter(shift, gain):
    rows = process(400)
    expected = learned(rows[:240]).judge(rows[240:]).error
    there = (rows * gain + shift)[:, ::-1]
    assert np.allclose(learned(there[:240]).judge(there[240:]).error, expected, rtol=1e-4)


# --- what it finds


def test_it_finds_a_shift_and_says_where():
    rows = process(500)
    rows[400:, 2] += 5 * rows[:240, 2].std()
    place = learned(rows[:240])
    verdicts = place.judge(rows[240:])
    assert not verdicts.latched[:150].any() and verdicts.latched[-80:].all()
    assert np.mean(verdicts.leading[-80:] == 2) > 0.9
    assert verdicts.began.sum() == 1 and verdicts.began[verdicts.latched.argmax()]
    [first, *rest] = place.explain(rows[-1])
    assert first.name == "current" and first.part > 0.5 and abs(first.expected - rows[:240, 2].mean()) < first.value / 2
    assert sum(share.part for share in (first, *rest)) == pytest.approx(1)


def test_what_breaks_a_correlation_is_found_where_each_feature_alone_is_as_ever():
    rng = np.random.default_rng(3)
    one = rng.normal(size=600)
    rows = np.stack([one, one + rng.normal(0, 0.05, 600)], axis=1)
    rows[400:, 1] = rng.normal(size=200)
    verdicts = learned(rows[:240]).judge(rows[240:])
    assert not verdicts.latched[:150].any() and verdicts.latched[170:].mean() > 0.9


@pytest.mark.parametrize("minutes", [2, 20, 60])
@pytest.mark.parametrize("follow", [0.01, 1.0])
def test_a_fault_that_comes_slowly_is_not_swallowed(minutes, follow):
    """Up to two and a half times the distance that is an anomaly, in rows of a second: an alarm comes and stays."""
    rows = process(240 + 60 * minutes + 120, seed=4)
    place = learned(rows[:240], follow=follow)
    direction = np.linalg.inv(place.known.at().whitening)[1]  # one component alone
    far = next(k for k in np.arange(1, 1000) if place.known.at().error(k * direction) > place.threshold)
    ramp = np.minimum(1, np.arange(len(rows) - 240) / (60 * minutes))
    verdicts = place.judge(rows[240:] + 2.5 * far * ramp[:, None] * direction)
    assert verdicts.latched[-100:].all()


def test_it_follows_what_is_slow_and_small():
    """A level that wanders on as it did while it was learned: fewer alarms than where nothing is followed."""
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(6000, 2)) + np.cumsum(rng.normal(0, 0.01, (6000, 2)), axis=0)
    errors = [learned(rows[:480], learn=480, follow=c).judge(rows[480:]).error.mean() for c in (0, 0.01)]
    assert errors[1] < 0.9 * errors[0]


def test_half_a_fault_is_no_return():
    """An alarm stands until the place is as it was, or someone acknowledges: nothing else teaches it a fault."""
    rows = process(1200)
    rows[500:800] += 40 * rows[:240].std(axis=0)
    rows[800:1100] += 10 * rows[:240].std(axis=0)
    verdicts = learned(rows[:240]).judge(rows[240:])
    assert verdicts.latched[265:860].all() and not verdicts.latched[-60:].any() and verdicts.began.sum() == 1


def test_acknowledged_it_learns_what_is_there_now():
    rows = process(1200)
    rows[300:] += 10
    place = learned(rows[:240])
    assert place.judge(rows[240:400]).latched[-1]
    place.acknowledge()
    assert place.phase == Phase.LEARNING and np.isnan(place.drift)
    verdicts = place.judge(rows[400:])
    assert np.isnan(verdicts.score[:239]).all() and verdicts.latched.mean() < 0.05 and place.phase == Phase.WATCHING


def test_more_wanted_events_lower_the_threshold_and_a_threshold_tells_its_events():
    place = learned(process(240))
    thresholds = []
    for events in (1 / 10_000, 1 / 1000, 1 / 100):
        place.sensitivity(events)
        thresholds.append(place.threshold)
        assert place.limit.events(place.threshold) == pytest.approx(events)
    assert thresholds == sorted(thresholds, reverse=True)


def test_alarm_events_are_as_many_as_wanted():
    """Pooled over forty processes at 1 in 500: between a third and three times."""
    events = rows = 0
    for seed in range(40):
        x = process(1240, seed)
        events += int(learned(x[:240], events=1 / 500).judge(x[240:]).began.sum())
        rows += 1000
    assert 1 / 3 < events / (rows / 500) < 3


@pytest.mark.parametrize("features", [1, 4])
def test_independent_values_alarm_no_more_often_than_wanted(features):
    """Twenty places that learned 240 rows of noise: between a half of what is wanted and a quarter more."""
    rng, events = np.random.default_rng(7), 0
    for _ in range(20):
        x = rng.normal(size=(1240, features))
        events += int(learned(x[:240], events=1 / 200, average=1).judge(x[240:]).began.sum())
    assert 1 / 2 < events / 100 < 1.25


# --- averaging


def test_noise_is_averaged_and_what_is_smooth_is_not():
    rng = np.random.default_rng(6)
    noise, smooth = rng.normal(size=(400, 2)), np.cumsum(rng.normal(size=(400, 2)), axis=0)
    none = [False] * 400
    assert worthwhile(list(noise), none, 8) == 10 and worthwhile(list(smooth), none, 8) == 1
    assert worthwhile(list(noise), [True] * 400, 8) == 1, "after a gap there is nothing to average with"
    assert worthwhile(list(noise[:60]), none[:60], 8) == 1


# --- faults by name


def test_faults_have_names():
    rows = process(300)
    place = learned(rows[:240])
    before = place_state.dump(place)
    bad = rows[240:].copy()
    bad[7, 1] = np.nan
    with pytest.raises(NotFinite, match="row 7: pressure") as info:
        place.judge(bad)
    assert (info.value.row, info.value.feature) == (7, 1) and place_state.dump(place) == before
    with pytest.raises(Stuck, match="flow, pressure, current, temperature") as stuck:
        learned(np.tile(rows[0], (240, 1)))
    assert stuck.value.features == (0, 1, 2, 3)
    with pytest.raises(TooFew):
        learned(rows[:15])
    with pytest.raises(ValueError, match="4 features"):
        place.judge(rows[:, :3])
    with pytest.raises(RuntimeError):
        Place(NAMES).explain(rows[0])


def test_a_stuck_channel_after_learning_is_an_anomaly():
    rows = process(600)
    rows[300:, 0] = rows[300, 0] + 3 * rows[:240, 0].std()
    assert learned(rows[:240]).judge(rows[240:]).latched[-200:].mean() > 0.9


@pytest.mark.parametrize("level", [70.0, -1.0, 0.0])
def test_what_was_constant_while_it_learned_and_moves_is_news_and_its_last_digit_is_none(level):
    rows = process(600)
    rows[:, 3] = level
    rows[:, 3] += np.arange(600) % 2 * (np.arange(600) >= 300) * max(0.005 * abs(level), 2e-4)
    place = learned(rows[:240])
    assert place.still == ("temperature",) and not place.judge(rows[240:400]).latched.any()
    rows[500:, 3] += 0.2 * abs(level) + 0.05
    verdicts = place.judge(rows[400:])
    assert not verdicts.latched[:100].any() and verdicts.latched[110:].all() and verdicts.leading[-1] == 3


@few
@given(rows=st.integers(16, 60), features=st.integers(1, 12), steps=st.sampled_from([0.0, 0.5, 2.0]))
def test_few_rows_and_coarse_steps_are_learned(rows, features, steps):
    """More features than rows, and values rounded to half the noise or twice: no error, and no number that is none."""
    rng = np.random.default_rng(rows)
    x = rng.normal(size=(rows + 20, features))
    x = np.round(x / steps) * steps if steps else x
    try:
        place = Place([str(k) for k in range(features)])
        place.commission(x[:rows])
    except Stuck:
        return  # one that never changed, or in one chunk alone
    assert np.isfinite(place.judge(x[rows:]).score).all()


# --- state


@few
@given(st.binary(max_size=60))
def test_other_bytes_are_refused(data):
    with pytest.raises(StateRefused):
        place_state.load(data)


def test_a_state_that_is_cut_or_of_another_version_is_refused():
    state = place_state.dump(learned(process(240)))
    for end in range(0, len(state), 97):
        with pytest.raises(StateRefused):
            place_state.load(state[:end])
    plain = place_state.unpacked(state)
    with pytest.raises(StateRefused, match="version 2"):
        place_state.load(place_state.packed({**plain, "version": 2}))
    with pytest.raises(StateRefused):
        place_state.load(place_state.packed({**plain, "memory": {}, "limit": {"loc": 1}}))


# --- the fleet (more in test_place_prior.py)


@few
@given(st.lists(st.integers(0, 50), min_size=3, max_size=6, unique=True))
def test_a_fleet_expects_no_less_than_its_places_are_wide_on_average(seeds):
    places = [[process(240, seed)[part] for part in cut(240)] for seed in seeds]
    merged = reduce(Prior.merge, [Prior.of(NAMES, chunks) for chunks in places]).expected().at()
    alone = np.mean([np.diag(each.within + BETWEEN * each.between) for each in map(fit, places)], axis=0)
    assert (np.diag(merged.within + BETWEEN * merged.between) >= alone * (1 - 1e-6)).all()
