"""Classifiers of normal conditions: what they learn, what they refuse, and as Bundles the node's own bits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gateway.detectors import detector, direct, errors
from gateway.detectors.bundle import Bundle
from gateway.training import classifier, dense, reference_int8, tflite_file
from gateway.training.bundle_writer import self_test_of
from gateway.training.commission import host_bundle, node_bundle, regimes
from gateway.training.dense import Unsuitable
from tests.nodes.conftest import node_build  # noqa: F401
from tests.training.conditions import NAMES, PURPOSE, drawn, parts, standardised, strange

FIT, LABELS = drawn(1, 300)
WINDOWS = standardised(FIT)
SIZES = classifier.node_sizes(6, 3)


@pytest.fixture(scope="module")
def network() -> tflite_file.Network:
    return classifier.train(WINDOWS, LABELS, NAMES, SIZES, 1)


def test_the_largest_output_is_the_class(network: tflite_file.Network) -> None:
    other, labels = drawn(9, 300)
    found = dense.activations(network, standardised(other))[-1].argmax(axis=1)
    assert np.mean(found == labels) > 0.97
    assert np.mean(dense.activations(network, standardised(strange(9, 300)))[-1].argmax(axis=1) == 3) > 0.97


def test_outputs_are_logits_whose_softmax_is_the_share_of_right_answers() -> None:
    """Where windows of two conditions look alike, the confidence is what it should be: a half."""
    both, labels = drawn(5, 600, (0,))
    labels = np.random.default_rng(1).integers(0, 2, len(both))
    trained = classifier.train(standardised(both), labels, ("a", "b"), classifier.node_sizes(6, 2), 1)
    logits = dense.activations(trained, standardised(drawn(6, 300, (0,))[0]))[-1]
    shares = 1 / (1 + np.exp(logits[:, 1] - logits[:, 0]))
    assert 0.4 < np.median(shares) < 0.6


def test_far_from_all_conditions_it_is_sure_of_none(network: tflite_file.Network) -> None:
    """Where a network that has seen nothing but its classes is surest."""
    random = np.random.default_rng(4)
    direction = random.normal(size=(300, 6))
    away = WINDOWS + 5 * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    usual, odd = (errors.margin(dense.activations(network, w)[-1]) for w in (standardised(drawn(9, 300)[0]), away))
    assert np.mean(odd < np.quantile(usual, 0.01)) > 0.95


def test_strangers_are_everywhere_but_where_the_windows_are() -> None:
    strange = classifier.strangers(WINDOWS, LABELS, 1)
    nearest = np.sqrt(((strange[:, None] - WINDOWS) ** 2).sum(axis=2)).min(axis=1)
    assert strange.shape == WINDOWS.shape
    assert np.abs(strange).max() <= 2 * np.abs(WINDOWS).max()
    assert np.quantile(nearest, 0.2) < 1 < 2 < np.quantile(nearest, 0.8)
    assert np.array_equal(strange, classifier.strangers(WINDOWS, LABELS, 1))
    assert not np.array_equal(strange, classifier.strangers(WINDOWS, LABELS, 2))


def test_a_rare_class_counts_as_much_as_a_common_one() -> None:
    """Of two conditions that overlap, one has 20 windows of 600: it is not forgotten for that."""
    random = np.random.default_rng(3)
    x = np.concatenate([random.normal(0, 1, (580, 4)), random.normal(1.5, 1, (20, 4))])
    labels = np.repeat([0, 1], [580, 20])
    trained = classifier.train(x, labels, ("common", "rare"), classifier.node_sizes(4, 2), 1)
    rare = dense.activations(trained, random.normal(1.5, 1, (300, 4)))[-1][:, :2].argmax(axis=1)
    assert np.mean(rare == 1) > 0.6


def test_same_seed_same_bytes_other_seed_other_bytes(network: tflite_file.Network) -> None:
    files = [tflite_file.write(classifier.train(WINDOWS, LABELS, NAMES, SIZES, seed)) for seed in (1, 2)]
    assert files[0] == tflite_file.write(network)
    assert files[0] != files[1]


def test_progress_is_told_and_the_loss_falls() -> None:
    told: list[tuple[int, int, float]] = []
    classifier.train(WINDOWS, LABELS, NAMES, SIZES, 1, lambda *a: told.append(a))
    assert [epoch for epoch, _, _ in told] == list(range(1, told[0][1] + 1))
    assert told[-1][2] < 0.7 * told[0][2]  # of strangers there is nothing to learn but ignorance


def test_the_gradient_is_that_of_the_loss() -> None:
    random = np.random.default_rng(2)
    outputs, wanted = random.normal(size=(4, 4)), classifier.targets(np.array([0, 1, 2, 2]), 3)
    _, gradient = classifier.cross_entropy(outputs, wanted)
    for i in range(4):
        for j in range(4):
            nudged = outputs.copy()
            nudged[i, j] += 1e-6
            slope = (classifier.cross_entropy(nudged, wanted)[0] - classifier.cross_entropy(outputs, wanted)[0]) / 1e-6
            assert slope == pytest.approx(gradient[i, j], abs=1e-5)


REFUSED = {
    "one class": ((WINDOWS, np.zeros(300, np.int64), ("slow",), (6, 4, 2)), "2 to 63 classes"),
    "a name twice": ((WINDOWS, LABELS, ("slow", "slow", "fast"), SIZES), "different names"),
    "a class called none": ((WINDOWS, LABELS, ("slow", "none", "fast"), SIZES), "none of them 'none'"),
    "a small class": (
        (WINDOWS, np.where(np.arange(300) < 10, 2, LABELS % 2), NAMES, SIZES), "class 'fast' has 10 windows"
    ),
    "a label too high": ((WINDOWS, LABELS + 1, NAMES, SIZES), "labels go from 0 to 2, not from 1 to 3"),
    "labels of other windows": ((WINDOWS, LABELS[:-1], NAMES, SIZES), "300 windows with 299 labels"),
    "another number of features": ((WINDOWS[:, :5], LABELS, NAMES, SIZES), "6 features on windows of shape"),
    "no numbers": ((np.where(np.arange(300)[:, None] == 7, np.nan, WINDOWS), LABELS, NAMES, SIZES), "window 7"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_learned_is_refused_by_name(name: str) -> None:
    (windows, labels, names, sizes), reason = REFUSED[name]
    with pytest.raises(Unsuitable, match=reason):
        classifier.train(windows, labels, names, sizes, 1)


@pytest.fixture(scope="module", params=[None, 1], ids=["any class", "known class"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    normal, classes = parts(request.param)
    return node_bundle(tmp_path_factory.mktemp("node"), PURPOSE, normal, None, classes)


@pytest.mark.usefixtures("node_build")
def test_a_node_takes_the_bundle_and_computes_what_was_calibrated(bundle: Bundle) -> None:
    """In C, through `direct`, and in the reference: the same errors; so the stated false alarms are the node's."""
    manifest = bundle.manifest
    assert (manifest.kind, manifest.classes, manifest.outputs) == ("classifier", (*NAMES, "none"), 4)
    engine, reference = direct.Network(bundle.model), tflite_file.read(bundle.model)
    windows = np.concatenate([drawn(7, 200)[0], strange(8, 200)])
    found = direct.errors(engine, manifest.scaling, windows, manifest.kind, manifest.known)
    expected = reference_int8.errors(reference, manifest.scaling, windows, manifest.kind, manifest.known)
    assert np.array_equal(found, expected)
    test = self_test_of(bundle)
    features = np.array([test.features])
    assert direct.errors(engine, manifest.scaling, features, manifest.kind, manifest.known).tolist() == [test.error]
    normal, classes = parts(manifest.known)
    check = classes.own(normal).check
    above = direct.errors(engine, manifest.scaling, check, manifest.kind, manifest.known) > manifest.node.threshold
    assert (manifest.quality.windows, manifest.quality.false_alarms) == (len(check), above.sum())


