"""int8: close to the float network, a scale for each row only where it helps, logits in as fine steps as they need."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tflite_micro.python.tflite_micro import runtime

from gateway.detectors import errors
from gateway.detectors.direct import Network as Engine
from gateway.training import autoencoder, classifier, dense, quantise, reference_int8, tflite_file
from gateway.training.tflite_file import Network
from tests.nodes.conftest import node_build  # noqa: F401
from tests.training.conditions import NAMES, drawn, standardised

FIT, LABELS = drawn(1, 300)
WINDOWS, OTHERS = standardised(FIT), standardised(drawn(2, 200)[0])


@pytest.fixture(scope="module")
def network() -> Network:
    return autoencoder.train(WINDOWS, autoencoder.node_sizes(6), 1)


def uneven(network: Network) -> Network:
    """The same function but for one row of the second layer, whose weights are a hundred times the others'."""
    layer = network.layers[1]
    loud = np.vstack([layer.weights[:-1] / 100, layer.weights[-1:]])
    quiet = layer.bias.copy()
    quiet[:-1] /= 100
    back = network.layers[2].weights.copy()
    back[:, :-1] *= 100
    layers = [*network.layers]
    layers[1] = replace(layer, weights=loud.astype(np.float32), bias=quiet)
    layers[2] = replace(layers[2], weights=back)
    return Network(tuple(layers))


def test_even_weights_have_one_scale(network: Network) -> None:
    """Rows whose largest weights are equal gain nothing from a scale each."""
    even = Network(tuple(replace(x, weights=x.weights / abs(x.weights).max(1, keepdims=True)) for x in network.layers))
    found = quantise.best(even, WINDOWS, OTHERS)
    assert found.per_row == (False,) * 4
    assert found.output_error == found.output_error_per_tensor
    assert all(len(layer.weight_scales) == 1 for layer in found.network.layers)


@pytest.mark.usefixtures("node_build")
def test_uneven_rows_have_scales_of_their_own(network: Network) -> None:
    found = quantise.best(uneven(network), WINDOWS, OTHERS)
    assert found.per_row[1]
    assert found.output_error < 0.8 * found.output_error_per_tensor
    data = tflite_file.write(found.network)
    q = np.random.default_rng(1).integers(-128, 128, (50, 6)).astype(np.int8)
    tflm = runtime.Interpreter.from_bytes(data)
    engine = Engine(data)
    for row in q:
        tflm.set_input(row[None], 0)
        tflm.invoke()
        assert np.array_equal(engine.run(row)[0], tflm.get_output(0)[0])
    assert np.array_equal(engine.run(q), reference_int8.infer(found.network, q.astype(np.int64)))


def test_the_output_error_is_what_it_says(network: Network) -> None:
    int8 = quantise.quantise(network, WINDOWS)
    q = np.clip(np.rint(OTHERS / int8.input.scale), -128, 127).astype(np.int64)
    outputs = int8.input.scale * reference_int8.infer(int8, q)
    expected = np.sqrt(np.mean((outputs - dense.activations(network, OTHERS)[-1]) ** 2))
    assert quantise.output_error(network, int8, OTHERS) == pytest.approx(expected)


def test_an_autoencoders_ends_are_alike_a_classifiers_output_has_its_own_steps(network: Network) -> None:
    assert (int8 := quantise.quantise(network, WINDOWS)).layers[-1].output == int8.input
    trained = classifier.train(WINDOWS, LABELS, NAMES, classifier.node_sizes(6, 3), 1)
    strange = classifier.strangers(WINDOWS, LABELS, 1)
    int8 = quantise.quantise(trained, WINDOWS, "classifier", strange)
    logits = dense.activations(trained, np.concatenate([WINDOWS, strange]))[-1]
    assert int8.layers[-1].output.scale == pytest.approx(np.ptp(logits) / 255, rel=1e-5)


def test_what_lies_far_out_is_as_far_out_in_int8() -> None:
    """Where layers had room for normal windows only, all logits of a stranger would come out the same."""
    trained = classifier.train(WINDOWS, LABELS, NAMES, classifier.node_sizes(6, 3), 1)
    strange = classifier.strangers(WINDOWS, LABELS, 2)
    int8 = quantise.quantise(trained, WINDOWS, "classifier", classifier.strangers(WINDOWS, LABELS, 1))
    q = np.clip(np.rint(strange / int8.input.scale), -128, 127).astype(np.int64)
    margins = errors.margin(reference_int8.infer(int8, q)) * int8.layers[-1].output.scale
    assert np.quantile(np.abs(margins - errors.margin(dense.activations(trained, strange)[-1])), 0.99) < 1.0


def test_per_row_scales_of_a_layer_that_is_all_zero(network: Network) -> None:
    silent = replace(network.layers[0], weights=np.zeros_like(network.layers[0].weights))
    layers = (silent, *network.layers[1:])
    for per_row in (None, [True] * 4):
        int8 = quantise.quantise(Network(layers), WINDOWS, per_row=per_row)
        assert not int8.layers[0].weights.any()
