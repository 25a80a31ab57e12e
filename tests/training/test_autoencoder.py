"""Training: the same seed gives the same network, and what does not belong is reconstructed badly."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.training import autoencoder, dense, tflite_file


def correlated(seed: int, count: int) -> np.ndarray:
    """Nine readings of two causes, standardised."""
    mixing = np.random.default_rng(0).normal(size=(2, 9)) / np.sqrt(2)
    random = np.random.default_rng(seed)
    return random.normal(size=(count, 2)) @ mixing + 0.1 * random.normal(size=(count, 9))


def error(network: tflite_file.Network, windows: np.ndarray) -> np.ndarray:
    return np.mean((windows - dense.activations(network, windows)[-1]) ** 2, axis=1)


def test_the_sizes_of_the_node_are_those_of_the_published_model() -> None:
    assert autoencoder.node_sizes(18) == (18, 12, 8, 12, 18)
    assert autoencoder.node_sizes(3) == (3, 2, 1, 2, 3)


def test_the_named_architectures_begin_and_end_with_the_features() -> None:
    for features in (3, 18, 48):
        for name, sizes in autoencoder.ARCHITECTURES.items():
            found = sizes(features)
            assert found[0] == found[-1] == features
            assert min(found) < features, name
    small = {name: sizes(18) for name, sizes in autoencoder.ARCHITECTURES.items() if name.startswith("small")}
    assert small == {"small4": (18, 4, 8, 18), "small6": (18, 6, 8, 18), "small8": (18, 8, 8, 18)}
    assert autoencoder.ARCHITECTURES["wide"](18) == (18, 36, 8, 36, 18)


@pytest.mark.parametrize("name", ["small4", "small8", "wide"])
def test_each_architecture_sees_what_breaks_the_correlation(name: str) -> None:
    network = autoencoder.train(correlated(1, 500), autoencoder.ARCHITECTURES[name](9), 3)
    normal, strange = correlated(2, 300), correlated(2, 300)
    strange[:, 4] *= -3.0
    assert np.median(error(network, strange)) > 10 * np.median(error(network, normal))


def test_same_seed_same_bytes_other_seed_other_bytes() -> None:
    files = [
        tflite_file.write(autoencoder.train(correlated(1, 100), autoencoder.node_sizes(9), seed)) for seed in (7, 7, 8)
    ]
    assert files[0] == files[1]
    assert files[0] != files[2]


@pytest.mark.parametrize("sizes", [autoencoder.node_sizes(9), autoencoder.host_sizes(9)])
def test_what_breaks_the_correlation_has_a_larger_error(sizes: tuple[int, ...]) -> None:
    network = autoencoder.train(correlated(1, 500), sizes, 3)
    normal, strange = correlated(2, 300), correlated(2, 300)
    strange[:, 4] *= -3.0
    assert np.median(error(network, strange)) > 20 * np.median(error(network, normal))


def test_progress_is_told_after_every_epoch_and_the_loss_falls() -> None:
    told: list[tuple[int, int, float]] = []
    autoencoder.train(correlated(1, 640), autoencoder.node_sizes(9), 1, lambda *a: told.append(a))
    assert [epoch for epoch, _, _ in told] == list(range(1, told[0][1] + 1))
    assert told[-1][2] < 0.2 * told[0][2]


@pytest.mark.parametrize("windows", [np.zeros((1, 9)), np.zeros((50, 8)), np.full((50, 9), np.nan)])
def test_windows_that_cannot_be_learnt_are_refused(windows: np.ndarray) -> None:
    with pytest.raises(ValueError, match="cannot train 9 features"):
        autoencoder.train(windows, autoencoder.node_sizes(9), 1)
