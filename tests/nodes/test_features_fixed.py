"""Whole-number mathematics (SPEC.md, "Fixed point"): the vectors hold, and C and Python agree with exact arithmetic."""

import ctypes
import json
from functools import cache
from math import isqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.training.features import fixed as features_fixed
from tests.nodes import feature_vectors
from tests.nodes.features_exact import lg, lg_truly, transform
from tests.nodes.library import node_library

pytestmark = pytest.mark.usefixtures("node_build")

TEXT = (feature_vectors.FOLDER / "fixed.json").read_text()
VECTORS = json.loads(TEXT)
U64 = st.integers(0, 64).flatmap(lambda bits: st.integers(0, 2**bits - 1))  # of all sizes alike


@cache
def fixed(name):
    function = getattr(node_library(), f"fixed_{name}")
    function.argtypes = {
        "log2": [ctypes.c_uint64],
        "exp2": [ctypes.c_int32],
        "root": [ctypes.c_uint64],
        "bits": [ctypes.c_uint64],
        "divide": [ctypes.c_uint64, ctypes.c_uint32],
    }[name]
    results = {"exp2": ctypes.c_uint64, "divide": ctypes.c_uint64, "log2": ctypes.c_int32}
    function.restype = results.get(name, ctypes.c_uint32)
    return function


def in_python(x):
    return int(features_fixed.log2(np.array(x, np.uint64)))


def transform_in_c(values):
    size = len(values)
    bins = np.zeros((size, 2), np.int32)
    place = 0
    for value in values:
        bins[place] = value
        place = node_library().fft_next(place, size)
    node_library().fft(ctypes.c_void_p(bins.ctypes.data), size)
    return bins.tolist()


def test_the_file_is_what_the_reference_writes():
    assert feature_vectors.fixed_text() == TEXT


@pytest.mark.parametrize(("x", "expected"), VECTORS["log2"])
def test_a_logarithm_of_the_vectors(x, expected):
    assert fixed("log2")(x) == in_python(x) == lg(x) == expected


@pytest.mark.parametrize(("y", "expected"), VECTORS["exp2"])
def test_a_power_of_the_vectors(y, expected):
    assert fixed("exp2")(y) == features_fixed.exp2(y) == expected


@pytest.mark.parametrize("case", VECTORS["fft"], ids=lambda case: str(len(case["before"])))
def test_a_transform_of_the_vectors(case):
    assert transform_in_c(case["before"]) == case["after"]
    assert [list(z) for z in transform([tuple(z) for z in case["before"]])] == case["after"]


@settings(max_examples=300, deadline=None)
@given(U64)
def test_a_logarithm_is_rounded_down(x):
    found = fixed("log2")(x)
    assert found == in_python(x) == lg(x)
    assert x == 0 or lg_truly(x) - 1 <= found <= lg_truly(x)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 64 * 4096 - 1))
def test_a_power_is_rounded_down_and_good_to_26_bits(y):
    found = fixed("exp2")(y)
    assert found == features_fixed.exp2(y)
    # Numbers lie to each other as their powers 4096 do.
    assert found**4096 <= 2**y < (found + 2 + (found >> 26)) ** 4096


@settings(max_examples=300, deadline=None)
@given(U64, st.integers(1, 2**24))
def test_roots_quotients_and_lengths_are_exact(x, divisor):
    assert fixed("root")(x) == isqrt(x)
    assert fixed("divide")(x, divisor) == x // divisor
    assert fixed("bits")(x) == x.bit_length()
    assert x >= 2**62 or int(features_fixed.root(np.array(x))) == isqrt(x)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([32, 64]), st.data())
def test_any_transform_is_the_same_in_c_and_python(size, data):
    part = st.one_of(st.integers(-(2**30), 2**30), st.sampled_from([-(2**30), 2**30]))
    values = data.draw(st.lists(st.tuples(part, part), min_size=size, max_size=size))
    expected = [list(z) for z in transform(values)]
    re, im = features_fixed.fft(*np.array(values, np.int64).T)
    assert np.stack([re, im], axis=1).tolist() == expected == transform_in_c(values)
    truly = np.fft.fft(np.array(values, float) @ [1, 1j]) / size
    assert np.abs(np.array(expected, float) @ [1, 1j] - truly).max() < 12
