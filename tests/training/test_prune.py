"""Pruning: as many zeros as wanted, the smallest weights, what it costs told, the zeros still there in int8."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gateway.training import autoencoder, classifier, dense, tflite_file
from gateway.training.commission import node_bundle
from gateway.training.dense import Unsuitable
from gateway.training.prune import Lesson, Pruned, prune
from tests.training.conditions import NAMES, PURPOSE, drawn, parts, standardised

FIT, LABELS = drawn(1, 300)
HELD_OUT, HELD_OUT_LABELS = drawn(2, 200)
WINDOWS, OTHERS = standardised(FIT), standardised(HELD_OUT)
LESSON = Lesson(WINDOWS, WINDOWS, OTHERS, OTHERS, autoencoder.squared_error)


@pytest.fixture(scope="module")
def network() -> tflite_file.Network:
    return autoencoder.train(WINDOWS, autoencoder.node_sizes(6), 1)


@pytest.fixture(scope="module")
def pruned(network: tflite_file.Network) -> Pruned:
    return prune(network, LESSON, 0.5, 1)


def test_each_layer_has_its_share_of_zeros(pruned: Pruned) -> None:
    shares = [np.mean(layer.weights == 0) for layer in pruned.network.layers]
    assert all(0.5 <= share < 0.6 for share in shares)
    zeros = sum(int((layer.weights == 0).sum()) for layer in pruned.network.layers)
    assert pruned.sparsity == zeros / sum(layer.weights.size for layer in pruned.network.layers)


def test_the_first_cut_takes_the_smallest_weights(network: tflite_file.Network) -> None:
    """With next to no tuning the weights that are left are those that were largest."""
    found = prune(network, LESSON, 0.05, 1).network
    for before, after in zip(network.layers, found.layers, strict=True):
        gone = np.abs(before.weights[after.weights == 0])
        assert gone.max() < np.median(np.abs(before.weights))


def test_what_it_costs_is_told_as_it_is(network: tflite_file.Network, pruned: Pruned) -> None:
    for loss, of in ((pruned.loss_before, network), (pruned.loss, pruned.network)):
        assert loss == np.mean((dense.activations(of, OTHERS)[-1] - OTHERS) ** 2)
    assert pruned.deflated < 0.9 * pruned.deflated_before
    assert len(tflite_file.write(pruned.network)) == len(tflite_file.write(network))


def test_tuning_repays_most_of_the_cut(network: tflite_file.Network, pruned: Pruned) -> None:
    """Against the same weights cut from the network and nothing learned since."""
    cut = tflite_file.Network(
        tuple(
            replace(layer, weights=np.where(after.weights == 0, 0, layer.weights))
            for layer, after in zip(network.layers, pruned.network.layers, strict=True)
        )
    )
    untuned = np.mean((dense.activations(cut, OTHERS)[-1] - OTHERS) ** 2)
    assert pruned.loss - pruned.loss_before < 0.5 * (untuned - pruned.loss_before)


def test_the_same_seed_gives_the_same_bytes(network: tflite_file.Network, pruned: Pruned) -> None:
    assert tflite_file.write(prune(network, LESSON, 0.5, 1).network) == tflite_file.write(pruned.network)


def test_a_classifier_that_lost_half_its_weights_still_knows_its_classes() -> None:
    trained = classifier.train(WINDOWS, LABELS, NAMES, classifier.node_sizes(6, 3), 1)
    wanted, others = classifier.targets(LABELS, 3), classifier.targets(HELD_OUT_LABELS, 3)
    found = prune(trained, Lesson(WINDOWS, wanted, OTHERS, others, classifier.cross_entropy), 0.5, 1)
    assert np.mean(dense.activations(found.network, OTHERS)[-1].argmax(axis=1) == HELD_OUT_LABELS) > 0.97


def test_zeros_are_zeros_in_the_nodes_file(tmp_path: Path) -> None:
    bundle = node_bundle(tmp_path, replace(PURPOSE, pruned=0.6), parts()[0])
    weights = [layer.weights for layer in tflite_file.read(bundle.model).layers]
    assert all(np.mean(w == 0) >= 0.6 for w in weights)


@pytest.mark.parametrize(
    ("share", "reason"), [(0.0, "between 0 and 1"), (1.0, "between"), (0.99, "layer 0 no weights")]
)
def test_a_share_that_leaves_nothing_is_refused(network: tflite_file.Network, share: float, reason: str) -> None:
    with pytest.raises(Unsuitable, match=reason):
        prune(network, LESSON, share, 1)
