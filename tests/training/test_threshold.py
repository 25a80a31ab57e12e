"""Thresholds keep their promise on errors drawn from the law they assume, and on the empirical quantile without one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gateway.training.threshold import threshold


def errors(seed: int, count: int) -> list[int]:
    """Sums of squares of 12 normal residuals."""
    residuals = np.random.default_rng(seed).normal(scale=20.0, size=(count, 12))
    return np.rint(np.sum(residuals**2, axis=1)).astype(int).tolist()


def test_with_many_errors_it_is_their_quantile() -> None:
    found = threshold(list(range(10_000)), 0.001)
    assert not found.extrapolated
    assert sum(e > found.value for e in range(10_000)) == 10


@pytest.mark.parametrize("count", [15, 60, 400])
def test_with_few_errors_the_rate_holds_on_average_over_calibrations(count: int) -> None:
    fresh = np.array(errors(0, 20_000))
    rates = []
    for seed in range(1, 41):
        found = threshold(errors(seed, count), 0.001)
        assert found.extrapolated
        rates.append(np.mean(fresh > found.value))
    assert 0.0002 < np.mean(rates) < 0.003


def test_it_is_never_below_an_error_that_was_seen() -> None:
    assert threshold([1] * 20 + [10_000], 0.5 / 21).value >= 10_000


def test_a_handful_of_windows_is_refused() -> None:
    with pytest.raises(ValueError, match="7 windows"):
        threshold([1] * 7, 0.001)


@pytest.mark.parametrize(
    ("law", "draw"), [("margins", lambda x: 100 + 20 * x), ("odds", lambda x: 1e6 * np.log1p(np.exp(x - 3)))]
)
def test_the_errors_of_classifiers_have_laws_of_their_own(law: str, draw: Callable[[np.ndarray], np.ndarray]) -> None:
    fresh = draw(np.random.default_rng(0).normal(size=20_000))
    rates = []
    for seed in range(1, 41):
        calibration = np.rint(draw(np.random.default_rng(seed).normal(size=60))).astype(int).tolist()
        rates.append(np.mean(fresh > threshold(calibration, 0.001, law).value))
    assert 0.0002 < np.mean(rates) < 0.003
