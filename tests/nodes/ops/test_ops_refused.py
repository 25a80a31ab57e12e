"""What an operator of `direct` cannot run it refuses, by its name and a reason, before anything runs."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.nodes.direct_engine import Direct, Refused, any_byte_changed, cut_anywhere
from tests.nodes.ops.cases import Case
from tests.nodes.ops.comparison import Tally
from tests.nodes.ops.small import SMALL, tflite_of

SEEDS = Path(__file__).parents[1] / "fuzz" / "ops_seeds.h"

pytestmark = pytest.mark.usefixtures("node_build")

GRAPH = "not a graph"
SHAPE = "shapes do not fit"
QUANTIZATION = "scales or zero points"
OPTIONS = "an activation function, option or storage format"
SIZE = (SHAPE, "more operators, values or memory")
TYPE = "a tensor of a type"

FILTERS = ("CONV_2D", "DEPTHWISE_CONV_2D")
POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")
WINDOWS = FILTERS + POOLS
PADS = ("PAD", "PADV2")
ALL = tuple(SMALL)


def tensor(i, **fields):
    return lambda g: vars(g.tensor(i)).update(fields)


def last(**fields):
    return lambda g: vars(g.model.subgraphs[0].tensors[-1]).update(fields)


def quantisation(i, **fields):
    return lambda g: vars(g.model.subgraphs[0].tensors[i].quantization).update(fields)


def option(**fields):
    return lambda g: vars(g.operator(0).builtinOptions).update(fields)


def inputs(*numbers):
    return lambda g: vars(g.operator(0)).update(inputs=list(numbers))


def values(buffer, array):
    data = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
    return lambda g: vars(g.model.buffers[buffer]).update(data=data)


def without_data(i):
    return tensor(i, buffer=0)


CHANGES = [
    # Types and shapes
    (ALL, "an input of int16", tensor(0, type=7), TYPE),
    (ALL, "an output of uint8", last(type=3), TYPE),
    (ALL, "an output of five axes", last(shape=[1, 1, 1, 1, 1]), SHAPE),
    (ALL, "an empty output", last(shape=[1, 0, 3, 2]), SHAPE),
    (ALL, "a negative size", last(shape=[1, -5, 3, 2]), SIZE),
    (ALL, "an output of another size", last(shape=[1, 5, 3, 1]), SHAPE),
    (ALL, "a huge input", tensor(0, shape=[4096, 4096, 4096, 2]), SIZE),
    (("QUANTIZE",), "an output of floats", last(type=0), TYPE),
    (("SOFTMAX", "LOGISTIC", *WINDOWS, "MEAN", "ADD", *PADS, "RESHAPE"), "an input of floats", tensor(0, type=0), TYPE),
    (("SOFTMAX",), "an output of int16", last(type=7), TYPE),
    (("SOFTMAX",), "rows of another length", last(shape=[5, 2]), SHAPE),
    (("SOFTMAX",), "one axis less", last(shape=[10]), SHAPE),
    (WINDOWS, "three axes", tensor(0, shape=[5, 6, 2]), SHAPE),
    (WINDOWS, "another number of images", tensor(0, shape=[2, 5, 6, 2]), SHAPE),
    (WINDOWS, "other channels", tensor(0, shape=[1, 5, 6, 3]), SHAPE),
    (WINDOWS, "a row too many", tensor(0, shape=[1, 6, 6, 2]), SHAPE),
    # Inputs
    (FILTERS, "no weights", inputs(0), GRAPH),
    (FILTERS, "weights left out", inputs(0, -1, 2), GRAPH),
    (FILTERS, "weights that are computed", without_data(1), QUANTIZATION),
    (FILTERS, "a bias that is computed", without_data(2), GRAPH),
    (FILTERS, "four inputs", inputs(0, 1, 2, 2), GRAPH),
    (FILTERS, "the image as weights", inputs(1, 0, 2), GRAPH),
    (FILTERS, "a bias of int64", tensor(2, type=4), SHAPE),
    (FILTERS, "weights as a bias", inputs(0, 1, 1), TYPE),
    (FILTERS, "a bias as weights", inputs(0, 2, 2), TYPE),
    (POOLS, "two inputs", inputs(0, 0), GRAPH),
    (("ADD",), "one input", inputs(0), GRAPH),
    (("ADD",), "two constants", inputs(1, 1), GRAPH),
    (("ADD",), "shapes that do not go together", tensor(1, shape=[4, 3]), SHAPE),
    (("MEAN",), "axes that are computed", without_data(1), GRAPH),
    (("MEAN",), "no axes", inputs(0), GRAPH),
    (PADS, "paddings that are computed", without_data(1), GRAPH),
    (PADS, "no paddings", inputs(0), GRAPH),
    (("PADV2",), "a value that is computed", without_data(2), GRAPH),
    (("PADV2",), "paddings for a value", inputs(0, 1, 1), TYPE),
    (("RESHAPE",), "a shape that is computed", without_data(1), GRAPH),
    (("RESHAPE",), "three inputs", inputs(0, 1, 1), GRAPH),
    (("SOFTMAX", "LOGISTIC", "QUANTIZE", "DEQUANTIZE"), "two inputs", inputs(0, 0), GRAPH),
    # Options
    (WINDOWS, "no options", lambda g: vars(g.operator(0)).update(builtinOptionsType=0, builtinOptions=None), OPTIONS),
    (("SOFTMAX", "MEAN", "ADD"), "no options",
     lambda g: vars(g.operator(0)).update(builtinOptionsType=0, builtinOptions=None), OPTIONS),
    ((*WINDOWS, "ADD"), "tanh", option(fusedActivationFunction=4), OPTIONS),
    (WINDOWS, "a stride of 0", option(strideH=0), OPTIONS),
    (WINDOWS, "a stride of 65536", option(strideW=65536), OPTIONS),
    (WINDOWS, "a negative stride", option(strideW=-1), OPTIONS),
    (WINDOWS, "a padding that is not known", option(padding=2), OPTIONS),
    (FILTERS, "a dilation of 0", option(dilationHFactor=0), OPTIONS),
    (FILTERS, "a dilation beyond all images", option(dilationWFactor=40000), OPTIONS),
    (POOLS, "a window of 0", option(filterHeight=0), OPTIONS),
    (POOLS, "a negative window", option(filterWidth=-3), OPTIONS),
    (POOLS, "a window larger than the image", option(filterHeight=6), SHAPE),
    (("DEPTHWISE_CONV_2D",), "another multiplier", option(depthMultiplier=1), SHAPE),
    (("MEAN",), "axes dropped", option(keepDims=False), SHAPE),
    (("MEAN",), "axes that are not height and width", values(1, np.array([1, 3], "<i4")), OPTIONS),
    (("MEAN",), "the same axis twice", values(1, np.array([2, -2], "<i4")), OPTIONS),
    (("SOFTMAX",), "a beta of 0", option(beta=0.0), OPTIONS),
    (("SOFTMAX",), "a negative beta", option(beta=-1.0), OPTIONS),
    (("SOFTMAX",), "a beta that is no number", option(beta=float("nan")), OPTIONS),
    (("SOFTMAX",), "a beta so small that all are equal", option(beta=2.0**-40), OPTIONS),
    (PADS, "a negative padding", values(1, np.array([2, -1, 2, 1], "<i4")), SHAPE),
    (PADS, "paddings that wrap", values(1, np.array([1, 0, 2**31 - 1, 2**31 - 1], "<i4")), SHAPE),
    # Quantisation
    (("CONV_2D", "ADD", "SOFTMAX", "QUANTIZE", "MEAN", "PAD", "AVERAGE_POOL_2D"), "no scales",
     tensor(0, quantization=None), QUANTIZATION),
    (FILTERS, "asymmetric weights", quantisation(1, scale=[0.1], zeroPoint=[1]), QUANTIZATION),
    (FILTERS, "a scale too few", quantisation(1, scale=[0.1, 0.1]), QUANTIZATION),
    (FILTERS, "scales of another axis", quantisation(1, quantizedDimension=2), QUANTIZATION),
    (FILTERS, "an infinite scale", quantisation(1, scale=[float("inf")] * 4), QUANTIZATION),
    (FILTERS, "a multiplier too large", quantisation(-1, scale=[2.0**-40]), QUANTIZATION),
    (POOLS, "another scale", quantisation(-1, scale=[0.06]), QUANTIZATION),
    (POOLS, "another zero point", quantisation(-1, zeroPoint=[4]), QUANTIZATION),
    (("ADD",), "an output much finer than the inputs", quantisation(-1, scale=[2.0**-30]), QUANTIZATION),
    (("ADD",), "a constant with a scale for each row", quantisation(1, scale=[0.1] * 3, zeroPoint=[0] * 3),
     QUANTIZATION),
    (("MEAN", "QUANTIZE"), "an output much finer than the input", quantisation(-1, scale=[2.0**-40]), QUANTIZATION),
    (("PADV2",), "a value of another scale", quantisation(2, scale=[0.06]), QUANTIZATION),
    (("PADV2",), "a value of another zero point", quantisation(2, zeroPoint=[4]), QUANTIZATION),
    (("SOFTMAX", "LOGISTIC"), "another output scale", quantisation(-1, scale=[1 / 255]), QUANTIZATION),
    (("SOFTMAX", "LOGISTIC"), "another output zero point", quantisation(-1, zeroPoint=[-127]), QUANTIZATION),
    (("LOGISTIC",), "an input without a multiplier", quantisation(0, scale=[2.0**-30]), QUANTIZATION),
]  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_the_small_files_run_and_agree(name):
    """So that what is refused below is refused for its change."""
    tflite = tflite_of(SMALL[name]())
    network = Direct(tflite)
    shape = SMALL[name]().tensor(0).shape
    kind = np.float32 if name == "QUANTIZE of floats" else np.int8
    tally = Tally()
    tally.compare(Case(tflite, [np.arange(network.inputs).reshape(shape).astype(kind)]))
    assert tally.compared > 0
    assert tally.different == 0


@pytest.mark.parametrize(
    ("name", "what", "change", "reason"),
    [(name, what, change, reason) for names, what, change, reason in CHANGES for name in names],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_says_which_operator_and_why(name, what, change, reason):
    graph = SMALL[name]()
    change(graph)
    with pytest.raises(Refused) as refusal:
        Direct(tflite_of(graph))
    assert str(refusal.value).endswith(f": {name.split()[0]}"), what
    assert str(refusal.value).startswith(reason)


@pytest.mark.parametrize("name", SMALL)
def test_a_file_cut_anywhere_is_refused_or_gives_the_same(name):
    tflite = tflite_of(SMALL[name]())
    cut_anywhere(tflite, np.arange(Direct(tflite).inputs))


@pytest.mark.parametrize("name", SMALL)
def test_a_file_with_any_byte_changed_is_refused_or_runs(name):
    any_byte_changed(tflite_of(SMALL[name]()))


def test_the_fuzzer_starts_from_a_whole_file_for_each_operator():
    """They are written down in C; should small.py move on, `python -m tests.nodes.ops.small` writes them anew."""
    arrays = re.findall(r"seed_(\w+)\[\] = {([\d,\s]+)}", SEEDS.read_text())
    assert [name for name, _ in arrays] == [name.lower().replace(" ", "_") for name in SMALL]
    for (_, text), graph in zip(arrays, SMALL.values(), strict=True):
        seed, own = Direct(bytes(map(int, re.findall(r"\d+", text)))), Direct(tflite_of(graph()))
        x = np.arange(own.inputs) * 5
        assert np.array_equal(seed.run(x), own.run(x))