def test_what_is_no_condition_is_seen_and_conditions_are_not(bundle: Bundle, tmp_path: Path) -> None:
    manifest = bundle.manifest
    names = (0, 1, 2) if manifest.known is None else (manifest.known,)
    usual, odd = drawn(17, 200, names)[0], strange(18, 200)
    found = [
        reference_int8.errors(tflite_file.read(bundle.model), manifest.scaling, w, manifest.kind, manifest.known)
        for w in (usual, odd)
    ]
    assert np.mean(found[0] > manifest.node.threshold) <= 0.02
    assert np.median(found[1]) > np.median(found[0]) + 50
    host = host_bundle(tmp_path, PURPOSE, parts()[0], None, replace(parts()[1], known=manifest.known))
    values = [np.array(detector(host).score(w.tolist())) for w in (usual, odd)]
    assert np.mean(values[0] > host.manifest.threshold) <= 0.02
    assert np.median(values[1]) > np.median(values[0])


def test_a_known_class_makes_another_condition_an_anomaly(tmp_path: Path) -> None:
    normal, classes = parts(1)
    manifest = (bundle := node_bundle(tmp_path, PURPOSE, normal, None, classes)).manifest
    network = tflite_file.read(bundle.model)
    for own, share in ((1, 0.0), (0, 1.0), (2, 1.0)):
        found = reference_int8.errors(network, manifest.scaling, drawn(19, 100, (own,))[0], "classifier", 1)
        assert np.mean(found > manifest.node.threshold) == pytest.approx(share, abs=0.05)


def test_the_gateway_judges_as_the_node_does(bundle: Bundle) -> None:
    """LiteRT rounds once, the node twice: they may differ at the very threshold."""
    manifest = bundle.manifest
    windows = np.concatenate([drawn(27, 300)[0], strange(28, 300)])
    network = tflite_file.read(bundle.model)
    found = reference_int8.errors(network, manifest.scaling, windows, manifest.kind, manifest.known)
    on_host = np.array(detector(bundle).score(windows.tolist())) > manifest.threshold
    assert np.sum(on_host != (found > manifest.node.threshold)) <= 6


def test_a_known_class_without_windows_is_refused(tmp_path: Path) -> None:
    normal, classes = parts(2)
    nobody = replace(classes, calibrate=np.zeros_like(classes.calibrate))
    with pytest.raises(Unsuitable, match="no windows of class 'fast' to calibrate"):
        node_bundle(tmp_path, PURPOSE, normal, None, nobody)


def test_regimes_that_nobody_has_named_become_classes(tmp_path: Path) -> None:
    normal, classes = parts()
    found = regimes(normal, PURPOSE)
    assert found.names == ("regime-1", "regime-2", "regime-3")
    for ours, theirs in ((found.fit, classes.fit), (found.check, classes.check)):
        assert len({*zip(ours.tolist(), theirs.tolist(), strict=True)}) == 3  # one to one
    bundle = node_bundle(tmp_path, PURPOSE, normal, None, found)
    assert (bundle.manifest.classes, bundle.manifest.known) == ((*found.names, "none"), None)
