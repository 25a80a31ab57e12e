"""A fleet's knowledge, and how it gives way to a place's own."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.detectors.place import Phase, Place, Settings
from gateway.detectors.place.form import Form
from gateway.detectors.place.line import Lined, restored
from gateway.detectors.place.normal import TooFew, cut, fit
from gateway.detectors.place.prior import Prior, unlikely, watch
from gateway.detectors.place.state import StateRefused
from gateway.detectors.place.threshold import limit

P = 4
NAMES = tuple("abcd")


def place_rows(rng, rows=240, far=2.0, inside=0.5):
    """Rows of a place whose mean lies somewhere, with a wander from chunk to chunk."""
    wander = np.repeat(rng.normal(0, 0.2, (8, P)), rows // 8, axis=0)
    return rng.normal(0, far, P) + wander + rng.normal(0, inside, (rows // 8 * 8, P))


def chunks_of(rows):
    return [rows[part] for part in cut(len(rows))]


def one(rows, **more):
    return Prior.of(NAMES, chunks_of(rows), limit=limit(fit, chunks_of(rows)), **more)


@pytest.fixture(scope="module")
def fleet():
    rng = np.random.default_rng(5)
    return reduce(Prior.merge, (one(place_rows(rng)) for _ in range(40)))


def test_without_own_rows_it_is_the_fleet(fleet):
    normal = fleet.expected().at()
    spread = np.diag(normal.within + 4 * normal.between)
    assert np.allclose(fleet([]).at().mean, normal.mean) and np.allclose(normal.mean, fleet.means.mean)
    assert np.allclose(spread, 0.5**2 + 4 * 0.2**2 + 2**2, rtol=0.35)


def test_with_many_own_rows_it_is_the_place(fleet):
    """Far from where any place of the fleet was, with another noise, and features that go together."""
    rng = np.random.default_rng(6)
    rows = rng.normal(0, 3, (200_000, P)) @ (np.eye(P) + 0.3) + 9
    ours, own = fleet(chunks_of(rows)).at(), fit(chunks_of(rows))
    assert np.allclose(ours.mean, own.mean, atol=0.05)
    assert np.allclose(ours.within, own.within, rtol=0.01, atol=0.01)
    wider = own.whitening.T @ (ours.within + 4 * ours.between) @ own.whitening
    assert np.allclose(wider, np.eye(P), atol=0.05)


def test_a_few_rows_bring_the_mean_and_many_the_rest(fleet):
    """From fleet to own: the more rows, the nearer the mean to the own, and the less uncertain."""
    rng = np.random.default_rng(7)
    rows = place_rows(rng, 2400) + 5
    far = [np.abs(fleet([rows[: 2**k]]).at().mean - rows.mean(axis=0)).max() for k in range(0, 11, 2)]
    assert far[0] < 0.4 * np.abs(fleet.means.mean - rows.mean(axis=0)).max() and far[-1] < 0.5
    widths = [np.trace(fleet([rows[: 2**k]]).at().between) for k in range(11)]
    assert widths[0] < np.trace(fleet.expected().at().between) and widths[-1] < 1.1 * min(widths)


def test_a_noisy_row_does_not_move_what_all_places_share():
    rng = np.random.default_rng(14)
    alike = reduce(Prior.merge, (one(place_rows(rng, far=0.05)) for _ in range(30)))
    row = np.full((1, P), 1.5)
    assert np.allclose(alike([row]).at().mean, alike.means.mean, atol=0.3)
    assert np.allclose(alike([np.repeat(row, 40, axis=0)] * 30).at().mean, 1.5, atol=0.6)


def test_a_place_that_does_not_wander_is_believed_in_time(fleet):
    rng = np.random.default_rng(15)
    steady = rng.normal(0, 0.5, (60_000, P))
    few, many = (np.diag(fleet(chunks_of(rows)).at().between).max() for rows in (steady[:240], steady))
    assert many < 0.003 < 0.01 < few


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(5)), st.integers(1, 4))
def test_the_order_of_merging_does_not_matter(order, cut_at):
    rng = np.random.default_rng(8)
    parts = [one(place_rows(rng)) for _ in range(5)]
    straight = reduce(Prior.merge, parts)
    counts = straight.means.count, straight.within.places, straight.between.places, straight.sizes.count
    assert (*counts, straight.limits.count, straight.rows) == (5, 5, 5, 5, 5, 5 * 240)
    assert np.allclose(straight.means.mean, np.mean([part.means.mean for part in parts], axis=0))
    mixed = [parts[i] for i in order]
    tree = reduce(Prior.merge, mixed[:cut_at]).merge(reduce(Prior.merge, mixed[cut_at:]))
    for ours, theirs in zip(fields_of(straight), fields_of(tree), strict=True):
        assert np.allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def fields_of(prior):
    return [
        value
        for part in (prior.means, prior.within, prior.between, prior.sizes, prior.limits)
        for value in part.plain().values()
    ]


def test_only_sums_leave_a_gateway(fleet):
    """Its bytes do not grow with rows or places, come back the same, and strangers' are refused."""
    rng = np.random.default_rng(9)
    state = fleet.dump()
    assert abs(len(state) - len(one(place_rows(rng, 2400)).dump())) < 16
    assert Prior.load(state).dump() == state
    for broken in (b"", state[:-1], Place(NAMES).names[0].encode()):
        with pytest.raises(StateRefused):
            Prior.load(broken)


