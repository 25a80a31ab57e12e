"""Feature sets: the vectors, checked by an independent computation, hold in Python and in C."""

import ctypes
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gateway.detectors import feature_sets
from gateway.detectors.feature_sets import INVARIANT, PRINCIPAL, SLOW, STATISTICS
from gateway.training import features
from tests.nodes import feature_vectors
from tests.nodes.features_exact import exactly, fault_exactly
from tests.nodes.library import node_library

pytestmark = pytest.mark.usefixtures("node_build")

SETS = sorted(feature_sets.NAMES)
VECTORS = {number: json.loads(feature_vectors.file(number).read_text())["cases"] for number in SETS}
CASES = {(number, case["name"]): case for number, cases in VECTORS.items() for case in cases}
KINDS = [feature_sets.Kind.LEVEL, feature_sets.Kind.SCALE, feature_sets.Kind.LOG]  # in the order of feature_set.h


def pointer(array):
    return ctypes.c_void_p(array.ctypes.data)


def in_c(number, samples):
    """As features_compute gives it; what lies behind the features, and the samples, must stay as they are."""
    n, channels = samples.shape
    data = np.ascontiguousarray(samples, np.int16)
    size = node_library().feature_set_size(number, channels)
    out = np.full(size + 1, 0x5A5A5A5A, np.int32)
    scratch = np.random.default_rng(n).integers(-(2**31), 2**31, 128).astype(np.int32)
    node_library().features_compute(number, pointer(data), n, channels, pointer(scratch), pointer(out))
    assert out[-1] == 0x5A5A5A5A
    assert np.array_equal(data, samples)
    return out[:-1].tolist()


def fault_in_c(number, samples):
    data = np.ascontiguousarray(samples, np.int16)
    return node_library().features_sensor_fault(number, pointer(data), *samples.shape)


def windows(lengths):
    """Any numbers at all, and, since machines seldom show those, small ones about a level."""
    channels = st.integers(1, 9)
    anything = hnp.arrays(np.int16, st.tuples(lengths, channels))
    small = hnp.arrays(np.int16, st.tuples(lengths, channels), elements=st.integers(-40, 40))
    return st.one_of(
        anything, small, st.builds(lambda x, level: (x + level).astype(np.int16), small, st.integers(-9000, 9000))
    )


@pytest.mark.parametrize("number", SETS)
def test_the_file_is_what_the_reference_writes(number):
    assert feature_vectors.file(number).read_text() == feature_vectors.text(number)


@pytest.mark.parametrize(("number", "name"), CASES)
def test_a_vector_holds_everywhere(number, name):
    case = CASES[number, name]
    samples = feature_vectors.samples_of(case)
    assert exactly(number, samples.tolist()) == case["features"]
    assert features.compute(number, samples).tolist() == case["features"]
    assert in_c(number, samples) == case["features"]
    if "sensor_fault" in case:
        assert fault_exactly(number, samples.tolist()) == case["sensor_fault"]
        assert features.sensor_fault(number, samples) == case["sensor_fault"]
        assert fault_in_c(number, samples) == case["sensor_fault"]


@pytest.mark.parametrize("number", SETS)
def test_the_vectors_cover_the_corners(number):
    sizes = {(case["n"], case["channels"]) for case in VECTORS[number]}
    assert {n for n, _ in sizes} >= {32, 64, 1024} - ({64} if number == STATISTICS else set())
    assert {c for _, c in sizes} >= {1, 2, 9}


def test_the_vectors_of_the_statistics_have_every_fault_and_the_ends_of_16_bits():
    assert {case["sensor_fault"] for case in VECTORS[STATISTICS]} == {0, 4, 5}
    still = [case for case in VECTORS[SLOW] if fault_exactly(STATISTICS, feature_vectors.samples_of(case)) == 4]
    assert {case["sensor_fault"] for case in still} == {0, 5}, "slow readings may stand still, but not at an end"
    assert max(max(case["features"]) for case in VECTORS[STATISTICS]) == 16 * 65535
    assert min(min(case["features"]) for case in VECTORS[STATISTICS]) == -16 * 32768


@settings(max_examples=150, deadline=None)
@given(windows(st.integers(1, 300)))
def test_any_window_gives_the_same_statistics_in_c_and_python(samples):
    expected = exactly(STATISTICS, samples.tolist())
    assert features.statistics(samples).tolist() == expected
    assert in_c(STATISTICS, samples) == expected
    for number in (STATISTICS, SLOW):
        expected = fault_exactly(number, samples.tolist())
        assert fault_in_c(number, samples) == features.sensor_fault(number, samples) == expected


