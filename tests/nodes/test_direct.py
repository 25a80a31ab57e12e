"""`direct` computes what TFLite Micro computes, to the last bit."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tflite_micro.python.tflite_micro import runtime

from gateway.training import tflite_file
from tests.nodes.direct_engine import Direct, Refused
from tests.nodes.tflite_networks import ACTIVATIONS, Layer, Network, model_of, pack, tflite_of

pytestmark = pytest.mark.usefixtures("node_build")


def interpreter_of(tflite):
    return runtime.Interpreter.from_bytes(tflite, arena_size=1 << 18)


def interpret(interpreter, x):
    interpreter.set_input(x.reshape(1, -1), 0)
    interpreter.invoke()
    return interpreter.get_output(0).reshape(-1)


def differing(tflite, inputs):
    """Outputs compared, and how many of them differ between `direct` and TFLite Micro."""
    direct, interpreter = Direct(tflite), interpreter_of(tflite)
    ours = np.concatenate([direct.run(x) for x in inputs])
    theirs = np.concatenate([interpret(interpreter, x) for x in inputs])
    return ours.size, int(np.count_nonzero(ours != theirs))


def random_inputs(rng, n, count):
    edges = [np.full(n, v, np.int8) for v in (-128, 127)]
    return edges + [rng.integers(-128, 128, n, dtype=np.int8) for _ in range(count)]


def scale(rng, low, high):
    return float(np.float32(2 ** rng.uniform(low, high)))


def usual_network(rng):
    """Scales such that the outputs use their range, as training makes them."""
    sizes = rng.integers(1, 65, rng.integers(2, 7))
    current = first = scale(rng, -9, 2)
    layers = []
    for inputs, outputs in pairwise(sizes):
        scales = [scale(rng, -9, 1) for _ in range(outputs if rng.random() < 0.5 else 1)]
        output = float(np.float32(current * np.mean(scales) * 130 * np.sqrt(inputs) * 2 ** rng.uniform(-3, 3)))
        bias = rng.integers(-20000, 20000, outputs) if rng.random() < 0.8 else None
        weights = rng.integers(-127, 128, (outputs, inputs))
        layers.append(Layer(weights, bias, scales, output, *map(int, (rng.integers(-128, 128), rng.integers(0, 4)))))
        current = output
    return Network(first, int(rng.integers(-128, 128)), layers)


def wild_network(rng):
    """Multipliers from far below 2^-31 to beyond 2^30, biases of 32 bits: sums and shifts wrap."""
    sizes = rng.integers(1, 65, rng.integers(2, 7))
    current = first = scale(rng, -20, 10)
    layers = []
    for inputs, outputs in pairwise(sizes):
        scales = [scale(rng, -20, 10) for _ in range(outputs if rng.random() < 0.5 else 1)]
        wanted = current * np.mean(scales) * 2 ** rng.uniform(-31, 36)
        output = float(np.float32(min(max(wanted, 2.0**-26), 2.0**50)))
        bias = rng.integers(-(2**31), 2**31, outputs) if rng.random() < 0.8 else None
        weights = rng.integers(-128, 128, (outputs, inputs))
        layers.append(Layer(weights, bias, scales, output, *map(int, (rng.integers(-128, 128), rng.integers(0, 4)))))
        current = output
    return Network(first, int(rng.integers(-128, 128)), layers)


def largest_multiplier(network):
    scales = [network.input_scale, *(layer.output_scale for layer in network.layers)]
    return max(
        before * max(layer.weight_scales) / after
        for before, after, layer in zip(scales, scales[1:], network.layers, strict=False)
    )


def test_many_random_networks_agree_with_the_interpreter(record_property):
    rng = np.random.default_rng(20240607)
    compared = wrong = 0
    for _ in range(250):
        network = usual_network(rng)
        n, bad = differing(tflite_of(network), random_inputs(rng, network.layers[0].weights.shape[1], 8))
        compared, wrong = compared + n, wrong + bad
    record_property("outputs compared", compared)
    assert wrong == 0
    assert compared > 60_000


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_any_network_of_usual_scales_agrees(seed):
    rng = np.random.default_rng(seed)
    network = usual_network(rng)
    compared, wrong = differing(tflite_of(network), random_inputs(rng, network.layers[0].weights.shape[1], 4))
    assert compared > 0
    assert wrong == 0


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_extreme_networks_agree_and_are_refused_together(seed):
    rng = np.random.default_rng(seed)
    network = wild_network(rng)
    tflite = tflite_of(network)
    try:
        Direct(tflite)
    except Refused as refusal:
        assert str(refusal).startswith("scales or zero points")
        # Beyond 2^30 the interpreter shifts by more bits than it has, which means nothing.
        if largest_multiplier(network) < 2**30 * 0.999:
            with pytest.raises(RuntimeError):
                interpreter_of(tflite)
        return
    try:
        _, wrong = differing(tflite, random_inputs(rng, network.layers[0].weights.shape[1], 4))
    except RuntimeError:
        # It compares a bias's scale, which is rounded to single precision, with a product that is not.
        assert largest_multiplier(network) > 2**17
        return
    assert wrong == 0


@settings(max_examples=150, deadline=None)
@given(st.floats(-9, 3), st.floats(-12, 6))
@example(-5, -3)
@example(-5, -9)
@example(2, 0.02)
@example(2, 0.0)
def test_a_bias_of_another_scale_is_taken_where_the_interpreter_takes_it(multiplier, factor):
    """Products and biases in steps of 2^multiplier of the output's, one of the two 2^factor times that."""
    rng = np.random.default_rng(5)
    layer = Layer(rng.integers(-127, 128, (6, 9)), rng.integers(-99, 100, 6), [0.25], 0.5, 3)
    model = model_of(Network(float(np.float32(2 * 2**multiplier)), -3, [layer]))
    quantization = model.subgraphs[0].tensors[2].quantization
    quantization.scale = [float(np.float32(quantization.scale[0] * 2**factor))]
    tflite = pack(model)
    small = max(multiplier, multiplier + factor) < -6
    try:
        Direct(tflite)
    except Refused as refusal:
        assert str(refusal).startswith("scales or zero points")
        assert not small
        assert factor != 0
        return
    assert differing(tflite, random_inputs(rng, 9, 4)) == (36, 0)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("rows", [1, 24])