def test_other_features_do_not_merge(fleet):
    rows = place_rows(np.random.default_rng(1))
    with pytest.raises(ValueError, match="a fleet of"):
        fleet.merge(Prior.of(tuple("wxyz"), chunks_of(rows)))


def test_windows_of_another_kind_do_not_merge_and_are_named():
    rows = chunks_of(place_rows(np.random.default_rng(1)))
    ours, silent = (Prior.of(NAMES, rows, form=form) for form in (Form(2, 3, 128, 208_000), Form(2, 3)))
    assert Prior.load(ours.merge(silent).dump()).form == silent.merge(ours).form == ours.form
    for other, why in (
        (Form(5, 3, 128, 208_000), "feature set principal, not invariant"),
        (Form(2, 2, 128, 208_000), "2 channels, not 3"),
        (Form(2, 3, 256, 100_000), "windows of 256 samples, not 128; 100 samples a second, not 208"),
    ):
        with pytest.raises(ValueError, match=why):
            ours.merge(Prior.of(NAMES, rows, form=other))


def test_what_a_fleet_cannot_know_it_does_not_say():
    rows = place_rows(np.random.default_rng(2))
    with pytest.raises(TooFew, match="places do not tell"):
        one(rows).expected()
    with pytest.raises(TooFew, match="two rows in one chunk"):
        Prior.of(NAMES, [rows[:1]])([rows[:5]])
    with pytest.raises(TooFew, match="no row"):
        Prior.of(NAMES, [rows[:0]])


def test_one_other_place_lends_its_widths_and_not_its_mean():
    rng = np.random.default_rng(3)
    known, rows = one(place_rows(rng)), place_rows(rng) + 40
    normal = known([rows[i : i + 2] for i in range(0, 10, 2)]).at()
    assert np.allclose(normal.mean, rows[:10].mean(axis=0))
    assert np.allclose(np.diag(normal.within), 0.25, rtol=0.7)


def test_how_places_differ_with_speed_is_a_line():
    """Twenty places, each at one speed: at speeds between them the mean is on the line, far away it is less certain."""
    rng = np.random.default_rng(4)
    slope, parts = np.array([0.02, -0.01, 0.0, 0.05]), []
    for speed in rng.uniform(100, 300, 20):
        contexts = np.full((80, 1), speed)
        rows = 3 + contexts * slope + rng.normal(0, 0.1, P) + rng.normal(0, 0.3, (80, P))
        parts.append(Prior.of(NAMES, chunks_of(rows), chunks_of(contexts), ("rpm",)))
    known = reduce(Prior.merge, parts).expected()
    assert isinstance(known, Lined)
    assert np.allclose(known.at(np.array([250.0])).mean, 3 + 250 * slope, atol=0.3)
    near, far = (np.trace(known.at(np.array([speed])).between) for speed in (200.0, 900.0))
    assert far > 2 * near
    again = restored(**known.plain())
    assert np.array_equal(again.at(np.array([250.0])).precision, known.at(np.array([250.0])).precision)


