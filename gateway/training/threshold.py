"""The threshold from the errors of normal windows that the model has not seen, for a wanted rate of false alarms."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev
from typing import Literal

Law = Literal["squares", "margins", "odds"]
"""What the errors are: sums of squares, whose cube roots are nearly normal (Wilson and Hilferty, Proc. Natl. Acad. Sci.
17, 1931); a classifier's margins, as they are; or what `errors.millionths` makes of margins, as margins again.
"""


def _against(surprise: float) -> float:
    """The margin, with the other sign, of ln(1 + e^−margin), however large."""
    return surprise + math.log(-math.expm1(-surprise))


_LAWS: Mapping[Law, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "squares": (math.cbrt, lambda x: x**3),
    "margins": (float, float),
    "odds": (lambda e: _against(max(e, 0.5) / 1e6), lambda x: 1e6 * (max(x, 0.0) + math.log1p(math.exp(-abs(x))))),
}
_NEEDED_BEYOND = 5  # an empirical quantile is taken only where this many windows lie beyond it


@dataclass(frozen=True, slots=True)
class Threshold:
    """Errors above `value` are anomalous; `extrapolated` where the windows were too few to show the wanted rate."""

    value: int
    extrapolated: bool


def threshold(errors: Sequence[int], rate: float, law: Law = "squares") -> Threshold:
    """The value that a share `rate` (0 to 1) of further normal windows exceeds. ValueError with fewer than 8 errors.

    With enough errors it is their quantile. With few it is the upper prediction bound of one further observation,
    m + t·s·√(1 + 1/n), of what is nearly normal of them by their `law`. It contains the price of knowing m and s from n
    windows only, and is never below the largest error seen.
    """
    normal, error = _LAWS[law]
    if len(errors) < 8:
        raise ValueError(f"a threshold from {len(errors)} windows is a guess: at least 8 are needed")
    ordered = sorted(errors)
    beyond = math.floor(rate * len(ordered))
    if beyond >= _NEEDED_BEYOND:
        return Threshold(ordered[-beyond - 1], extrapolated=False)
    values = [normal(e) for e in ordered]
    n = len(values)
    bound = fmean(values) + _student(1.0 - rate, n - 1) * stdev(values) * math.sqrt(1.0 + 1.0 / n)
    return Threshold(max(ordered[-1], math.ceil(error(bound))), extrapolated=True)


def _student(p: float, degrees: int) -> float:
    """Quantile of Student's t by the expansion of Cornish and Fisher (Abramowitz and Stegun 26.7.5, two terms)."""
    z = NormalDist().inv_cdf(p)
    return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