def test_every_activation_clamps_where_the_interpreter_does(name, rows):
    rng = np.random.default_rng(7)
    for zero_point in (-128, -100, 0, 100, 127):
        for output_scale in (0.005, 0.0236, 0.1, 3.0):
            weights = rng.integers(-127, 128, (24, 16))
            layer = Layer(weights, None, [0.01] * rows, output_scale, zero_point, ACTIVATIONS[name])
            tflite = tflite_of(Network(0.05, 3, [layer]))
            assert differing(tflite, random_inputs(rng, 16, 8)) == (240, 0)


def test_it_rounds_twice():
    """15/32 is less than a half; halved first it is 7.5, taken up to 8, and 8/16 is a half, taken up again."""
    layer = Layer(np.array([[1]]), np.array([15]), [1.0], 32.0, 0)
    tflite = tflite_of(Network(1.0, 0, [layer]))
    ours = {x: int(Direct(tflite).run(np.array([x]))[0]) for x in range(-128, 128)}
    once = {x: int(np.floor((x + 15) / 32 + 0.5)) for x in range(-128, 128)}
    theirs = interpreter_of(tflite)
    assert ours == {x: int(interpret(theirs, np.array([x], np.int8))[0]) for x in range(-128, 128)}
    assert (ours[0], once[0]) == (1, 0)


def test_what_the_gateway_writes_runs_on_both():
    rng = np.random.default_rng(3)
    layers = []
    for inputs, outputs in ((18, 12), (12, 8), (8, 12), (12, 18)):
        dense = tflite_file.Dense(
            rng.integers(-127, 128, (outputs, inputs)).astype(np.int8),
            rng.integers(-500, 500, outputs).astype(np.int32),
            outputs != 18,
            tuple(scale(rng, -8, -6) for _ in range(outputs)),
            tflite_file.Quantisation(0.06, -3),
        )
        layers.append(dense)
    tflite = tflite_file.write(tflite_file.Network(tuple(layers), tflite_file.Quantisation(0.06, -3)))
    assert differing(tflite, random_inputs(rng, 18, 500)) == (502 * 18, 0)