@settings(max_examples=60, deadline=None)
@given(windows(st.integers(32, 200)))
def test_any_window_gives_the_same_invariants_in_c_and_python(samples):
    expected = exactly(INVARIANT, samples.tolist())
    assert features.compute(INVARIANT, samples).tolist() == expected
    assert in_c(INVARIANT, samples) == expected


@settings(max_examples=60, deadline=None)
@given(windows(st.integers(32, 200)))
def test_any_window_gives_the_same_principal_energies_in_c_and_python(samples):
    expected = exactly(PRINCIPAL, samples.tolist())
    assert features.compute(PRINCIPAL, samples).tolist() == expected
    assert in_c(PRINCIPAL, samples) == expected


@settings(max_examples=100, deadline=None)
@given(windows(st.integers(32, 200)))
def test_any_window_gives_the_same_slow_features_in_c_and_python(samples):
    expected = exactly(SLOW, samples.tolist())
    assert features.compute(SLOW, samples).tolist() == expected
    assert in_c(SLOW, samples) == expected


@pytest.mark.parametrize("number", SETS)
@pytest.mark.parametrize("seed", range(4))
def test_many_windows_of_all_sizes_and_loudnesses_are_the_same_in_c_and_python(number, seed):
    random = np.random.default_rng(seed)
    for _ in range(40):
        n, channels = int(random.integers(32, 1025)), int(random.integers(1, 10))
        wide = random.normal(0, 2 ** random.uniform(0, 16, channels), (n, channels)) + random.normal(0, 5000, channels)
        samples = np.clip(np.rint(wide), -32768, 32767).astype(np.int16)
        assert in_c(number, samples) == features.compute(number, samples).tolist()


@pytest.mark.parametrize("number", SETS)
@pytest.mark.parametrize("channels", [1, 3, 9])
@pytest.mark.parametrize("period", [1, 2, 3, 64, 1024])
def test_the_longest_window_of_extremes_does_not_overflow(number, channels, period):
    i = np.arange(1024)[:, None] // period + np.arange(channels)
    for samples in (np.where(i % 2, -32768, 32767), np.where(i % 3 == 1, -32768, 0), np.full_like(i, -32768)):
        samples = samples.astype(np.int16)
        expected = exactly(number, samples.tolist())
        assert in_c(number, samples) == expected
        assert features.compute(number, samples).tolist() == expected


def test_the_statistics_of_the_longest_window_of_all_do_not_overflow():
    samples = np.where(np.arange(4096) % 2, -32768, 32767).astype(np.int16)[:, None]
    assert in_c(STATISTICS, samples) == exactly(STATISTICS, samples.tolist()) == features.statistics(samples).tolist()


def test_many_windows_at_once_are_as_one_by_one():
    samples = np.random.default_rng(0).normal(0, 900, (300, 100, 4)).astype(np.int16)
    for number in SETS:
        at_once = features.compute_all(number, samples)
        assert np.array_equal(at_once, [features.compute(number, window) for window in samples])
        assert features.compute_all(number, samples[:0]).shape == (0, feature_sets.size(number, 4))


@pytest.mark.parametrize("number", SETS)
@pytest.mark.parametrize("channels", range(1, 10))
def test_sizes_and_kinds_are_the_same_in_c_and_python(number, channels):
    library = node_library()
    size = library.feature_set_size(number, channels)
    assert size == feature_sets.size(number, channels) <= 48
    kinds = [KINDS[library.feature_kind(number, channels, i)] for i in range(size)]
    assert tuple(kinds) == feature_sets.kinds(number, channels)


def test_what_is_no_set_has_no_size():
    assert [node_library().feature_set_size(number, 3) for number in (0, 4, 255)] == [0, 0, 0]
    with pytest.raises(KeyError):
        feature_sets.size(4, 3)
    with pytest.raises(KeyError):
        features.compute(4, np.zeros((32, 1), np.int16))


@pytest.mark.parametrize("samples", [np.zeros((4, 2)), np.zeros(4, np.int16), np.zeros((0, 3), np.int16)])
@pytest.mark.parametrize("number", SETS)
def test_what_is_no_window_is_refused(samples, number):
    with pytest.raises(ValueError, match="not a window"):
        features.compute(number, samples)
