"""The numpy reference against TensorFlow Lite Micro itself, and the float path against LiteRT."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from tflite_micro.python.tflite_micro import runtime

from gateway.training import autoencoder, dense, quantise, reference_int8, tflite_file
from gateway.training.tflite_file import Dense, Network, Quantisation


def random_network(seed: int, *, per_channel: bool) -> Network:
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 24, random.integers(2, 6))
    upstream = first = Quantisation(float(np.float32(random.uniform(0.001, 0.2))), int(random.integers(-128, 128)))
    layers = []
    for a, b in pairwise(sizes):
        relu = bool(random.integers(2))
        scales = tuple(float(np.float32(s)) for s in random.uniform(0.001, 0.05, b if per_channel else 1))
        # from outputs that saturate to outputs that hardly move
        output = Quantisation(
            float(np.float32(upstream.scale * random.choice([0.02, 0.3, 1.0, 5.0]))),
            -128 if relu else int(random.integers(-128, 128)),
        )
        weights = random.integers(-127, 128, (b, a)).astype(np.int8)
        bias = random.integers(-20_000, 20_000, b).astype(np.int32)
        layers.append(Dense(weights, bias, relu, scales, output))
        upstream = output
    return Network(tuple(layers), first)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_int8_reference_equals_tflm_to_the_last_bit(seed: int, per_channel: bool) -> None:
    network = random_network(seed, per_channel=per_channel)
    data = tflite_file.write(network)
    inputs = network.layers[0].weights.shape[1]
    q = np.random.default_rng(seed + 1).integers(-128, 128, (40, inputs))
    q[:2] = [[-128] * inputs, [127] * inputs]

    tflm = runtime.Interpreter.from_bytes(data)
    expected = []
    for row in q.astype(np.int8):
        tflm.set_input(row[None, :], 0)
        tflm.invoke()
        expected.append(tflm.get_output(0)[0].copy())

    assert np.array_equal(reference_int8.infer(tflite_file.read(data), q), np.array(expected))


def test_int8_litert_is_within_a_few_steps_of_the_reference() -> None:
    windows = np.random.default_rng(5).normal(size=(300, 9))
    network = quantise.quantise(autoencoder.train(windows, autoencoder.node_sizes(9), 1), windows)
    q = np.clip(np.rint(windows / network.input.scale), -128, 127).astype(np.int64)
    assert np.abs(litert(tflite_file.write(network), q.astype(np.int8)) - reference_int8.infer(network, q)).max() <= 3


def test_float_file_in_litert_equals_the_numpy_forward_pass() -> None:
    windows = np.random.default_rng(6).normal(size=(200, 6))
    network = autoencoder.train(windows, autoencoder.host_sizes(6), 1)
    result = litert(tflite_file.write(network), windows.astype(np.float32))
    assert np.allclose(result, dense.activations(network, windows)[-1], atol=1e-5)


@pytest.mark.parametrize("damage", [b"", b"TFL3", bytes(64), bytes(4) + b"TFL3" + bytes(range(200))])
def test_what_is_no_chain_of_layers_is_refused(damage: bytes) -> None:
    with pytest.raises(ValueError, match=r"tflite|fully-connected"):
        tflite_file.read(damage)


def test_round_trip_of_a_file_keeps_every_number() -> None:
    network = random_network(3, per_channel=True)
    again = tflite_file.read(tflite_file.write(network))
    assert tflite_file.write(again) == tflite_file.write(network)
    assert again.input == network.input
    assert [layer.output for layer in again.layers] == [layer.output for layer in network.layers]


def litert(data: bytes, batch: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], batch.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], batch)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