def test_no_slope_is_learned_from_jitter():
    """Set and true speed, which differ by no more between places than within one: together they have a slope, their
    difference has none.
    """
    rng = np.random.default_rng(16)
    parts = []
    for speed in rng.choice([200.0, 250.0], 14):
        contexts = speed + np.column_stack([np.zeros(80), rng.normal(0, 2, 80)])
        rows = 0.05 * contexts[:, :1] + rng.normal(0, 1) + rng.normal(0, 0.2, (80, 1))
        parts.append(Prior.of(("effort",), chunks_of(rows), chunks_of(contexts), ("rpm_set", "rpm")))
    known = reduce(Prior.merge, parts).expected()
    usual, slower = known.at(np.array([250.0, 250.0])).mean, known.at(np.array([250.0, 200.0])).mean
    assert np.abs(usual - slower) < 0.05 * 50 + 1
    slow = known.at(np.array([200.0, 200.0])).mean
    assert usual - slow == pytest.approx(2.5, abs=1.5)


def test_own_rows_move_the_line_and_keep_its_slope():
    rng = np.random.default_rng(10)
    parts = []
    for speed in rng.uniform(100, 300, 20):
        contexts = np.full((80, 1), speed)
        rows = 0.02 * contexts + rng.normal(0, 2) + rng.normal(0, 0.1, (80, 1))
        parts.append(Prior.of(("effort",), chunks_of(rows), chunks_of(contexts), ("rpm",)))
    fleet, contexts = reduce(Prior.merge, parts), np.full((64, 1), 200.0)
    known = fleet(chunks_of(0.02 * contexts + 7 + rng.normal(0, 0.1, (64, 1))), chunks_of(contexts))
    assert np.allclose(known.at(np.array([260.0])).mean, 0.02 * 260 + 7, atol=0.5)


def test_a_place_watches_from_its_first_row(fleet):
    """Without a row of its own: quiet on places like the fleet's, and alarmed by what no place looked like."""
    rng = np.random.default_rng(11)
    alarmed = []
    for _ in range(10):
        place = Place(NAMES, Settings(average=1))
        watch(place, fleet)
        assert place.phase is Phase.WATCHING
        alarmed.append(place.judge(place_rows(rng)).latched.mean())
    assert np.mean(alarmed) <= 0.1
    assert place.judge(place_rows(rng) + 60).latched[5:].all()


def test_rows_rank_across_places_by_what_is_known_of_each(fleet):
    rng = np.random.default_rng(12)
    normal, rows = fleet.expected().at(), place_rows(rng)
    assert unlikely(normal, rows).mean() < 3 < unlikely(normal, rows + 12).mean()


# --- of recordings


@pytest.fixture(scope="module")
def fan():
    from tests.bench.models_vibration import fan_rows

    try:
        return fan_rows()
    except FileNotFoundError as error:
        pytest.skip(str(error))


def test_ten_seconds_and_the_first_place_are_enough_at_the_next(fan):
    """On another mount, with the first one's widths: hardly an alarm, and the weight is found."""
    from tests.bench.models_vibration import beginnings, fan_prior, judged

    prior, alarms, recall = fan_prior(fan), [], []
    for first in beginnings()[::4]:
        rows = fan.turned["normal"][first:]
        alarms.append(judged(prior, rows[:20], rows[20:]).latched.mean())
        recall.append(judged(prior, rows[:20], fan.turned["weight"]).latched.mean())
    assert np.mean(alarms) <= 0.02 and np.mean(recall) >= 0.95


def test_a_rotor_of_another_day_is_judged_by_what_others_were_like():
    """Without one row of the run: N and V from the vibration, D from the effort, each well above the clock."""
    from tests.bench.models_rotor import rosa

    try:
        found = {name: figure.value for name, figure in rosa().items()}
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert min(found["rosa_imu_auroc_n"], found["rosa_imu_auroc_v"]) >= 0.95
    assert min(found["rosa_imu_effort_auroc_n"], found["rosa_imu_effort_auroc_v"]) >= 0.97
    for name, kind in (("imu", "n"), ("imu", "v"), ("effort", "d")):
        assert found[f"rosa_{name}_auroc_{kind}"] > found[f"rosa_clock_auroc_{kind}"] + 0.03
