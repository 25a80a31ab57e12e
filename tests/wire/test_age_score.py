"""Ages and scores beyond their vectors: the properties that the codes promise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import age, score


def test_ages_rise_with_their_codes():
    ages = [age.decode(code) for code in range(256)]
    assert ages == sorted(set(ages))
    assert ages[age.OLDEST] >= 35 * 3_600_000


@pytest.mark.parametrize("code", range(256))
def test_a_code_keeps_its_age(code):
    assert age.encode(age.decode(code)) == code


@given(st.integers(0, 2 * age.decode(255)))
def test_no_other_code_is_nearer(ms):
    code = age.encode(ms)
    off = abs(age.decode(code) - ms)
    if code > 0:
        assert off < abs(age.decode(code - 1) - ms)
    if code < age.OLDEST:
        assert off <= abs(age.decode(code + 1) - ms)


@given(st.integers(0, 10**15))
def test_the_error_of_an_age_is_at_most_one_in_32_or_an_eighth_of_a_second(ms):
    if ms <= age.decode(age.OLDEST):
        assert abs(age.decode(age.encode(ms)) - ms) <= max(125, ms / 32)
    else:
        assert age.encode(ms) == age.OLDEST


def test_a_negative_age_is_refused():
    with pytest.raises(ValueError, match="-1 ms"):
        age.encode(-1)


@given(st.integers(1, 2**32 - 1))
def test_log_is_the_floor_of_the_true_one(x):
    n = score.log(x)
    assert 2**n <= x**16 < 2 ** (n + 1)


@given(st.integers(2**32, 2**63))
def test_beyond_32_bits_log_looks_at_the_leading_32(x):
    shift = x.bit_length() - 32
    assert score.log(x) == score.log(x >> shift) + 16 * shift


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_larger_error_has_no_smaller_code(a, b, threshold):
    low, high = sorted((a, b))
    assert score.encode(low, threshold) <= score.encode(high, threshold)


@given(st.integers(0, 2**32 - 1))
def test_an_error_at_the_threshold_has_the_code_of_the_threshold_and_is_not_anomalous(threshold):
    assert score.encode(threshold, threshold) == score.AT_THRESHOLD
    assert not score.anomalous(threshold, threshold)
    assert score.anomalous(threshold + 1, threshold)


def test_per_cent_at_the_marks():
    assert [score.percent(code) for code in (0, 96, 112, 128, 144, 160)] == [0, 25, 50, 100, 200, 400]
