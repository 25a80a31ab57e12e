"""Each operator of `direct`, and whole networks of them, give the bits of TFLite Micro."""

import numpy as np
import pytest

from tests.nodes.direct_engine import Direct
from tests.nodes.ops import layers
from tests.nodes.ops.cases import GRAPHS, OPERATORS, Case
from tests.nodes.ops.comparison import Tally, compare_many
from tests.nodes.tflite_networks import ACTIVATIONS, Graph

pytestmark = pytest.mark.usefixtures("node_build")

EVERY_INT8 = np.arange(-128, 128, dtype=np.int8)
# Outputs that a hundred networks have at the least: each test says what it has compared.
LEAST = dict.fromkeys(OPERATORS, 8_000) | {"MEAN": 2_000}


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_of_any_shape_and_quantisation_agrees(name, record_property):
    tally = compare_many(OPERATORS[name], 200)
    record_property("outputs compared", tally.compared)
    assert tally.compared > LEAST[name]


@pytest.mark.parametrize("name", GRAPHS)
def test_networks_of_many_operators_agree(name, record_property):
    tally = compare_many(GRAPHS[name], 200)
    record_property("outputs compared", tally.compared)
    assert tally.compared > 1_000


@pytest.mark.parametrize("name", ["LOGISTIC", "SOFTMAX", "QUANTIZE", "DEQUANTIZE"])
def test_every_int8_agrees_at_all_scales(name, record_property):
    """From scales at which all values are one to such at which neighbours are worlds apart."""
    tally = Tally()
    rng = np.random.default_rng(4)
    for exponent in np.arange(-20, 3, 0.37):
        graph = Graph()
        x = layers.tensor(graph, [1, 256], 2**exponent, int(rng.integers(-128, 128)))
        if name == "SOFTMAX":
            y = layers.softmax(graph, rng, x)
        elif name == "QUANTIZE":
            y = layers.quantize(graph, rng, x)
        else:
            y = (layers.logistic if name == "LOGISTIC" else layers.dequantize)(graph, x)
        rows = [EVERY_INT8, EVERY_INT8[::-1], np.minimum(EVERY_INT8, 0), np.maximum(EVERY_INT8 // 16, -3)]
        tally.compare(Case(graph.tflite([x.index], [y.index]), [row.reshape(1, -1) for row in rows]))
    record_property("outputs compared", tally.compared)
    assert tally == Tally(63 * 4 * 256, 0)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("operator", ["CONV_2D", "ADD", "MAX_POOL_2D"])
def test_every_activation_clamps_where_the_interpreter_does(operator, name):
    tally = Tally()
    for zero_point in (-128, -100, 0, 100, 127):
        for scale in (0.005, 0.0236, 0.1, 3.0):
            graph = Graph()
            x = layers.tensor(graph, [1, 16, 16, 1], scale, zero_point)
            y = layers.tensor(graph, [1, 16, 16, 1], scale, zero_point)
            inputs = [x.index]
            options = {"strideH": 1, "strideW": 1, "padding": 1}
            if operator == "CONV_2D":
                inputs.append(graph.constant(np.full([1, 1, 1, 1], 64, np.int8), [1 / 32]))
            elif operator == "ADD":
                inputs, options = inputs * 2, {}
            else:
                options |= {"filterHeight": 1, "filterWidth": 1}
            graph.add(operator, inputs, y.index, fusedActivationFunction=ACTIVATIONS[name], **options)
            tally.compare(Case(graph.tflite([x.index], [y.index]), [EVERY_INT8.reshape(1, 16, 16, 1)]))
    assert tally == Tally(20 * 256, 0)


def test_floats_beyond_all_bounds_saturate():
    """A plain cast means nothing there; a Cortex-M's own conversion saturates and takes what is no number as 0."""
    graph = Graph()
    x, y = graph.activation([7], kind="float32"), graph.activation([7], 0.5, -10)
    graph.add("QUANTIZE", [x], y)
    values = np.array([np.inf, -np.inf, np.nan, -np.nan, 3e38, -3e38, 1e-45], np.float32)
    assert Direct(graph.tflite([x], [y])).run(values).tolist() == [127, -128, -10, -10, 127, -128, -10]
