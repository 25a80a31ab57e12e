"""Clusters of normal windows: found where they are, the same for the same seed, refused where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.training import kmeans
from gateway.training.dense import Unsuitable
from tests.training.conditions import drawn, standardised

FEATURES, LABELS = drawn(1, 300)
WINDOWS = standardised(FEATURES)


def test_as_many_as_there_are_and_the_largest_first() -> None:
    found = kmeans.regimes(WINDOWS, 1)
    sizes = np.bincount(found.labels)
    assert found.names == ("regime-1", "regime-2", "regime-3")
    assert sizes.tolist() == sorted(np.bincount(LABELS).tolist(), reverse=True)
    assert len({*zip(found.labels.tolist(), LABELS.tolist(), strict=True)}) == 3
    assert found.silhouette > 0.5


def test_a_centre_is_the_mean_of_its_windows_and_they_are_nearest_to_it() -> None:
    found = kmeans.regimes(WINDOWS, 1)
    for i, centre in enumerate(found.centres):
        assert np.allclose(centre, WINDOWS[found.labels == i].mean(axis=0))
    assert np.array_equal(found.nearest(WINDOWS), found.labels)


def test_labels_follow_the_sizes_however_many_there_are() -> None:
    """Sizes whose order, taken twice, is another."""
    random = np.random.default_rng(2)
    sizes = [30, 60, 20, 50, 40]
    middles = 20 * np.eye(5, 6)
    windows = np.concatenate([m + random.normal(size=(n, 6)) for m, n in zip(middles, sizes, strict=True)])
    for seed in (1, 2, 3):
        found = kmeans.regimes(windows, seed, 5)
        assert np.bincount(found.labels).tolist() == sorted(sizes, reverse=True)
        assert np.array_equal(found.nearest(windows), found.labels)


def test_the_same_seed_gives_the_same_bits() -> None:
    first, second = kmeans.regimes(WINDOWS, 4), kmeans.regimes(WINDOWS, 4)
    assert first.centres.tobytes() == second.centres.tobytes()
    assert np.array_equal(first.labels, second.labels)


def test_a_number_that_is_given_is_taken() -> None:
    assert len(kmeans.regimes(WINDOWS, 1, 2).centres) == 2
    blob = np.random.default_rng(1).normal(size=(200, 4))
    assert len(kmeans.regimes(blob, 1, 5).centres) == 5  # even where nothing stands apart


def test_windows_in_one_heap_have_no_regimes() -> None:
    blob = np.random.default_rng(1).normal(size=(400, 6))
    with pytest.raises(Unsuitable, match="form no clusters: their best silhouette is"):
        kmeans.regimes(blob, 1)


REFUSED = {
    "too few windows": (WINDOWS[:31], None, "31 windows: at least 32"),
    "too few for so many": (WINDOWS[:100], 7, "100 windows: at least 112"),
    "one cluster": (WINDOWS, 1, "not 1"),
    "more than classes": (np.zeros((2000, 2)), 65, "not 65"),
    "a cluster of strays": (np.concatenate([WINDOWS, WINDOWS[:3] + 50]), 2, "no 2 clusters of at least 16"),
    "no numbers": (np.full((50, 2), np.nan), None, "window 0, which is not all numbers"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_regimes_is_refused_by_name(name: str) -> None:
    windows, clusters, reason = REFUSED[name]
    with pytest.raises(Unsuitable, match=reason):
        kmeans.regimes(windows, 1, clusters)
