"""The LiteRT detector: verdicts, equality over batches, and models it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gateway.detectors import detector
from gateway.detectors.bundle import Bundle, BundleBroken
from gateway.training import autoencoder, bundle_writer, dense, reference_int8, tflite_file
from gateway.training.commission import Features
from gateway.training.tflite_file import Network
from tests.detectors.conftest import normal_windows


def broken_windows(seed: int, count: int) -> Features:
    """One reading no longer follows the others."""
    windows = normal_windows(seed, count)
    windows[:, 2] += 3000
    return windows


@pytest.mark.parametrize("which", ["node", "host"])
def test_normal_is_below_the_threshold_and_a_fault_above(which: str, request: pytest.FixtureRequest) -> None:
    bundle: Bundle = request.getfixturevalue(which)
    model = detector(bundle)
    limit = bundle.manifest.threshold
    normal = model.score(normal_windows(9, 200).tolist())
    fault = model.score(broken_windows(9, 200).tolist())
    assert sum(value > limit for value in normal) <= 4
    assert sum(value > limit for value in fault) >= 190
    assert all(type(value) is int for value in fault)


@pytest.mark.parametrize("which", ["node", "host"])
def test_a_value_does_not_depend_on_the_batch(which: str, request: pytest.FixtureRequest) -> None:
    bundle: Bundle = request.getfixturevalue(which)
    windows = normal_windows(4, 150).tolist()
    model = detector(bundle)
    together = model.score(windows)
    assert [model.score([window])[0] for window in windows] == together
    assert detector(bundle).score(windows[::-1]) == together[::-1]
    assert model.score([]) == []


def test_the_float_value_is_the_mean_squared_standardised_error(host: Bundle) -> None:
    windows = normal_windows(5, 50)
    offset, multiplier, shift = np.array(host.manifest.scaling).T
    z = (windows - offset) * multiplier / 2.0**shift
    expected = 1e6 * np.mean((z - dense.activations(tflite_file.read(host.model), z)[-1]) ** 2, axis=1)
    assert np.allclose(detector(host).score(windows.tolist()), expected, rtol=1e-3, atol=2)


def test_a_nodes_model_gives_nearly_what_the_node_computes(node: Bundle) -> None:
    """LiteRT rounds once, the node twice: the verdicts agree but for windows at the very threshold."""
    windows = np.concatenate([normal_windows(6, 300), broken_windows(6, 300)])
    network = tflite_file.read(node.model)
    assert node.manifest.node is not None
    on_node = reference_int8.errors(network, node.manifest.scaling, windows) > node.manifest.node.threshold
    on_host = np.array(detector(node).score(windows.tolist())) > node.manifest.threshold
    assert np.sum(on_node != on_host) <= 3


def with_weight(network: Network, weight: float) -> bytes:
    first = network.layers[0]
    changed = np.full_like(first.weights, weight)
    return tflite_file.write(Network((replace(first, weights=changed), *network.layers[1:])))


def test_a_model_whose_weights_are_no_numbers_is_refused(host: Bundle) -> None:
    model = with_weight(tflite_file.read(host.model), float("nan"))
    with pytest.raises(BundleBroken, match="weights are not all numbers"):
        detector(Bundle(host.folder, host.manifest, model))


def test_an_error_beyond_float32_is_the_largest_value(host: Bundle) -> None:
    model = with_weight(tflite_file.read(host.model), 1e38)
    assert detector(Bundle(host.folder, host.manifest, model)).score([[2**31 - 1] * 6]) == [2**53]


def test_a_window_of_another_length_is_refused(host: Bundle) -> None:
    with pytest.raises(ValueError, match="window 1 has 5 features, the model 6"):
        detector(host).score([[0] * 6, [0] * 5])


def test_extreme_windows_have_a_value(host: Bundle, node: Bundle) -> None:
    for bundle in (host, node):
        low, high = detector(bundle).score([[-(2**31)] * 6, [2**31 - 1] * 6])
        assert low > bundle.manifest.threshold
        assert high > bundle.manifest.threshold


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (bytes(4) + b"TFL3" + bytes(100), "LiteRT refuses it"),
        (b"", "LiteRT refuses it"),
        (None, "shapes"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(host: Bundle, tmp_path: Path, model: bytes | None, reason: str) -> None:
    if model is None:
        random = np.random.default_rng(1)
        model = tflite_file.write(autoencoder.train(random.normal(size=(20, 9)), autoencoder.node_sizes(9), 1))
        bundle_writer.write(tmp_path, host.manifest, model, None)
    with pytest.raises(BundleBroken) as raised:
        detector(Bundle(tmp_path, host.manifest, model))
    assert raised.value.file == tmp_path / "model.tflite"
    assert reason in raised.value.reason
