"""What a learner is compared with: static detectors that learn once from normal rows [n, p] and then score others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Static = Callable[[Floats, Floats], tuple[Floats, Bools]]
"""From rows learned and rows to judge: scores and alarms of the latter."""

PEAKS = 0.98


def mahalanobis(learned: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """T²: squared distances of both from the mean of those learned, by their covariance."""
    mean, inverse = learned.mean(axis=0), np.linalg.pinv(np.atleast_2d(np.cov(learned.T)))
    first, second = (np.einsum("ni,ij,nj->n", x - mean, inverse, x - mean) for x in (learned, rows))
    return first, second


def t2(learned: Floats, rows: Floats) -> tuple[Floats, Bools]:
    """Mahalanobis, alarm above the 99th percentile of what was learned."""
    own, other = mahalanobis(learned, rows)
    return other, other > np.quantile(own, 0.99)


def t2_q(learned: Floats, rows: Floats) -> tuple[Floats, Bools]:
    """T² inside and Q outside the principal components that hold 90 % of the variance; above either's 99 %."""
    mean, spread = learned.mean(axis=0), learned.std(axis=0)
    first, second = ((x - mean) / np.where(spread > 0, spread, 1) for x in (learned, rows))
    _, values, axes = np.linalg.svd(first, full_matrices=False)
    held = int(np.searchsorted(np.cumsum(values**2) / np.sum(values**2), 0.9)) + 1
    inside = [x @ axes[:held].T for x in (first, second)]
    t, q = (
        [np.sum((y / (values[:held] / np.sqrt(len(first)))) ** 2, axis=1) for y in inside],
        [np.sum((x - y @ axes[:held]) ** 2, axis=1) for x, y in zip((first, second), inside, strict=True)],
    )
    score = np.maximum(t[1] / np.quantile(t[0], 0.99), q[1] / np.quantile(q[0], 0.99))
    return score, score > 1


def forest(learned: Floats, rows: Floats) -> tuple[Floats, Bools]:
    """Isolation forest of scikit-learn, as it comes, seed 0."""
    made = IsolationForest(random_state=0).fit(learned)
    return -made.score_samples(rows), made.predict(rows) < 0


def everything(learned: Floats, rows: Floats) -> tuple[Floats, Bools]:
    """All rows are anomalous."""
    return np.zeros(len(rows)), np.ones(len(rows), bool)


def peaks_over_threshold(scores: Floats, share: float) -> float:
    """A threshold that so small a share of rows like these exceed, by a generalized Pareto law of the excesses over
    their 98 % quantile (Siffer et al., KDD 2017), fitted by probability-weighted moments (Hosking and Wallis 1987).
    """
    start = float(np.quantile(scores, PEAKS))
    excess = np.sort(scores[scores > start] - start)
    if len(excess) < 3:
        return float(scores.max())
    weights = (len(excess) - np.arange(1, len(excess) + 1)) / (len(excess) - 1)
    first, second = float(excess.mean()), float(np.mean(weights * excess))
    if first - 2 * second < 1e-9 * first:
        return float(scores.max())  # all excesses are alike, and no law has them
    shape = 2 - first / (first - 2 * second)
    scale = 2 * first * second / (first - 2 * second)
    ratio = share * len(scores) / len(excess)
    return start + (-scale * np.log(ratio) if abs(shape) < 1e-6 else scale / shape * (ratio**-shape - 1))


class T2Pot:
    """Static Mahalanobis of rows learned [n, p], alarm above its threshold by peaks over threshold."""

    def __init__(self, learned: Floats, share: float) -> None:
        self._mean, self._inverse = learned.mean(axis=0), np.linalg.pinv(np.atleast_2d(np.cov(learned.T)))
        self._threshold = peaks_over_threshold(self._distances(learned), share)

    def __call__(self, rows: Floats) -> Bools:
        """Which of the rows [n, p] are above it."""
        return np.asarray(self._distances(rows) > self._threshold)

    def _distances(self, rows: Floats) -> Floats:
        return np.asarray(np.einsum("ni,ij,nj->n", rows - self._mean, self._inverse, rows - self._mean))
