"""Feature sets: the vectors, checked by an independent computation, hold in Python and in C."""

import ctypes
import json
from fractions import Fraction
from math import isqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gateway.training import features
from tests.nodes import feature_vectors
from tests.nodes.library import node_library

pytestmark = pytest.mark.usefixtures("node_build")

VECTORS = json.loads((feature_vectors.FOLDER / "statistics.json").read_text())
CASES = {case["name"]: case for case in VECTORS["cases"]}


def independent(samples):
    """SPEC.md read a second time: exact fractions, no numpy."""
    found = []
    for c in range(len(samples[0])):
        x = [Fraction(int(row[c])) for row in samples]
        n = len(x)
        mean = sum(x) / n
        variance = sum((v - mean) ** 2 for v in x) / n
        rounded_mean = (16 * sum(x) + n // 2) / n
        found.append(rounded_mean.numerator // rounded_mean.denominator)
        found.append(isqrt(256 * variance.numerator // variance.denominator))
        found.append(int(16 * (max(x) - min(x))))
    return found


def independent_fault(samples):
    columns = [[int(row[c]) for row in samples] for c in range(len(samples[0]))]
    if any(len(set(column)) == 1 for column in columns):
        return 4
    at_limit = [Fraction(sum(v in (-32768, 32767) for v in column), len(column)) for column in columns]
    return 5 if max(at_limit) >= Fraction(1, 32) else 0


def in_c(samples):
    lib = node_library()
    n, channels = samples.shape
    data = np.ascontiguousarray(samples, np.int16)
    out = np.empty(3 * channels, np.int32)
    lib.features_statistics(ctypes.c_void_p(data.ctypes.data), n, channels, ctypes.c_void_p(out.ctypes.data))
    return out.tolist(), lib.features_sensor_fault(ctypes.c_void_p(data.ctypes.data), n, channels)


def samples_of(case):
    return np.frombuffer(bytes.fromhex(case["samples"]), "<i2").reshape(case["n"], case["channels"])


def test_the_file_is_what_the_reference_writes():
    assert (feature_vectors.FOLDER / "statistics.json").read_text() == feature_vectors.text()


@pytest.mark.parametrize("name", CASES)
def test_a_vector_holds_everywhere(name):
    case, samples = CASES[name], samples_of(CASES[name])
    assert independent(samples.tolist()) == case["features"]
    assert independent_fault(samples.tolist()) == case["sensor_fault"]
    assert features.statistics(samples).tolist() == case["features"]
    assert features.sensor_fault(samples) == case["sensor_fault"]
    assert in_c(samples) == (case["features"], case["sensor_fault"])


def test_the_vectors_cover_the_corners():
    sizes = {(case["n"], case["channels"]) for case in CASES.values()}
    assert {n for n, _ in sizes} >= {32, 128, 1024}
    assert {c for _, c in sizes} >= {1, 9}
    assert {case["sensor_fault"] for case in CASES.values()} == {0, 4, 5}
    # The largest deviation and the most negative mean that 16 bits can have.
    assert max(max(case["features"]) for case in CASES.values()) == 16 * 65535
    assert min(min(case["features"]) for case in CASES.values()) == -16 * 32768


@settings(max_examples=150, deadline=None)
@given(hnp.arrays(np.int16, st.tuples(st.integers(1, 300), st.integers(1, 9))))
def test_any_window_gives_the_same_in_c_and_python(samples):
    expected = independent(samples.tolist())
    assert features.statistics(samples).tolist() == expected
    assert in_c(samples) == (expected, independent_fault(samples.tolist()))
    assert features.sensor_fault(samples) == independent_fault(samples.tolist())


def test_the_longest_window_of_extremes_does_not_overflow():
    samples = np.where(np.arange(4096) % 2, -32768, 32767).astype(np.int16)[:, None]
    assert in_c(samples)[0] == independent(samples.tolist()) == features.statistics(samples).tolist()


@pytest.mark.parametrize("samples", [np.zeros((4, 2)), np.zeros(4, np.int16), np.zeros((0, 3), np.int16)])
def test_what_is_no_window_is_refused(samples):
    with pytest.raises(ValueError, match="not a window"):
        features.statistics(samples)
