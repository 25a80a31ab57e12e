"""What `direct` derives from scales in integers is what the interpreter's floating point gives, bit for bit."""

import ctypes
import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.nodes.direct_engine import Direct, Refused
from tests.nodes.library import node_library
from tests.nodes.tflite_networks import Layer, Network, tflite_of

pytestmark = pytest.mark.usefixtures("node_build")
SHIFT_MIN = -32
"""The shift of a multiplier so small that what it multiplies becomes 0; the interpreter has the multiplier 0 for it."""


class Multiplier(ctypes.Structure):
    _fields_ = (("multiplier", ctypes.c_int32), ("shift", ctypes.c_int32))


def bits(scale):
    return int(np.float32(scale).view(np.uint32))


mantissas = st.integers(2**23, 2**24 - 1)
edges = st.sampled_from([2**23, 2**23 + 1, 2**24 - 1, 3 * 2**22])


def scales(low, high):
    return st.builds(lambda m, e: float(np.float32(math.ldexp(m, e - 24))), mantissas | edges, st.integers(low, high))


def multiplier_of(a, w, o, per_row):
    found = Multiplier()
    node_library().multiplier_of_scales.restype = ctypes.c_bool
    scales = (bits(a), bits(w)) if per_row else (node_library().single_product(bits(a), bits(w)), bits(1.0))
    fits = node_library().multiplier_of_scales(*scales, bits(o), ctypes.byref(found))
    if found.shift == SHIFT_MIN:
        return (0, 0)
    return (found.multiplier, found.shift) if fits else None


def in_floating_point(a, w, o, per_row):
    """numpy's single precision, then Python's double, then an exact rounding, half up."""
    product = a * w if per_row else float(np.float32(a) * np.float32(w))
    fraction, shift = math.frexp(product / o)
    whole = math.floor(Fraction(fraction) * 2**31 + Fraction(1, 2))
    if whole == 2**31:
        whole, shift = 2**30, shift + 1
    return (0, 0) if shift < -31 else (whole, shift)


@settings(max_examples=1500, deadline=None)
@given(scales(-30, 20), scales(-30, 20), scales(-30, 20), st.booleans())
def test_a_multiplier_is_that_of_floating_point(a, w, o, per_row):
    expected = in_floating_point(a, w, o, per_row)
    assert multiplier_of(a, w, o, per_row) == (expected if expected[1] <= 30 else None)


def test_one_scale_and_one_for_each_row_differ():
    """The interpreter rounds the product to single precision in the first case only."""
    rng = np.random.default_rng(1)
    drawn = [float(s) for s in rng.uniform(0.001, 0.1, 300).astype(np.float32)]
    pairs = [(multiplier_of(a, w, 0.5, False), multiplier_of(a, w, 0.5, True)) for a, w in pairwise(drawn)]
    assert sum(one != each for one, each in pairs) > 200


@settings(max_examples=500, deadline=None)
@given(st.integers(-(2**31), 2**31 - 1), st.integers(2**30, 2**31 - 1) | st.just(0), st.integers(SHIFT_MIN, 30))
def test_a_product_is_rounded_twice(x, multiplier, shift):
    shifted = ((x << max(shift, 0)) + 2**31) % 2**32 - 2**31
    nearest = Fraction(shifted * multiplier, 2**31)  # a tie goes up
    once = math.floor(nearest + Fraction(1, 2))
    right = max(-shift, 0)
    exact = Fraction(once, 2**right)  # a tie goes away from zero
    twice = math.floor(abs(exact) + Fraction(1, 2)) * (1 if once >= 0 else -1)
    assert node_library().multiply_twice_rounded(x, Multiplier(multiplier, shift)) == twice


@settings(max_examples=500, deadline=None)
@given(st.sampled_from([1, 6]), scales(-26, 30) | scales(-7, 4))
def test_the_bound_of_an_activation_is_that_of_single_precision(value, scale):
    assert bound(value, scale) == min(bound_in_singles(value, scale), 255)


def test_the_bound_of_an_activation_is_right_next_to_every_half():
    """Where the interpreter's rounding to single precision first tips the second rounding."""
    for value in (1, 6):
        for whole in range(256):
            near = np.float32(value / (whole + 0.5))
            for scale in (np.nextafter(near, np.float32(0)), near, np.nextafter(near, np.float32(9e9))):
                assert bound(value, float(scale)) == min(bound_in_singles(value, float(scale)), 255)


def bound(value, scale):
    return min(node_library().quantize_whole(bits(value), bits(scale)), 255)


def bound_in_singles(value, scale):
    return math.floor(Fraction(float(np.float32(value) / np.float32(scale))) + Fraction(1, 2))


@settings(max_examples=500, deadline=None)
@example(0.5000000596046448, 0.9999998807907104)  # rounded up to a power of two
@given(scales(-30, 20), scales(-30, 20))
def test_a_product_is_that_of_single_precision(a, b):
    node_library().single_product.restype = ctypes.c_uint32
    assert node_library().single_product(bits(a), bits(b)) == bits(np.float32(a) * np.float32(b))


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, -math.inf, math.nan, 1e-45, 2.0**-61, 2.0**61])
def test_scales_out_of_reach_are_refused(scale):
    def network(scale):
        return tflite_of(Network(scale, 0, [Layer(np.array([[1]]), None, [1.0], scale, 0)]))

    assert Direct(network(0.5)).run(np.array([77])).tolist() == [77]
    with pytest.raises(Refused, match="scales or zero points"):
        Direct(network(scale))
