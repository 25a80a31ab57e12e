"""Feature set 5 means what it says: eigenvalues of what is sampled, and of its change, however the sensor is turned."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gateway.detectors.feature_sets import PRINCIPAL, relative_to
from gateway.detectors.judged import judged
from gateway.training import features
from tests.nodes.test_features import in_c
from tests.nodes.test_features_invariant import OCTAVE, QUARTER_TURNS, turned, vibration, whole

pytestmark = pytest.mark.usefixtures("node_build")


def textbook(samples):
    """In octaves of a step, by the linear algebra of a library; three channels at a time."""
    groups = [samples[:, at : at + 3].astype(float) for at in range(0, samples.shape[1], 3)]
    return np.concatenate(
        [energies(x) for group in groups for x in (group - group.mean(axis=0), np.diff(group, axis=0))]
    )


def energies(x):
    return np.log2(np.linalg.eigvalsh(x.T @ x / len(x))[::-1].clip(0) + 1 / 12) / 2


def octaves(samples):
    """Energies, then those of change, of one sensor after the other, in octaves of a step."""
    found = judged(PRINCIPAL, samples.shape[1], features.compute(PRINCIPAL, samples)[None])[0]
    return found - np.log2(16)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([32, 64, 100, 1024]), st.integers(1, 9), st.sampled_from([0.3, 5, 3000]))
def test_the_numbers_are_those_of_floating_point(seed, n, axes, loudness):
    samples = whole(vibration(seed, n, loudness, axes))
    assert np.abs(octaves(samples) - textbook(samples)).max() < 0.02


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.int16, st.tuples(st.integers(32, 70), st.integers(1, 9))))
def test_of_any_samples_what_is_weak_beside_the_strongest_is_no_more_than_rounded_away(samples):
    """Sums of 30 bits: of a sensor's strongest direction a 2^-12th is seen, and what is weaker is never overstated."""
    found, meant = octaves(samples), textbook(samples)
    sensors = np.split(np.arange(samples.shape[1]), range(3, samples.shape[1], 3))
    at = 0
    for axes in sensors:
        for _ in ("energy", "change"):
            mine, true = (x[at : at + len(axes)] for x in (found, meant))
            limit = mine[0] - 12
            assert np.abs(np.maximum(mine, limit) - np.maximum(true, limit)).max() < 0.25
            at += len(axes)
    assert at == len(found) == 2 * samples.shape[1]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(32, 200), loudness=st.sampled_from([0.5, 3.0, 100.0, 5000.0]))
def test_quarter_turns_and_mirrors_change_no_bit(seed, n, loudness):
    samples = whole(vibration(seed, n, loudness))
    expected = features.compute(PRINCIPAL, samples).tolist()
    mounted = np.stack([samples @ turn.astype(np.int16) for turn in QUARTER_TURNS])
    assert np.all(features.compute_all(PRINCIPAL, mounted) == expected)
    assert in_c(PRINCIPAL, mounted[seed % 48]) == expected


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([64, 128, 200, 1024]))
def test_any_rotation_changes_it_by_no_more_than_a_hundredth_of_an_octave(seed, n):
    values = vibration(seed, n)
    assert np.abs(octaves(whole(values @ turned(seed + 1))) - octaves(whole(values))).max() < 0.01


def test_twice_as_loud_is_an_octave_more_and_a_level_is_nothing():
    values = vibration(3, 200, 2000.0)
    plain = octaves(whole(values))
    assert np.abs(octaves(whole(2 * values)) - plain - 1).max() < 0.01
    assert np.array_equal(octaves(whole(values) + np.array([500, -70, 9], np.int16))[3:], plain[3:])
    assert np.abs(octaves(whole(values) + np.array([500, -70, 9], np.int16))[:3] - plain[:3]).max() < 0.001


def test_a_node_has_the_change_relative_to_the_energy_of_its_rank():
    assert relative_to(PRINCIPAL, 5) == (0, 1, 2, 0, 1, 2, 6, 7, 6, 7)
    loud = whole(vibration(4, 200, 2000.0, 5))
    change = [i for i, of in enumerate(relative_to(PRINCIPAL, 5)) if of != i]
    found = (features.compute(PRINCIPAL, x)[change] / OCTAVE for x in (loud, loud // 2))
    assert np.abs(np.subtract(*found)).max() < 0.01, "louder is no faster"


def test_where_nothing_moves_there_is_a_samples_rounding():
    assert octaves(np.full((64, 6), -32768, np.int16)) == pytest.approx(np.log2(1 / 12) / 2, abs=0.005)


def test_channels_that_are_no_three_are_a_sensor_of_their_own():
    samples = whole(vibration(5, 100, 900.0, axes=5))
    parts = [features.compute(PRINCIPAL, np.ascontiguousarray(x)).tolist() for x in (samples[:, :3], samples[:, 3:])]
    assert features.compute(PRINCIPAL, samples).tolist() == [*parts[0], *parts[1]]


def test_the_change_tells_a_fast_vibration_from_a_slow_one_as_strong():
    t = np.arange(256)[:, None] * np.ones((1, 3))
    slow, fast = (octaves(whole(2000 * np.sin(2 * np.pi * f * t))) for f in (1 / 32, 1 / 4))
    assert slow[0] == pytest.approx(fast[0], abs=0.01)
    assert fast[3] - slow[3] == pytest.approx(np.log2(np.sin(np.pi / 4) / np.sin(np.pi / 32)), abs=0.01)
