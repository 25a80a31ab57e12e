"""`direct` refuses by name and reason what it cannot run, and reads no byte outside a damaged file."""

import ctypes
from itertools import pairwise

import numpy as np
import pytest

from tests.nodes.direct_engine import Direct, Refused, State, any_byte_changed, cut_anywhere, load
from tests.nodes.tflite_networks import Layer, Network, model_of, pack, tflite_of

pytestmark = pytest.mark.usefixtures("node_build")

GRAPH = "not a graph"
SHAPE = "shapes do not fit"
QUANTIZATION = "scales or zero points"
OPTIONS = "an activation function, option or storage format"
TYPE = "a type that is not supported"
LARGE = "more operators, values or memory"


def network():
    rng = np.random.default_rng(5)
    sizes = (6, 4, 3, 6)
    layers = [
        Layer(rng.integers(-127, 128, (b, a)), rng.integers(-99, 99, b), [0.02] * (b if b == 4 else 1), 0.3, 5, 1)
        for a, b in pairwise(sizes)
    ]
    return Network(0.3, 5, layers)


def test_it_asks_for_exactly_the_memory_it_says():
    direct = Direct(tflite_of(network()))
    assert direct.run(np.arange(6)).shape == (6,)  # Direct checks the bytes behind
    # Inner activations lie at either end of one arena: a third layer needs no more of it than the second, whose input
    # and output, and the first one's output and unpacked input, are the most that live at once.
    one = Direct(tflite_of(Network(0.3, 5, network().layers[:1])))
    two = Direct(tflite_of(Network(0.3, 5, network().layers[:2])))
    per_layer = direct.memory_size - two.memory_size
    assert 40 <= per_layer <= 64
    assert two.memory_size - one.memory_size == per_layer + 8


@pytest.mark.parametrize("start", range(8))
def test_the_file_need_not_be_aligned(start):
    tflite = tflite_of(network())
    shifted = ctypes.create_string_buffer(b"x" * start + tflite, start + len(tflite))
    lib, state = load(), State()
    address = ctypes.addressof(shifted) + start
    assert lib.network_open(ctypes.byref(state), ctypes.c_void_p(address), ctypes.c_size_t(len(tflite))) == 0
    memory = (ctypes.c_uint64 * 64)()
    assert lib.network_attach(ctypes.byref(state), memory, ctypes.c_size_t(512)) == 0
    x, out = np.arange(6, dtype=np.int8), np.empty(6, np.int8)
    lib.network_run(ctypes.byref(state), ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(out.ctypes.data))
    assert np.array_equal(out, Direct(tflite).run(x))


def test_too_little_or_unaligned_memory_is_refused():
    lib, state, tflite = load(), State(), tflite_of(network())
    assert lib.network_open(ctypes.byref(state), tflite, ctypes.c_size_t(len(tflite))) == 0
    need = state.memory_size
    memory = (ctypes.c_uint64 * 128)()
    assert lib.network_attach(ctypes.byref(state), memory, ctypes.c_size_t(need - 1)) == 10
    odd = ctypes.c_void_p(ctypes.addressof(memory) + 1)
    assert lib.network_attach(ctypes.byref(state), odd, ctypes.c_size_t(need)) == 10


def refused(change):
    model = model_of(network())
    change(model)
    with pytest.raises(Refused) as refusal:
        Direct(pack(model))
    return str(refusal.value)


def tensor(model, i):
    return model.subgraphs[0].tensors[i]  # 0 input; 1 weights, 2 bias, 3 output of layer 0; ...


def operator(model, i):
    return model.subgraphs[0].operators[i]


