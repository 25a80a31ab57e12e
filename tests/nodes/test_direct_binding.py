"""The Python binding of the node's engine gives what the interpreter gives, and says what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_micro.python.tflite_micro import runtime

from gateway.detectors import direct, node_library
from gateway.detectors.direct import LibraryMissing, Network, Refused
from gateway.training import reference_int8, tflite_file

pytestmark = pytest.mark.usefixtures("node_build")
SCALING = [(10 * i, 3 * 2**20 + i, 24) for i in range(9)]


def autoencoder(seed: int) -> tflite_file.Network:
    rng = np.random.default_rng(seed)
    ends = tflite_file.Quantisation(0.06, int(rng.integers(-20, 20)))
    inner = tflite_file.Quantisation(0.08, -128)
    layers = [
        tflite_file.Dense(
            rng.integers(-127, 128, (outputs, inputs)).astype(np.int8),
            rng.integers(-500, 500, outputs).astype(np.int32),
            relu,
            (float(np.float32(rng.uniform(0.001, 0.02))),),
            inner if relu else ends,
        )
        for inputs, outputs, relu in ((9, 6, True), (6, 4, True), (4, 9, False))
    ]
    return tflite_file.Network(tuple(layers), ends)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 40))
def test_a_batch_is_what_the_interpreter_gives_one_by_one(seed: int, batch: int) -> None:
    tflite = tflite_file.write(autoencoder(seed))
    inputs = np.random.default_rng(seed).integers(-128, 128, (batch, 9)).astype(np.int8)
    interpreter = runtime.Interpreter.from_bytes(tflite)
    expected = []
    for x in inputs:
        interpreter.set_input(x.reshape(1, -1), 0)
        interpreter.invoke()
        expected.append(interpreter.get_output(0)[0])
    outputs = Network(tflite).run(inputs)
    assert outputs.dtype == np.int8
    assert np.array_equal(outputs, np.array(expected, np.int8).reshape(batch, 9))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_errors_are_those_of_the_training_code(seed: int) -> None:
    network = autoencoder(seed)
    features = np.random.default_rng(seed).integers(-5000, 5000, (50, 9)).astype(np.int64)
    found = direct.errors(Network(tflite_file.write(network)), SCALING, features)
    assert np.array_equal(found, reference_int8.errors(network, SCALING, features))


def test_it_knows_its_ends() -> None:
    network = autoencoder(1)
    assert network.input is not None
    opened = Network(tflite_file.write(network))
    assert (opened.input.size, opened.output.size) == (9, 9)
    assert opened.input.scale == pytest.approx(network.input.scale)
    assert opened.input.zero_point == network.input.zero_point
    assert opened.input.dtype == np.int8
    assert 0 < opened.memory_size < 400


def test_a_refusal_has_reason_operator_and_place() -> None:
    floats = [tflite_file.Dense(np.ones((3, 3)), np.zeros(3), relu=True)] * 2
    with pytest.raises(Refused) as refusal:
        Network(tflite_file.write(tflite_file.Network(tuple(floats))))
    assert (refusal.value.op, refusal.value.at) == ("FULLY_CONNECTED", 0)
    assert "a type that is not supported" in refusal.value.reason
    with pytest.raises(Refused) as refusal:
        Network(b"no model at all")
    assert refusal.value.op == ""


@pytest.mark.parametrize("inputs", [np.zeros((2, 8)), np.zeros((1, 2, 9)), np.full((1, 9), 128), np.full((1, 9), 0.5)])
def test_inputs_that_do_not_fit_are_told(inputs: np.ndarray) -> None:
    with pytest.raises(ValueError, match="inputs are"):
        Network(tflite_file.write(autoencoder(1))).run(inputs)


def test_without_the_library_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STETHOS_NODE_BUILD", str(tmp_path))
    with pytest.raises(LibraryMissing, match="`make node` builds it"):
        node_library.node_library.__wrapped__()
    (tmp_path / node_library.NAME).write_bytes(b"not a library")
    with pytest.raises(LibraryMissing, match="cannot be loaded"):
        node_library.node_library.__wrapped__()