CHANGES = {
    "another operator": (lambda m: vars(m.operatorCodes[0]).update(builtinCode=22), "RESHAPE"),
    "an operator of the new numbers": (
        lambda m: vars(m.operatorCodes[0]).update(builtinCode=150, deprecatedBuiltinCode=127), "GELU"
    ),
    "a custom operator": (lambda m: vars(m.operatorCodes[0]).update(builtinCode=32), "CUSTOM"),
    "an unknown operator": (lambda m: vars(m.operatorCodes[0]).update(builtinCode=9999), "UNKNOWN"),
    "another schema version": (lambda m: vars(m).update(version=2), "schema version 3"),
    "two subgraphs": (lambda m: m.subgraphs.append(m.subgraphs[0]), GRAPH),
    "two inputs": (lambda m: vars(m.subgraphs[0]).update(inputs=[0, 0]), GRAPH),
    "no operators": (lambda m: vars(m.subgraphs[0]).update(operators=[]), GRAPH),
    "layers out of order": (lambda m: m.subgraphs[0].operators.reverse(), GRAPH),
    "an output that nobody makes": (lambda m: vars(m.subgraphs[0]).update(outputs=[1]), GRAPH),
    "a layer onto itself": (lambda m: vars(operator(m, 0)).update(outputs=[0]), SHAPE),
    "a tensor that is not there": (lambda m: vars(operator(m, 0)).update(inputs=[0, 99, 2]), GRAPH),
    "a buffer that is not there": (lambda m: vars(tensor(m, 1)).update(buffer=99), GRAPH),
    "an operator code that is not there": (lambda m: vars(operator(m, 1)).update(opcodeIndex=3), GRAPH),
    "weights left out": (lambda m: vars(operator(m, 0)).update(inputs=[0, -1, 2]), GRAPH),
    "an input left out": (lambda m: vars(operator(m, 0)).update(inputs=[-1, 1, 2]), GRAPH),
    "four inputs": (lambda m: vars(operator(m, 0)).update(inputs=[0, 1, 2, -1]), GRAPH),
    "no inputs": (lambda m: vars(operator(m, 0)).update(inputs=[]), GRAPH),
    "two outputs": (lambda m: vars(operator(m, 0)).update(outputs=[3, 3]), GRAPH),
    "an output left out": (lambda m: vars(operator(m, 0)).update(outputs=[-1]), GRAPH),
    "weights that are an activation": (lambda m: vars(operator(m, 0)).update(inputs=[0, 0, 2]), GRAPH),
    "tanh": (lambda m: vars(operator(m, 0).builtinOptions).update(fusedActivationFunction=4), OPTIONS),
    "shuffled weights": (lambda m: vars(operator(m, 0).builtinOptions).update(weightsFormat=1), OPTIONS),
    "no options": (lambda m: vars(operator(m, 0)).update(builtinOptionsType=0, builtinOptions=None), OPTIONS),
    "a variable": (lambda m: vars(tensor(m, 1)).update(isVariable=True), OPTIONS),
    "data outside the vectors": (lambda m: vars(m.buffers[1]).update(offset=16, size=24), OPTIONS),
    "int16 activations": (lambda m: vars(tensor(m, 3)).update(type=7), TYPE),
    "int4 weights": (lambda m: vars(tensor(m, 1)).update(type=17), TYPE),
    "a float bias": (lambda m: vars(tensor(m, 2)).update(type=0), TYPE),
    "a batch of two": (lambda m: vars(tensor(m, 0)).update(shape=[2, 6]), SHAPE),
    "five dimensions": (lambda m: vars(tensor(m, 0)).update(shape=[1, 1, 1, 1, 6]), SHAPE),
    "no values": (lambda m: vars(tensor(m, 0)).update(shape=[1, 0]), SHAPE),
    "weights the other way": (lambda m: vars(tensor(m, 4)).update(shape=[4, 3]), SHAPE),
    "too few weights": (lambda m: vars(m.buffers[1]).update(data=m.buffers[1].data[:-1]), SHAPE),
    "too few biases": (lambda m: vars(m.buffers[2]).update(data=m.buffers[2].data[:-4]), SHAPE),
    "a huge activation": (lambda m: vars(tensor(m, 0)).update(shape=[1, 1 << 25]), SHAPE),
    "a negative size": (lambda m: vars(tensor(m, 0)).update(shape=[1, -6]), SHAPE),
    "no scales": (lambda m: vars(tensor(m, 0)).update(quantization=None), QUANTIZATION),
    "a scale of zero": (lambda m: vars(tensor(m, 0).quantization).update(scale=[0.0]), QUANTIZATION),
    "a negative scale": (lambda m: vars(tensor(m, 0).quantization).update(scale=[-0.5]), QUANTIZATION),
    "an infinite scale": (lambda m: vars(tensor(m, 0).quantization).update(scale=[float("inf")]), QUANTIZATION),
    "no number": (lambda m: vars(tensor(m, 4).quantization).update(scale=[float("nan")]), QUANTIZATION),
    "a zero point of 128": (lambda m: vars(tensor(m, 0).quantization).update(zeroPoint=[128]), QUANTIZATION),
    "a wide zero point": (lambda m: vars(tensor(m, 0).quantization).update(zeroPoint=[2**32]), QUANTIZATION),
    "asymmetric weights": (lambda m: vars(tensor(m, 4).quantization).update(zeroPoint=[1]), QUANTIZATION),
    "scales by column": (lambda m: vars(tensor(m, 1).quantization).update(quantizedDimension=1), QUANTIZATION),
    "a scale too few": (lambda m: vars(tensor(m, 1).quantization).update(scale=[0.1] * 3), QUANTIZATION),
    "a zero point too few": (lambda m: vars(tensor(m, 1).quantization).update(zeroPoint=[0] * 3), QUANTIZATION),
    "an asymmetric row": (lambda m: vars(tensor(m, 1).quantization).update(zeroPoint=[0, 0, 1, 0]), QUANTIZATION),
    "a bias of another scale": (lambda m: vars(tensor(m, 5).quantization).update(scale=[0.5]), QUANTIZATION),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_it_says_why_it_refuses(name):
    change, reason = CHANGES[name]
    assert reason in refused(change)


def test_what_comes_behind_the_output_does_not_run():
    model = model_of(network())
    model.subgraphs[0].outputs = operator(model, 1).outputs
    whole, two = Direct(pack(model)), Direct(tflite_of(Network(0.3, 5, network().layers[:2])))
    assert np.array_equal(whole.run(np.arange(6)), two.run(np.arange(6)))
    assert whole.memory_size == two.memory_size


def test_two_hundred_and_fifty_six_layers_are_too_many():
    layer = Layer(np.array([[1]]), None, [1.0], 1.0, 0)
    assert Direct(tflite_of(Network(1.0, 0, [layer] * 255))).run(np.array([77])).tolist() == [77]
    with pytest.raises(Refused, match=LARGE):
        Direct(tflite_of(Network(1.0, 0, [layer] * 256)))


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\0\0\0\0TFL3", b"\xff\xff\xff\xffTFL3", b"\x08\0\0\0TFL4\0\0\0\0"])
def test_what_is_no_tflite_file_is_refused(data):
    with pytest.raises(Refused):
        Direct(data)


def test_a_file_cut_anywhere_is_refused_or_gives_the_same():
    cut_anywhere(tflite_of(network()), np.arange(6) * 20 - 60)


def test_a_file_with_any_byte_changed_is_refused_or_runs():
    any_byte_changed(tflite_of(network()))
